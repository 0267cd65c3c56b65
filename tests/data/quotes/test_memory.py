"""An index is built in memory that does not grow with its text."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.quotes.build import build_index

LENGTH = 24_000_000  # characters; its places take 192 MB in memory
BOUND = 96_000_000


def anonymous_memory() -> int:
    """The bytes of this process that are no mapped file's."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory is no file's")
def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    words = random.Random(1).choices(["cat", "sat", "mat", "dog", "the", "and", "log", "fog"], k=LENGTH // 4)
    (tmp_path / "text.txt").write_text(" ".join(words))
    del words
    corpus = open_corpus(str(tmp_path / "text.txt"))
    before, most = anonymous_memory(), 0

    def look(fraction: float) -> None:
        nonlocal most
        most = max(most, anonymous_memory())

    index = build_index(corpus, progress=look, in_memory=1 << 17)
    assert most - before < BOUND
    found = index.find("the cat sat on the mat").longest
    assert found is not None
    assert len(found) >= len("the cat sat ")
