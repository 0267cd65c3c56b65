"""Process start to first painted frame, in turns with an empty Textual app, on a warm disk; whether torch was loaded.

Of minigpt-tui two frames: the header and the borders of the empty desk, and the desk that takes keys.

python tests/benchmarks/first_frame.py [--repeats 9]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile

from pseudo_terminal import PseudoTerminal

WORD = "minigpt"  # both show it in their first frame
READY = "no run yet"  # in the header once the desk stands
EMPTY_APP = f"""
from textual.app import App
from textual.widgets import Static

class Empty(App):
    def compose(self):
        yield Static("{WORD}")

Empty().run()
"""
OURS = [sys.executable, "-m", "minigpt_tui.tui"]
FRAMES = {
    "empty Textual app": ([sys.executable, "-c", EMPTY_APP], WORD),
    "minigpt-tui, first frame": (OURS, WORD),
    "minigpt-tui, desk": (OURS, READY),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    seconds: dict[str, list[float]] = {name: [] for name in FRAMES}
    torch_seen = False
    for _ in range(repeats + 1):
        for name, (command, words) in FRAMES.items():
            with tempfile.TemporaryDirectory() as home:
                # compiled modules are kept, as pip compiles those of an installed program
                terminal = PseudoTerminal(command, {"MINIGPT_HOME": home, "PYTHONDONTWRITEBYTECODE": ""})
                seconds[name].append(terminal.wait_for(words) - terminal.started)
                terminal.drain(0.5)
                torch_seen |= "libtorch" in terminal.maps()
                terminal.close()
    medians = []
    for name, each in seconds.items():
        warm = sorted(each[1:])
        medians.append(statistics.median(warm))
        print(f"{name}: median {medians[-1]:.3f} s, {warm[0]:.3f} to {warm[-1]:.3f}, {repeats} starts")
    print(f"to the empty app: first frame {medians[1] / medians[0]:.2f}, desk {medians[2] / medians[0]:.2f}")
    print(f"torch in the process that draws: {'yes' if torch_seen else 'no'}")


if __name__ == "__main__":
    main()
