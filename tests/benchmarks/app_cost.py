"""What the open app costs a run that trains flat out on all cores: the share of its tokens per second.

One run of `quick` trains on and on; the app is opened on it and closed again, and each stretch with the app is compared
with the one before or after it without, in turns. A stretch is measured by what the run itself has written: tokens by
seconds of training between its first and its last event. The start of the app is left out.

python tests/benchmarks/app_cost.py [--pairs 9] [--seconds 12] [--desk train]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pseudo_terminal import PseudoTerminal

OURS = [sys.executable, "-m", "minigpt_tui.tui"]
KEYS = {"write": "", "train": "\x12"}  # that lead to a desk: Ctrl+R
_SETTLING = 6.0  # seconds: the app starts and loads the model; after its end caches fill again


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=12.0, help="of one stretch")
    parser.add_argument("--desk", choices=list(KEYS), default="train", help="that is on the screen")
    parser.add_argument("--preset", default="quick")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environment = {"MINIGPT_HOME": home}
        minutes = 2 + arguments.pairs * (arguments.seconds + _SETTLING) * 2 / 60
        threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 2)
        command = [*OURS, "train", "tales", "--preset", arguments.preset, "--minutes", f"{minutes:.0f}",
                   "--threads", threads, "--detach"]  # fmt: skip
        subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
        try:
            time.sleep(2 * _SETTLING)
            events = next(Path(home).glob("data/runs/*/metrics.jsonl"))
            pairs = [pair(events, environment, number, arguments) for number in range(arguments.pairs)]
        finally:
            subprocess.run([*OURS, "stop"], env={**os.environ, **environment}, capture_output=True, check=False)
    costs = sorted(cost for cost, _ in pairs)
    print(
        f"{arguments.preset} on {threads} threads, {arguments.desk} desk: median {statistics.median(costs):.1%} of "
        f"its tokens per second, {costs[0]:.1%} to {costs[-1]:.1%}, {len(costs)} pairs; "
        f"the process that draws takes {statistics.median(share for _, share in pairs):.1%} of a core"
    )


def pair(events: Path, environment: dict[str, str], number: int, arguments: argparse.Namespace) -> tuple[float, float]:
    """The share of the tokens per second that is missing while the app is open, and that of a core which it takes.

    Every other pair begins with the app.
    """
    figures = {with_app: stretch(events, environment, arguments, with_app=with_app)
             for with_app in ((False, True) if number % 2 else (True, False))}  # fmt: skip
    without, (with_app, share) = figures[False][0], figures[True]
    print(f"pair {number + 1}: {without:,.0f} tokens per second without the app, {with_app:,.0f} with it, which takes "
          f"{share:.1%} of a core")  # fmt: skip
    return 1 - with_app / without, share


def stretch(
    events: Path, environment: dict[str, str], arguments: argparse.Namespace, *, with_app: bool
) -> tuple[float, float]:
    """Tokens per second of training within a stretch, and the share of a core that the app takes."""
    terminal = PseudoTerminal(OURS, environment) if with_app else None
    try:
        if terminal is not None:
            terminal.wait_for("training")
            terminal.press(KEYS[arguments.desk])
        wait(terminal, _SETTLING)
        begin, before = events.stat().st_size, terminal.cpu_seconds() if terminal else 0.0
        wait(terminal, arguments.seconds)
        share = (terminal.cpu_seconds() - before) / arguments.seconds if terminal else 0.0
        with events.open("rb") as file:
            file.seek(begin)
            lines = file.read().split(b"\n")[1:-1]  # the first and the last one may be cut
    finally:
        if terminal is not None:
            terminal.close()
    steps = [event for event in map(json.loads, lines) if event["event"] == "step"]
    first, last = steps[0], steps[-1]
    return (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"]), share


def wait(terminal: PseudoTerminal | None, seconds: float) -> None:
    """Let time pass, and read what is painted meanwhile."""
    if terminal is None:
        time.sleep(seconds)
        return
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        terminal.drain(left)


if __name__ == "__main__":
    main()
