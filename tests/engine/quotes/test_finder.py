"""Quotes as the app asks for them: at once, answered by callback, with an index that another process builds."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
import torch
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.quotes.build import build_index
from minigpt_tui.data.quotes.index import QuoteIndex, index_path
from minigpt_tui.data.quotes.quotes import Quotes
from minigpt_tui.data.storage.typed_json import dumps
from minigpt_tui.engine import locks
from minigpt_tui.engine.quotes import finder as finders
from minigpt_tui.engine.quotes.finder import Indexing, NotIndexed, QuoteFinder, QuotesAnswer, QuotesFailed
from minigpt_tui.engine.quotes.process import main
from minigpt_tui.engine.quotes.searched_corpus import SearchedCorpus
from minigpt_tui.engine.runs import CorpusRecord, RunManifest, create_run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.recipe import TrainingConfig

TEXT = "the cat sat on the mat\nand the dog sat on the log\n"

Heard = list[QuotesAnswer]


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    path = tmp_path / "cats.txt"
    path.write_text(TEXT)
    return path


def cache(text: Path) -> Path:
    return text.parent / "home" / "cache" / "quotes"


async def test_the_index_is_built_by_a_process_and_all_who_ask_are_answered(text: Path) -> None:
    finder = QuoteFinder(SearchedCorpus(str(text)))
    heard: list[Heard] = [[], []]
    first = finder.find("a cat sat on it", heard[0].append)
    second = finder.find("nobody", heard[1].append)
    assert not finder.ready
    assert heard == [[], []]
    await asyncio.gather(first, second)
    for events in heard:
        assert [type(event) for event in events[:-1]] == [Indexing] * (len(events) - 1)
        assert {"reading", "indexing"} >= {event.doing for event in events[:-1] if isinstance(event, Indexing)}
        assert len(events) > 1
    found, other = heard[0][-1], heard[1][-1]
    assert isinstance(found, Quotes)
    assert isinstance(other, Quotes)
    assert found.longest is not None
    assert (found.longest.start, found.longest.end, found.longest.place.line) == (1, 13, 1)
    assert finder.surroundings(found.longest, 3, 4) == ("the", " cat sat on ", "the ")

    later: Heard = []
    assert finder.ready
    await finder.find("the dog", later.append)
    assert [type(event) for event in later] == [Quotes]
    await finder.close()


async def test_an_index_that_is_there_needs_no_process(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_index(open_corpus(str(text)))
    monkeypatch.setattr(finders, "python_module", lambda *_: ["false"])
    finder, heard = QuoteFinder(SearchedCorpus(str(text))), Heard()
    await finder.find("the dog", heard.append)
    assert isinstance(heard[-1], Quotes)
    await finder.close()


async def test_an_index_is_built_only_for_whom_that_is_wanted(text: Path) -> None:
    finder, heard, other = QuoteFinder(SearchedCorpus(str(text))), Heard(), Heard()
    await finder.find("the dog", heard.append, build=False)
    assert heard[-1] == NotIndexed(len(TEXT))
    assert not cache(text).exists()
    await asyncio.gather(finder.find("the dog", other.append), finder.find("the dog", heard.append, build=False))
    assert isinstance(other[-1], Quotes)
    await finder.find("the dog", heard.append, build=False)
    assert heard[-1] == other[-1], "once it is there everybody is answered"
    await finder.close()


async def test_an_index_that_another_process_has_built_meanwhile_is_used(text: Path) -> None:
    finder, heard = QuoteFinder(SearchedCorpus(str(text))), Heard()
    await finder.find("the dog", heard.append, build=False)
    build_index(open_corpus(str(text)))
    await finder.find("the dog", heard.append, build=False)
    assert [type(event) for event in heard if not isinstance(event, Indexing)] == [NotIndexed, Quotes]
    await finder.close()


async def test_all_places_of_a_passage_and_the_text_around_them(text: Path) -> None:
    build_index(open_corpus(str(text)))
    finder, heard = QuoteFinder(SearchedCorpus(str(text))), Heard()
    with pytest.raises(ValueError, match="index"):
        await finder.occurrences("the ")
    await finder.find("the dog sat on the moon", heard.append)
    found = await finder.occurrences(" sat on the ")
    assert [(place.line, place.column) for place in found.places] == [(1, 8), (2, 12)]
    assert finder.around(found.places[1], 12, 3, 3) == ("dog", " sat on the ", "log")
    await finder.close()


async def test_why_there_are_no_quotes_is_said_in_a_sentence(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for searched, sentence in (
        (SearchedCorpus(str(text), fingerprint="0" * 64), "has changed since the run was made"),
        (SearchedCorpus(str(text.parent / "gone.txt")), "neither a file nor a folder"),
    ):
        finder, heard = QuoteFinder(searched), Heard()
        for _ in range(2):
            await finder.find("the dog", heard.append)
            assert isinstance(heard[-1], QuotesFailed)
            assert sentence in heard[-1].message
        await finder.close()
    monkeypatch.setattr(
        finders, "python_module", lambda *_: ["sh", "-c", "echo not json; echo 'disk full' >&2; exit 2"]
    )
    finder, heard = QuoteFinder(SearchedCorpus(str(text))), Heard()
    await finder.find("the dog", heard.append)
    assert heard[-1] == QuotesFailed("disk full")


async def test_closing_ends_the_process_and_no_listener_hears_more(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = text.parent / "pid"
    monkeypatch.setattr(finders, "python_module", lambda *_: ["sh", "-c", f"echo $$ > {pid}; exec sleep 600"])
    finder, heard = QuoteFinder(SearchedCorpus(str(text))), Heard()
    answer = finder.find("the dog", heard.append)
    while not (pid.exists() and pid.read_text().strip()):
        await asyncio.sleep(0.01)
    n_heard = len(heard)
    await finder.close()
    assert answer.cancelled()
    await finder.find("the cat", heard.append)
    assert len(heard) == n_heard
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_a_question_that_is_taken_back_leaves_the_others(text: Path) -> None:
    finder, heard, other = QuoteFinder(SearchedCorpus(str(text))), Heard(), Heard()
    taken_back = finder.find("the dog", heard.append)
    answer = finder.find("the cat", other.append)
    await asyncio.sleep(0)
    taken_back.cancel()
    await answer
    assert not any(isinstance(event, Quotes) for event in heard)
    assert isinstance(other[-1], Quotes)
    await finder.close()


def test_a_run_has_learned_from_the_first_part_of_its_text(text: Path) -> None:
    corpus = open_corpus(str(text))
    record = CorpusRecord("cats", str(text), corpus.fingerprint, corpus.n_bytes, corpus.n_characters, 0.5)
    config = ModelConfig(vocab_size=256, context_length=16, n_layer=1, n_head=2, d_model=32)
    run = create_run(RunManifest("cats", 0.0, "tiny", record, "byte", config, TrainingConfig()))
    searched = SearchedCorpus.of_run(run)
    assert searched.open() == replace(corpus, reading=record.reading)
    assert searched.length == len(TEXT) // 2
    build_index(searched.open(), searched.length)
    index = QuoteIndex.open(searched.open(), searched.length)
    assert index is not None
    found = index.find("the dog").longest
    assert found is not None
    assert len(found) == len("the ")


def test_whoever_waits_for_another_process_takes_what_that_has_built(
    text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = open_corpus(str(text))
    path = index_path(corpus)
    build_index(corpus)
    states = {part: part.stat().st_mtime_ns for part in cache(text).glob("*.places")}
    tried: list[Path] = []
    acquire = locks.acquire

    def held_at_first(lock: Path) -> IO[bytes] | None:
        tried.append(lock)
        return acquire(lock) if len(tried) > 1 else None

    monkeypatch.setattr(locks, "acquire", held_at_first)
    monkeypatch.setattr("minigpt_tui.engine.quotes.process.end_with_parent", lambda: None)
    monkeypatch.setattr("minigpt_tui.engine.quotes.process._LOOK", 0.01)
    threads = torch.get_num_threads()
    try:
        assert main([dumps(SearchedCorpus(str(text)))]) == 0
    finally:
        torch.set_num_threads(threads)
    assert len(tried) == 2
    assert str(path) in capsys.readouterr().out
    assert {part: part.stat().st_mtime_ns for part in cache(text).glob("*.places")} == states
