"""The document coloured by probability, in a terminal: tokens that stream in, an edit in its middle, nothing at all.

python tests/benchmarks/document_pane.py [stream] [edit] [idle]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import time
from pathlib import Path

from pseudo_terminal import PseudoTerminal

APP = Path(__file__).with_name("document_app.py")
STAMP = re.compile(rb"#(\d+)#")
LETTERS = [chr(code) for code in (*range(0x3B1, 0x3CA), *range(0x430, 0x450), *range(0x10D0, 0x10F1))]


def terminal(*options: str) -> PseudoTerminal:
    """The app, once it has painted the end of its text and has come to rest."""
    opened = PseudoTerminal([sys.executable, str(APP), *options], {"COLORTERM": "truecolor"})
    opened.wait_for("#0#")
    opened.drain(1.0)
    return opened


def processor_seconds(pid: int) -> float:
    """What a process has used so far, in user and system time (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Megabytes that a process holds (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def stream(seconds: float) -> None:
    """10,000 tokens a second behind 100,000 characters."""
    opened = terminal("--tokens", "25000", "--rate", "10000", "--seconds", str(seconds))
    lags, newest, seen, memory, frames, painted = list[float](), 0, b"", list[float](), 0, 0.0
    used, began = processor_seconds(opened.pid), time.perf_counter()
    opened.press("\x1b[15~")
    while time.perf_counter() < began + seconds:
        seen = seen[-32:] + opened.read(began + seconds + 5)
        now = time.perf_counter() * 1000
        frames += now - painted > 5  # what a terminal reads at once may be part of a frame
        painted = now
        stamps = [int(stamp) for stamp in STAMP.findall(seen)]
        if stamps and max(stamps) > newest:
            newest = max(stamps)
            lags.append(now - newest)
        memory.append(resident(opened.pid))
    share = (processor_seconds(opened.pid) - used) / (time.perf_counter() - began)
    opened.close()
    lags.sort()
    print(
        f"stream: {frames / seconds:.0f} frames/s, behind by {statistics.median(lags):.0f} ms (median), "
        f"{lags[int(0.95 * len(lags))]:.0f} ms (p95), {share:.0%} of a core, "
        f"memory {memory[0]:.0f} to {memory[-1]:.0f} MB for {10_000 * seconds:,.0f} tokens"
    )


def edit(keys: int) -> None:
    """Letters typed in the middle of 100,000 tokens."""
    opened = terminal("--tokens", "100000")
    opened.press("\x1b[1;5H")  # Ctrl+Home
    opened.drain(0.5)
    for _ in range(60):
        opened.press("\x1b[6~")  # Page down
    opened.drain(1.0)
    delays = list[float]()
    for letter in LETTERS[:keys]:
        pressed = time.perf_counter()
        opened.press(letter)
        delays.append((opened.wait_for(letter, 5.0) - pressed) * 1000)
        opened.drain(0.05)
    opened.close()
    delays.sort()
    print(
        f"edit: key to paint median {statistics.median(delays):.1f} ms, p95 {delays[int(0.95 * len(delays))]:.1f} ms, "
        f"{len(delays)} keys in the middle of 100,000 tokens"
    )


def idle(seconds: float) -> None:
    """100,000 tokens open, and nothing happens."""
    opened = terminal("--tokens", "100000")
    opened.drain(2.0)
    used, began = processor_seconds(opened.pid), time.perf_counter()
    painted = len(opened.drain(seconds))
    time.sleep(max(0.0, began + seconds - time.perf_counter()))
    share = (processor_seconds(opened.pid) - used) / (time.perf_counter() - began)
    print(f"idle: {share:.2%} of a core over {seconds:.0f} s, {painted} bytes painted, {resident(opened.pid):.0f} MB")
    opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", metavar="stream | edit | idle")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--keys", type=int, default=60)
    arguments = parser.parse_args()
    for what in arguments.what or ["stream", "edit", "idle"]:
        if what == "edit":
            edit(arguments.keys)
        else:
            {"stream": stream, "idle": idle}[what](arguments.seconds)


if __name__ == "__main__":
    main()
