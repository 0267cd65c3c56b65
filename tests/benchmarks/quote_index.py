"""Building the index of quotes of one text file: seconds, memory that is no mapped file's, bytes on disk, a search.

Searched are passages of the file itself, and each must be found whole. Linux only.

python tests/benchmarks/quote_index.py FILE
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import torch
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.quotes.build import build_index
from minigpt_tui.data.text_files import Reading

PASSAGE = 2000  # characters that are searched at once
PASSAGES = 20


def anonymous_memory() -> int:
    """The bytes of this process that are no mapped file's."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    with tempfile.TemporaryDirectory(dir=file.parent) as home:
        os.environ["MINIGPT_HOME"] = home
        torch.set_num_threads(1)
        corpus = open_corpus(str(file), reading=Reading(as_text=True))
        before = most = anonymous_memory()

        def look(fraction: float) -> None:
            nonlocal most
            most = max(most, anonymous_memory())

        started, cpu = time.perf_counter(), time.process_time()
        index = build_index(corpus, progress=look)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        disk = sum(path.stat().st_size for path in Path(home).rglob("*") if path.is_file())
        print(f"{corpus.n_bytes / 1e6:,.0f} MB: {seconds:,.0f} s ({cpu:,.0f} s of CPU), {disk / 1e9:.2f} GB on disk")
        print(f"memory that is no mapped file's: {before / 1e6:.0f} MB before, at most {most / 1e6:.0f} MB meanwhile")

        chosen, times = random.Random(1), []
        with file.open("rb") as text:
            for _ in range(PASSAGES):
                text.seek(chosen.randrange(corpus.n_bytes - 8 * PASSAGE))
                passage = text.read(4 * PASSAGE).decode("utf-8", "ignore").replace("\r", "")[:PASSAGE]
                started = time.perf_counter()
                found = index.find(passage)
                times.append(time.perf_counter() - started)
                assert found.longest is not None
                assert len(found.longest) == len(passage), (len(found.longest), len(passage))
        print(f"a quoted passage of {PASSAGE:,} characters: median {statistics.median(times) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
