"""Process start to first painted frame, median of several starts on a warm disk; and whether torch was loaded.

python tests/benchmarks/first_frame.py [--repeats 9]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile

from pseudo_terminal import PseudoTerminal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    seconds, torch_seen = [], False
    for _ in range(repeats + 1):
        with tempfile.TemporaryDirectory() as home:
            terminal = PseudoTerminal(["minigpt-tui"], {"MINIGPT_HOME": home})
            seconds.append(terminal.wait_for("minigpt") - terminal.started)
            terminal.drain(0.5)
            torch_seen |= "libtorch" in terminal.maps()
            terminal.close()
    warm = sorted(seconds[1:])
    print(f"first frame: median {statistics.median(warm):.3f} s, {warm[0]:.3f} to {warm[-1]:.3f}, {repeats} starts")
    print(f"torch in the process that draws: {'yes' if torch_seen else 'no'}")


if __name__ == "__main__":
    main()
