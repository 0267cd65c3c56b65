"""In which texts quotes are looked for unasked, and what a line says of an answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from minigpt_tui.data import catalog
from minigpt_tui.data.quotes.quotes import Passage, Quotes
from minigpt_tui.data.quotes.stored_text import Place
from minigpt_tui.engine.quotes.finder import Indexing, NotIndexed, QuotesAnswer, QuotesFailed
from minigpt_tui.engine.runs import CorpusRecord
from minigpt_tui.tui.bridge import Bridge
from minigpt_tui.tui.quote_words import on_line
from minigpt_tui.tui.training_texts import TrainingTexts

from .runs_on_disk import make_run, make_run_on

TEXT = "the cat sat on the mat\nand the dog sat on the log\n"


async def test_a_path_of_an_imported_session_is_looked_into_only_where_it_is_one_of_the_runs(
    home: Path, tmp_path: Path
) -> None:
    run = make_run_on(tmp_path / "cats.txt", TEXT)
    texts, heard = TrainingTexts(Bridge(lambda message: None)), list[QuotesAnswer]()
    elsewhere = run.path.rename(tmp_path / "elsewhere")
    for path in (str(elsewhere), "", "\0", "/", "x" * 5000, str(run.path)):
        assert not texts.is_run(path)
        await texts.look("the cat", path, heard.append)
    assert not heard
    elsewhere.rename(run.path)
    for path in (run.path, run.checkpoints / "last"):
        assert texts.is_run(str(path))
        await texts.look("the cat", str(path), heard.append)
        assert heard[-1] == NotIndexed(len(TEXT))
    await texts.close()


async def test_a_text_is_downloaded_only_for_whom_asks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(name for name, entry in catalog.CATALOG.items() if entry.url)
    fetched: list[str] = []

    def fetch(url: str, n_bytes: int, progress: Callable[[float], None] | None = None) -> bytes:
        fetched.append(url)
        raise OSError("no network")

    monkeypatch.setattr(catalog, "fetch", fetch)
    run = make_run("play-01", corpus=CorpusRecord(name, name, "0" * 64, 1000, 1000))
    texts, heard = TrainingTexts(Bridge(lambda message: None)), list[QuotesAnswer]()
    await texts.look("the cat", str(run.path), heard.append, build="when idle")
    assert isinstance(heard[-1], NotIndexed)
    assert not fetched
    await texts.look("the cat", str(run.path), heard.append, build="now", anew=True)
    assert isinstance(heard[-1], QuotesFailed)
    assert len(fetched) == 1
    await texts.close()


def quotes(length: int, share10: float, share20: float, share50: float, file: str = "deep/in a/folder.txt") -> Quotes:
    return Quotes(Passage(3, 3 + length, Place(0, file, 1204, 5, 0)), share10, share20, share50)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Quotes(None, 0, 0, 0), "nothing is quoted"),
        (quotes(1, 0, 0, 0), "longest quote 1 character"),
        (quotes(9, 0, 0, 0), "longest quote 9 characters"),
        (quotes(12, 0.5, 0, 0), "longest quote 12 characters, folder.txt line 1,204 · 50% in quotes of 10+"),
        (
            quotes(1234, 1, 0.999, 0.001),
            "longest quote 1,234 characters, folder.txt line 1,204 · 100% in quotes of 10+, 99% of 20+, 0% of 50+",
        ),
        (
            quotes(12, 0.5, 0, 0, file="C:\\books\\" + "n\x1b" * 30),
            "longest quote 12 characters, n?n?n?n?n?n?n?n?n?n?n?n… line 1,204 · 50% in quotes of 10+",
        ),
        (Indexing(0.4, "indexing"), "quotes: indexing the text 40%"),
        (
            Indexing(0, "waiting for another process that indexes"),
            "quotes: waiting for another process that indexes",
        ),
        (NotIndexed(5), "quotes: no index yet, Alt+Q makes one"),
        (QuotesFailed("it is gone"), "no quotes: Alt+Q says why"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_what_a_line_says(answer: QuotesAnswer, words: str) -> None:
    assert on_line(answer) == words
