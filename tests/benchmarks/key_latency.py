"""Key press to paint while a run trains flat out and replies stream.

Each key is a character that the model cannot write and that is pressed once, so the first time it is painted is the
answer to the key.

    python tests/benchmarks/key_latency.py [--keys 200]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from pseudo_terminal import PseudoTerminal

ALPHABET = [chr(code) for first, last in ((0x3B1, 0x3C9), (0x430, 0x44F), (0x10D0, 0x10F0), (0x531, 0x556))
            for code in range(first, last)]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100)
    keys = min(parser.parse_args().keys, len(ALPHABET))
    with tempfile.TemporaryDirectory() as home:
        environment = {"MINIGPT_HOME": home}
        settings = Path(home, "config", "settings.toml")
        settings.parent.mkdir()
        settings.write_text("[sampling]\nmax_tokens = 100000\n")  # one reply streams through all keys
        threads = str(max(1, (os.cpu_count() or 2) - 1))  # as many as the app would give it
        train = ["minigpt-tui", "train", "tales", "--minutes", "10", "--threads", threads, "--detach"]
        subprocess.run(train, env={**os.environ, **environment}, check=True, capture_output=True)
        terminal = PseudoTerminal(["minigpt-tui"], environment)
        try:
            terminal.wait_for("training")
            terminal.drain(8.0)
            delays, streamed = [], 0
            terminal.press("\r")
            terminal.drain(1.0)
            for key in ALPHABET[:keys]:
                pressed = time.perf_counter()
                terminal.press(key)
                delays.append(terminal.wait_for(key, 5.0) - pressed)
                streamed += len(terminal.drain(0.1))
        finally:
            subprocess.run(["minigpt-tui", "stop"], env={**os.environ, **environment}, capture_output=True, check=False)
            terminal.close()
    delays.sort()
    p95 = delays[int(0.95 * len(delays))]
    print(f"key to paint: median {statistics.median(delays) * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms, {len(delays)} keys")
    print(f"painted beside the keys: {streamed / max(1, len(delays)):.0f} bytes in each 0.1 s between them")


if __name__ == "__main__":
    main()
