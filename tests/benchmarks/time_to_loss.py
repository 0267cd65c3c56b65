"""Training seconds until the `full` validation loss falls to a target, for a recipe on a text.

python tests/benchmarks/time_to_loss.py CORPUS [--target 1.90] [--repeats 3] [-- options of minigpt-tui train]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--target", type=float, default=1.90)
    parser.add_argument("--repeats", type=int, default=3)
    arguments, options = parser.parse_known_args()
    rows = [measure(arguments.corpus, arguments.target, [*options, f"--seed={seed}"])
            for seed in range(1, arguments.repeats + 1)]  # fmt: skip
    for training, whole, loss in rows:
        print(f"full validation loss {loss:.4f}: {training:.2f} s of training, {whole:.2f} s from process start")
    reached = sum(row[2] <= arguments.target for row in rows)
    training, whole = (statistics.median(row[column] for row in rows) for column in (0, 1))
    print(
        f"{reached} of {len(rows)} reached {arguments.target}; "
        f"medians: {training:.2f} s of training, {whole:.2f} s from process start"
    )


def measure(corpus: str, target: float, options: list[str]) -> tuple[float, float, float]:
    """Training seconds, seconds from process start, and loss at the first evaluation that reached the target."""
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        child = subprocess.Popen(
            ["minigpt-tui", "train", corpus, "--json", "--evaluation", "full", *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "MINIGPT_HOME": home},
        )  # fmt: skip
        assert child.stdout is not None
        result = (float("nan"), float("nan"), float("inf"))
        for line in child.stdout:
            event = json.loads(line)
            if event["event"] == "eval" and result[2] > target:
                result = (event["seconds"], time.perf_counter() - began, event["validation_loss"])
        child.wait()
    return result


if __name__ == "__main__":
    main()
