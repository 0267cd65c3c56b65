"""How long it takes to search 10,000 sessions with 200 MB of text, to list them, and to open and edit 100,000 tokens.

python tests/benchmarks/sessions.py [--sessions 10000] [--megabytes 200]
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from minigpt_tui.data.tales.generator import generate
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.records import TokenRecord
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin

_REPEATS = 7


def main() -> None:
    """Fill a store, measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sessions.sqlite"
        store = SessionStore(path)
        start = time.perf_counter()
        fill(store, arguments.sessions, arguments.megabytes * 1_000_000)
        size = sum(file.stat().st_size for file in Path(folder).iterdir() if file.is_file())
        print(f"filled in {time.perf_counter() - start:.0f} s; {size / 1e6:,.0f} MB on disk")
        for words in ("lantern", "the quiet", "xyzzy", "a needle in it", "ab"):
            report(f"search '{words}'", lambda words=words: list(store.search(words)))
        report("list", store.sessions)
        long = long_session(store)
        report("open a session of 100,000 tokens", lambda: SessionText(store, long).text)
        text = SessionText(store, long)
        report("the records of its tokens", lambda: text.records(text.path[-1]))
        edits(text, "an edit in it")
        for number in range(500):
            text.replace(number * 1000, number * 1000, f" edit {number} ")
            if number % 10 == 0:
                text.replace(len(text), len(text), f" and on {number}")
        report("open it after 550 edits", lambda: SessionText(store, long).text)
        edits(text, "an edit in it then")
        store.close()


def report(name: str, work: Callable[[], object]) -> None:
    """Print the median and the slowest of some repeats, in milliseconds."""
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    print(f"{name:<36} {1000 * statistics.median(seconds):8.1f} ms, slowest {1000 * max(seconds):8.1f} ms")


def edits(text: SessionText, name: str) -> None:
    """A change in the middle of a text, the next keystroke there, and undo."""

    def change() -> None:
        text.settle()
        text.replace(len(text) // 2, len(text) // 2 + 5, "x")

    report(name, change)
    report("the next keystroke there", lambda: text.replace(len(text) // 2 - 2, len(text) // 2 - 2, "y"))
    report("undo", text.undo)


def fill(store: SessionStore, sessions: int, characters: int) -> None:
    """Sessions of one prompt and one reply each, of tales; one has a needle."""
    draw, length = random.Random(1), characters // sessions
    text = generate(2_000_000).text
    for number in range(sessions):
        session = store.create("document", "tales")
        at = draw.randrange(len(text) - length)
        reply = text[at : at + length] + (" a needle in it" if number == sessions // 2 else "")
        store.add(session, store.add(session, None, "person", f"prompt {number}: "), "model", reply)
        store.release(session)


def long_session(store: SessionStore) -> int:
    """A session of 100,000 tokens that were explained."""
    session = store.create("document", "tales")
    origin = Origin("tales", "tales", 1, 1, SamplingSettings())
    node = store.begin(session, store.add(session, None, "person", "begin"), origin)
    for number in range(100):
        store.append(node, "a word " * 1000, [TokenRecord(number, 0.5, 0.5, 1, 1.0, 7)] * 1000)
    store.finish(node, "length", tokens=100_000)
    return session


if __name__ == "__main__":
    main()
