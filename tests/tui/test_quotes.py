"""Quoted or invented, by the keys: a real text with a real index, and a scripted engine that writes what it is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.quotes.build import build_index
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.quotes import finder
from minigpt_tui.engine.quotes.finder import QuoteFinder
from minigpt_tui.engine.quotes.searched_corpus import SearchedCorpus
from minigpt_tui.tui import generator, training_texts
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.found_models import look_up
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.quotes import QuotesBox
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, save_settings
from textual.pilot import Pilot

from .next_way import next_way
from .runs_on_disk import make_run, make_run_on, write_model
from .scripted_engine import LetterEngine, ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until

TEXT = (
    "It was a bright cold day in April,\nand the [b]clocks[/b] were striking thirteen.\n"
    + "".join(f"On day {day} nothing of note was written down in the book.\n" for day in range(40))
    + "and the [b]clocks[/b] were still.\n"
)
REPLY = "Soon, and the [b]clocks[/b] were far away; nothing of note was written by us."
LONGEST = " nothing of note was written "
CLOCKS = "and the [b]clocks[/b] were "


@pytest.fixture
def letters(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> type[LetterEngine]:
    """Writes REPLY, and then what quotes nothing; quotes are really looked for."""

    class Letters(LetterEngine):
        processes = []
        words = [REPLY, "~~"]

    monkeypatch.setattr(generator, "GenerateProcess", Letters)
    monkeypatch.setattr(finder, "QuoteFinder", QuoteFinder)
    return Letters


@pytest.fixture
def indexed(letters: type[LetterEngine], tmp_path: Path) -> Path:
    """A run that has learned from most of TEXT, whose index is there."""
    run = make_run_on(tmp_path / "days.txt", TEXT)
    searched = SearchedCorpus.of_run(run)
    build_index(open_corpus(str(tmp_path / "days.txt")), searched.length)
    return tmp_path


def desk_of(pilot: Pilot[Any]) -> WriteDesk:
    desk = pilot.app.get_screen_stack("write")[0]
    assert isinstance(desk, WriteDesk)
    return desk


async def seen(pilot: Pilot[Any], words: str) -> str:
    """The screen as soon as it shows `words`, wherever a row ends in them."""
    await wait_until(pilot, lambda: words in on_one_line(screen_text(pilot.app)))
    return on_one_line(screen_text(pilot.app))


def on_one_line(text: str) -> str:
    """Without the panels at the right, and without frames."""
    rows = (re.split("[│╮╯][│╭╰]", row)[0] for row in text.splitlines())
    return " ".join(word for row in rows for word in row.replace("│", " ").split())


async def ask(pilot: Pilot[Any], prompt: str = "Then?") -> None:
    desk = desk_of(pilot)
    await wait_until(pilot, lambda: desk.bridge.generator.ready)
    desk.turns.prompt.restore(prompt)
    await pilot.press("enter")
    await wait_until(pilot, lambda: desk.bridge.generator.ready)


async def open_box(pilot: Pilot[Any], until: Callable[[], bool] | None = None) -> QuotesBox:
    await pilot.press("alt+q")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, QuotesBox))
    box = pilot.app.screen
    assert isinstance(box, QuotesBox)
    await wait_until(pilot, until or (lambda: bool(box.corpus.current)))
    await pilot.pause()
    return box


async def test_the_line_below_a_reply_says_what_is_quoted_once_the_index_is_built(
    letters: type[LetterEngine], tmp_path: Path
) -> None:
    make_run_on(tmp_path / "days.txt", TEXT)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await ask(pilot)
        line = await seen(pilot, "longest quote 29 characters, days.txt line ")
        assert "5 tokens" in line
        assert "% in quotes of 10+, " in line
        assert "% of 20+" in line
        assert "of 50+" not in line, "there are none"
        await ask(pilot)
        await seen(pilot, "nothing is quoted")
        assert "longest quote 29 characters" in on_one_line(screen_text(pilot.app)), "each reply keeps its own"
        assert list((tmp_path / "home" / "cache" / "quotes").glob("*.places"))


async def test_the_key_shows_each_passage_where_it_stands(indexed: Path) -> None:
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await ask(pilot)
        await seen(pilot, "longest quote")
        box = await open_box(pilot)
        screen = on_one_line(screen_text(pilot.app))
        assert "quote of 29 characters · 1 of 2" in screen
        assert "Of the reply 72% stands in passages of 10 characters or more, 72% in those of 20" in screen
        assert (box.own.current, box.corpus.current) == (LONGEST, LONGEST)
        place = screen[screen.index("days.txt, line ") :]
        number = int(place.removeprefix("days.txt, line ").split()[0])
        assert TEXT.split("\n")[number - 1].count(LONGEST) == 1
        await pilot.press("down")
        await wait_until(pilot, lambda: f"days.txt, line {number} " not in on_one_line(screen_text(pilot.app)))
        assert box.corpus.current == LONGEST
        await pilot.press("up")
        await seen(pilot, f"days.txt, line {number} ")
        await pilot.press("right")
        await wait_until(pilot, lambda: box.corpus.current == box.own.current == CLOCKS)
        screen = on_one_line(screen_text(pilot.app))
        assert "days.txt, line 2 " in screen
        assert "its only place" in screen, "the validation text is none of what it learned from"
        assert "[b]clocks[/b]" in screen
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, QuotesBox))


@pytest.mark.parametrize("size", [(60, 20), (80, 24)], ids=["60x20", "80x24"])
async def test_in_a_small_window_the_passage_is_in_view(indexed: Path, size: tuple[int, int]) -> None:
    async with MinigptApp().run_test(size=size) as pilot:
        await ask(pilot)
        await seen(pilot, "longest quote")
        await open_box(pilot)
        rows = [row for row in screen_text(pilot.app).splitlines() if "nothing of note" in row]
        assert len(rows) >= 3, "in the reply, and with its neighbours in the text"
        assert "days.txt, line" in screen_text(pilot.app)


async def test_no_index_is_built_unasked_while_a_run_trains(
    letters: type[LetterEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_texts, "LOOK_SECONDS", 0.02)
    trains = make_run("trains", "running")
    lock = acquire(trains.lock_path)
    assert lock is not None
    run = make_run_on(tmp_path / "days.txt", TEXT, "days-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, MinigptApp)
        app.bridge.attach(run)
        await ask(pilot)
        await seen(pilot, "quotes: no index yet, Alt+Q makes one")
        await ask(pilot)
        await wait_until(pilot, lambda: screen_text(app).count("no index yet") == 1)
        await pilot.pause(0.2)
        assert not (tmp_path / "home" / "cache" / "quotes").exists()
        lock.close()
        line = await seen(pilot, "nothing is quoted")
        assert "longest quote 29 characters" in await seen(pilot, "longest quote"), line
        assert "no index yet" not in screen_text(app)


async def test_a_long_text_is_indexed_for_whom_asks_for_it(
    letters: type[LetterEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_texts, "QUICKLY_INDEXED", 10)
    monkeypatch.setattr("minigpt_tui.tui.screens.quotes.QUICKLY_INDEXED", 10)
    make_run_on(tmp_path / "days.txt", TEXT)
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await ask(pilot)
        await seen(pilot, "quotes: no index yet")
        box = await open_box(pilot, lambda: "Enter makes it" in screen_text(pilot.app))
        assert not list((tmp_path / "home" / "cache").glob("quotes/*.places"))
        await pilot.press("enter")
        await wait_until(pilot, lambda: box.corpus.current == LONGEST)
        await pilot.press("q")
        await seen(pilot, "longest quote 29 characters")
        assert "no index yet" not in screen_text(pilot.app)


@pytest.mark.parametrize("damage", ["changed", "gone"])
async def test_why_there_are_no_quotes_is_a_key_away(letters: type[LetterEngine], tmp_path: Path, damage: str) -> None:
    make_run_on(tmp_path / "days.txt", TEXT)
    (tmp_path / "days.txt").write_text("another text\n" * 9) if damage == "changed" else (
        tmp_path / "days.txt"
    ).unlink()
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await ask(pilot)
        await seen(pilot, "no quotes: Alt+Q says why")
        sentence = "has changed since the run was made" if damage == "changed" else "neither a file nor a folder"
        await open_box(pilot, lambda: sentence in on_one_line(screen_text(pilot.app)))
        await pilot.press("escape")
        (tmp_path / "days.txt").write_text(TEXT)
        await open_box(pilot)
        await pilot.press("escape")
        await seen(pilot, "longest quote 29 characters")


async def test_of_a_model_that_is_no_run_nothing_is_said(letters: type[LetterEngine], tmp_path: Path) -> None:
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, MinigptApp)
        await pilot.press("alt+q")
        await wait_until(pilot, lambda: any("no reply yet" in sentence for sentence in notices(pilot)))
        app.bridge.open(look_up(str(write_model(tmp_path / "foreign"))))
        await ask(pilot)
        await pilot.pause(0.1)
        assert "quote" not in screen_text(app)
        await pilot.press("alt+q")
        await wait_until(pilot, lambda: any("not from a run" in sentence for sentence in notices(pilot)))


async def test_a_document_says_it_of_the_continuation_and_of_what_is_selected(indexed: Path) -> None:
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: desk_of(pilot).bridge.generator.ready)
        await next_way(pilot)
        way = desk_of(pilot).shown
        assert isinstance(way, DocumentWay)
        way.pane.insert("Then? ")
        await pilot.press("ctrl+n")
        await seen(pilot, "longest quote 29 characters, days.txt line ")
        await pilot.press("ctrl+home", *["shift+right"] * 30)
        await seen(pilot, "longest quote 18 characters, days.txt line 2 ")
        await pilot.press("shift+home")
        await wait_until(pilot, lambda: "quote" not in str(way.pane.border_subtitle) or not way.pane.selected_text)
        await pilot.press("ctrl+home", *["shift+right"] * 30)
        box = await open_box(pilot)
        assert box.corpus.current == "and the [b]clocks["
        assert "Of the marked text 60%" in on_one_line(screen_text(pilot.app))
        await pilot.press("escape", "ctrl+end")
        await seen(pilot, "longest quote 29 characters")
        box = await open_box(pilot)
        assert "Of the continuation" in on_one_line(screen_text(pilot.app))


@pytest.mark.parametrize("width", [80, 78, 76, 70, 60])
async def test_the_line_of_a_document_is_not_cut_off_in_its_quotes(
    indexed: Path, letters: type[LetterEngine], width: int
) -> None:
    letters.words = ["~~"]
    async with MinigptApp().run_test(size=(width, 20)) as pilot:
        await wait_until(pilot, lambda: desk_of(pilot).bridge.generator.ready)
        await next_way(pilot)
        await pilot.press("a", "ctrl+n")
        await seen(pilot, "nothing is quoted")
        assert "…" not in screen_text(pilot.app)
        assert "2 tokens · " in screen_text(pilot.app)


async def test_what_the_mouse_has_marked_in_the_transcript_is_looked_at(indexed: Path) -> None:
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await ask(pilot)
        await seen(pilot, "longest quote")
        rows = screen_text(pilot.app).splitlines()
        y = next(number for number, row in enumerate(rows) if "Soon, and" in row)
        x = rows[y].index("and the")
        await pilot.mouse_down(offset=(x, y))
        await pilot.hover(offset=(x + len("and the [b]clo"), y))
        await pilot.mouse_up(offset=(x + len("and the [b]clo"), y))
        await seen(pilot, "longest quote 15 characters, days.txt line 2 · 100% in quotes of 10+ ")
        box = await open_box(pilot)
        assert box.corpus.current == "and the [b]cloc"


async def test_each_of_several_samples_has_its_line_and_the_key_shows_that_in_view(indexed: Path) -> None:
    save_settings(Settings(samples=3))
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await ask(pilot)
        await wait_until(pilot, lambda: on_one_line(screen_text(pilot.app)).count("longest quote 29 characters") == 2)
        assert on_one_line(screen_text(pilot.app)).count("nothing is quoted") == 1
        await pilot.press("ctrl+k")
        await wait_until(pilot, lambda: on_one_line(screen_text(pilot.app)).count("nothing is quoted") == 2)
        await open_box(pilot, lambda: "Nothing is quoted: not one" in on_one_line(screen_text(pilot.app)))
        await pilot.press("escape")
        transcript = desk_of(pilot).turns.transcript
        transcript.focus()
        await pilot.resize_terminal(60, 20)
        await pilot.press("home")
        await wait_until(pilot, lambda: transcript.scroll_offset.y == 0)
        box = await open_box(pilot)
        assert box.own.current == LONGEST


async def test_an_opened_session_says_it_of_all_replies_where_the_index_is_there(indexed: Path) -> None:
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        for _ in range(2):
            await ask(pilot)
        await seen(pilot, "nothing is quoted")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await seen(pilot, "nothing is quoted")
        await seen(pilot, "longest quote 29 characters")


async def test_a_hostile_name_and_text_stay_what_they_are(letters: type[LetterEngine], tmp_path: Path) -> None:
    text = TEXT.replace("On day", "On\u202e\x9b\tday")
    run = make_run_on(tmp_path / "d[b]\x1b]0;x\x07\u202e.txt", text)
    build_index(open_corpus(run.manifest().corpus.spec), SearchedCorpus.of_run(run).length)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await ask(pilot)
        line = await seen(pilot, "longest quote 29 characters, d[b]")
        await open_box(pilot)
        for shown in (line, screen_text(pilot.app)):
            assert not {"\x1b", "\x07", "\u202e"} & set(shown)


async def test_a_very_long_text_is_not_looked_at(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_texts, "LONGEST", 20)
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await ask(pilot)
        await seen(pilot, "no quotes: Alt+Q says why")
        await open_box(pilot, lambda: "at most 20 characters" in on_one_line(screen_text(pilot.app)))


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((60, 20), id="60x20", marks=pytest.mark.long),
        pytest.param((80, 24), id="80x24"),
        pytest.param((120, 40), id="120x40", marks=pytest.mark.long),
    ],
)
def test_the_box(indexed: Path, snap_compare, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        await ask(pilot)
        await seen(pilot, "longest quote")
        await open_box(pilot)
        await pilot.pause()

    assert snap_compare(MinigptApp(), terminal_size=size, run_before=look)
