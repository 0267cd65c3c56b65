"""nanoGPT's CPU recipe on Tiny Shakespeare, as its README gives it: whole process and iterations in seconds.

Needs a checkout of nanoGPT with its character data prepared (`python data/shakespeare_char/prepare.py` there).

    python tests/benchmarks/nanogpt_cpu.py CHECKOUT [--repeats 2]
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

RECIPE = [
    "--device=cpu",
    "--compile=False",
    "--eval_iters=20",
    "--log_interval=1",
    "--block_size=64",
    "--batch_size=12",
    "--n_layer=4",
    "--n_head=4",
    "--n_embd=128",
    "--max_iters=2000",
    "--lr_decay_iters=2000",
    "--dropout=0.0",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        output = subprocess.run(
            [sys.executable, "train.py", "config/train_shakespeare_char.py", *RECIPE],
            cwd=arguments.checkout, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        whole = time.perf_counter() - start
        iterations = statistics.median(map(float, re.findall(r"time ([\d.]+)ms", output))) * 2001 / 1e3
        loss = re.findall(r"val loss ([\d.]+)", output)[-1]
        print(f"whole {whole:.1f} s, iterations {iterations:.1f} s (2001 times the median), its own val loss {loss}")


if __name__ == "__main__":
    main()
