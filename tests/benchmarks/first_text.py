"""From Enter on the first screen to the first text of a trained model, in a fresh home and a real terminal.

python tests/benchmarks/first_text.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from pseudo_terminal import PseudoTerminal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    figures = [measure() for _ in range(parser.parse_args().repeats)]
    seconds = sorted(figure[0] for figure in figures)
    print(f"Enter to first text: median {statistics.median(seconds):.2f} s, {seconds[0]:.2f} to {seconds[-1]:.2f}")
    print(f"trained steps of the weights that spoke: {sorted(figure[1] for figure in figures)}")


def measure() -> tuple[float, int]:
    """Seconds from Enter to the first sampled text, and the step of the checkpoint it came from."""
    with tempfile.TemporaryDirectory() as home:
        terminal = PseudoTerminal(["minigpt-tui"], {"MINIGPT_HOME": home})
        try:
            terminal.wait_for("Enter")
            terminal.drain(3.0)  # a person reads three lines
            pressed = time.perf_counter()
            terminal.press("\r")
            terminal.wait_for("tokens ·", 60.0)  # the status line under the first reply
            shown = time.perf_counter()
            events = [json.loads(line) for line in next(Path(home).glob("data/runs/*/metrics.jsonl")).open()]
        finally:
            subprocess.run(
                ["minigpt-tui", "stop"], env={**os.environ, "MINIGPT_HOME": home}, capture_output=True, check=False
            )
            terminal.close()
    return shown - pressed, max(event["step"] for event in events if event["event"] == "checkpoint")


if __name__ == "__main__":
    main()
