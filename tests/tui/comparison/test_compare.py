"""Side by side, by its keys: real sessions and folders, scripted engines that say which weights and seed they have."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.requests import Cancel, Generate, Load, SamplingSettings, Turn
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Node
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.dialogue import Roles
from minigpt_tui.tui.screens.compare import CompareScreen
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.variant_box import VariantBox
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.widgets.compared_column import ComparedColumn
from minigpt_tui.tui.widgets.prompt import Prompt
from textual.pilot import Pilot

from ..next_way import next_way
from ..runs_on_disk import make_run, make_run_on
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..test_foreign_text import EVIL, shown
from ..waiting import wait_until
from .columns import ColumnEngine, keep_checkpoint

Engine = type[ColumnEngine]
LONG = pytest.mark.long
SIZES = [
    pytest.param((60, 20), 2, id="60x20"),
    pytest.param((80, 24), 2, id="80x24", marks=LONG),
    pytest.param((120, 40), 4, id="120x40", marks=LONG),
    pytest.param((200, 60), 4, id="200x60", marks=LONG),
]


@pytest.fixture
def columns(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine of columns, and the seed 7."""

    class Columns(ColumnEngine):
        processes = []
        missing = set()

    monkeypatch.setattr(generator, "GenerateProcess", Columns)
    sampling = SamplingSettings(temperature=0.5, top_k=4, max_tokens=50, seed=7)
    save_settings(Settings(sampling=sampling, document_sampling=sampling))
    return Columns


@pytest.fixture
def run(columns: Engine) -> Run:
    """A run with a checkpoint to look back to."""
    run = make_run("play-01")
    keep_checkpoint(run, 100)
    return run


def desk_of(pilot: Pilot[Any]) -> WriteDesk:
    desk = pilot.app.get_screen_stack("write")[0]
    assert isinstance(desk, WriteDesk)
    return desk


@asynccontextmanager
async def started(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    """The app with a model."""
    async with MinigptApp(poll_interval=0.01).run_test(size=size) as pilot:
        await wait_until(pilot, lambda: desk_of(pilot).bridge.generator.ready)
        yield pilot


def screen_of(pilot: Pilot[Any]) -> CompareScreen:
    assert isinstance(pilot.app.screen, CompareScreen)
    return pilot.app.screen


def texts(pilot: Pilot[Any]) -> list[str]:
    """What stands in each column, in or out of view."""
    return [column.text.text for column in screen_of(pilot).query(ComparedColumn)]


def titles(pilot: Pilot[Any]) -> list[str]:
    return [str(column.border_title) for column in screen_of(pilot).query(ComparedColumn)]


async def compare(pilot: Pilot[Any], count: int = 2) -> None:
    """Open the screen, and let its columns write."""
    await pilot.press("alt+c")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
    await written(pilot, count)


async def written(pilot: Pilot[Any], count: int = 2) -> None:
    await wait_until(pilot, lambda: len(texts(pilot)) == count and all(texts(pilot)))
    await pilot.pause()


async def choose(pilot: Pilot[Any], key: str, words: str) -> None:
    """Add or change a column by what is typed in the box."""
    await pilot.press(key)
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, VariantBox))
    await pilot.pause()
    await pilot.press(*words, "enter")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
    await pilot.pause()


def asked(engine: Engine) -> list[Generate]:
    """What the columns were asked for: all but the first process, which is the app's own."""
    return [
        request for process in engine.processes[1:] for request in process.requests if isinstance(request, Generate)
    ]


def model_nodes(session: int) -> list[Node]:
    """What models wrote, as it is read from the file."""
    store = SessionStore()
    tree = store.tree(session)
    store.close()
    return [node for node in tree.nodes.values() if node.author == "model"]


# --- the columns --------------------------------------------------------------------------------


async def test_the_oldest_checkpoint_and_the_newest_write_with_one_seed_and_neutral_settings(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press(*"ROMEO", "alt+c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await written(pilot)
        assert texts(pilot) == ["ROMEO at step 100 by seed 7", "ROMEO at step 200 by seed 7"]
        assert titles(pilot) == ["1 · step 100 · play-01", "2 · step 200 · play-01"]
        screen = screen_text(pilot.app)
        assert screen.count("neutral · seed 7") == 2
        assert screen.count("5 tokens · 500/s · loss 0.69") == 2
        for request in asked(columns):
            assert request.settings == SamplingSettings(temperature=1.0, max_tokens=50, seed=7), "neutral"
            assert (request.samples, request.explain) == (1, True)
        await pilot.press("2", "ctrl+y")
        assert pilot.app.clipboard == "ROMEO at step 200 by seed 7"


async def test_without_an_older_checkpoint_two_seeds_are_compared(columns: Engine):
    make_run("play-01")
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        assert texts(pilot) == ["a at step 200 by seed 7", "a at step 200 by seed 8"]


async def test_without_a_model_it_says_what_to_do(columns: Engine):
    async with MinigptApp().run_test() as pilot:
        await pilot.pause()
        await pilot.press("alt+c")
        await pilot.pause()
        assert "no model yet" in notices(pilot)[-1]
        assert not isinstance(pilot.app.screen, CompareScreen)


async def test_the_prompt_is_written_there_where_there_is_none(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press("alt+c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await pilot.pause()
        assert isinstance(pilot.app.focused, Prompt)
        assert not asked(columns), "nothing is written before it was asked for"
        await pilot.press(*"ab", "enter")
        await written(pilot)
        assert texts(pilot)[0] == "ab at step 100 by seed 7"
        await pilot.press("e", "c", "enter")
        await wait_until(pilot, lambda: texts(pilot)[1] == "abc at step 200 by seed 7")
        await pilot.press("e", "d", "escape")
        await pilot.pause()
        assert texts(pilot)[1] == "abc at step 200 by seed 7", "what is typed is not sent yet"
        await pilot.press("space")
        await wait_until(pilot, lambda: texts(pilot)[1] == "abcd at step 200 by seed 7")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "abcd\n\nabcd at step" in desk_of(pilot).turns.transcript.plain_text())


@pytest.mark.parametrize(
    ("words", "title", "how", "text"),
    [
        pytest.param("200", "step 200 · play-01", "neutral · seed 7", "a at step 200 by seed 7", id="step", marks=LONG),
        pytest.param(
            "other", "step 200 · other-01", "neutral · seed 7", "a at step 200 by seed 7", id="run", marks=LONG
        ),
        pytest.param("greedy", "step 100 · play-01", "greedy · seed 7", "a at step 100 by seed 7", id="set"),
        pytest.param(
            "seed", "step 100 · play-01", "neutral · seed 8", "a at step 100 by seed 8", id="next", marks=LONG
        ),
        pytest.param("321", "step 100 · play-01", "neutral · seed 321", "a at step 100 by seed 321", id="seed"),
    ],
)
async def test_another_column_differs_in_one_thing(
    columns: Engine, run: Run, words: str, title: str, how: str, text: str
):
    keep_checkpoint(run, 200)
    make_run("other-01")
    run.path.touch()
    async with started() as pilot:
        desk_of(pilot).bridge.attach(run)
        await pilot.press("a")
        await compare(pilot)
        await choose(pilot, "a", words)
        await written(pilot, 3)
        assert (titles(pilot)[-1], texts(pilot)[-1]) == (f"3 · {title}", text)
        assert how in screen_text(pilot.app)
        assert texts(pilot)[0] == "a at step 100 by seed 7", "the others stay"


async def test_a_column_is_changed_and_only_that_one_writes_again(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await choose(pilot, "c", "99")
        await wait_until(pilot, lambda: texts(pilot) == ["a at step 100 by seed 99", "a at step 200 by seed 7"])
        assert len(columns.processes) == 3, "the same weights are not loaded again"
        assert len(asked(columns)) == 3


async def test_there_are_two_to_four_columns(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await pilot.press("x")
        assert len(texts(pilot)) == 2, "two are the fewest"
        for number in ("11", "12"):
            await choose(pilot, "a", number)
        await written(pilot, 4)
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(pilot.app.screen, CompareScreen), "four are the most"
        await pilot.press("2", "x")
        await wait_until(pilot, lambda: len(texts(pilot)) == 3)
        assert [text[-2:] for text in texts(pilot)] == [" 7", "11", "12"]
        assert [title[0] for title in titles(pilot)] == ["1", "2", "3"]
        closed = [process.closed for process in columns.processes]
        assert closed == [False, False, True, False, False], "what is taken away has no process any more"


async def test_new_seeds_for_all_are_the_same_again_where_they_were(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await choose(pilot, "a", "11")
        await written(pilot, 3)
        await pilot.press("s")
        await written(pilot, 3)
        seeds = [int(text.split()[-1]) for text in texts(pilot)]
        assert seeds[0] == seeds[1] != seeds[2]
        assert not {7, 11} & set(seeds)
        await pilot.press("space")
        await written(pilot, 3)
        assert [int(text.split()[-1]) for text in texts(pilot)] == seeds, "written again with the same"
        assert len(asked(columns)) == 9


async def test_the_box_lists_what_differs_and_finds_it_by_words(columns: Engine, run: Run):
    save_settings(Settings(sampling=SamplingSettings(seed=7), sampling_sets={"my [b]": SamplingSettings(top_k=3)}))
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, VariantBox))
        await pilot.pause()
        screen = screen_text(pilot.app)
        for words in ("last: the newest", "set greedy", "set my [b]", "seed 8"):
            assert words in screen
        assert "step 100" not in screen.split("another column")[1], "that is column 1"
        await pilot.press(*"wil")
        await pilot.pause()
        assert "set wild" in screen_text(pilot.app)
        assert "set greedy" not in screen_text(pilot.app)
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        assert len(texts(pilot)) == 2


# --- going on -----------------------------------------------------------------------------------


async def test_a_reply_that_is_taken_is_kept_as_any_other(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await pilot.press("2", "enter")
        await wait_until(pilot, lambda: pilot.app.screen is desk_of(pilot))
        await pilot.pause()
        way = desk_of(pilot).shown
        assert isinstance(way, TurnsWay)
        assert "a\n\na at step 200 by seed 7" in way.transcript.plain_text()
        assert way.prompt.text == "", "the draft is answered"
        assert "5 tokens · 500/s · step 200" in screen_text(pilot.app)
        way.save()
        (node,) = model_nodes(way.session.id or 0)
        origin = node.origin
        assert origin is not None
        assert (origin.model, origin.name, origin.step, origin.seed) == (str(run.path), "play-01", 200, 7)
        assert (origin.checkpoint, origin.settings.temperature) == ("d200", 1.0)
        assert len(way.session.text.records(node.id)) == len(node.text), "with its tokens"
        await pilot.press("b", "enter")
        await wait_until(pilot, lambda: "b at step 200" in way.transcript.plain_text())


async def test_what_an_older_checkpoint_wrote_says_so_and_the_app_answers_with_the_newest_again(
    columns: Engine, run: Run
):
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: pilot.app.screen is desk_of(pilot))
        (node,) = model_nodes(desk_of(pilot).shown.session.id or 0)
        assert node.origin is not None
        assert (node.origin.model, node.origin.step, node.origin.checkpoint) == (str(run.path), 100, "d100")
        assert desk_of(pilot).bridge.generator.path == str(run.path)
        loads = [request for request in columns.processes[0].requests if isinstance(request, Load)]
        assert len(loads) == 1, "the app's own process was left alone"


async def test_to_a_prompt_that_was_answered_it_is_another_reply(columns: Engine, run: Run):
    async with started() as pilot:
        way = desk_of(pilot).turns
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "a at step 200" in way.transcript.plain_text())
        await compare(pilot)
        assert texts(pilot)[0] == "a at step 100 by seed 7"
        await pilot.press("enter")
        await wait_until(pilot, lambda: "a at step 100" in way.transcript.plain_text())
        roots = [node for node in way.session.text.tree.roots if node.author == "person"]
        assert [node.text for node in roots] == ["a"]
        assert len(way.session.text.tree.children(roots[0].id)) == 2
        await wait_until(pilot, lambda: "sample 2 of 2" in screen_text(pilot.app))
        await pilot.press("alt+up")
        await wait_until(pilot, lambda: "a at step 200" in way.transcript.plain_text())


async def test_a_reply_that_streams_when_the_columns_open_ends_there_and_stays(columns: Engine, run: Run):
    columns.holds_replies = True
    async with started() as pilot:
        way = desk_of(pilot).turns
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "a at step 200" in way.transcript.plain_text())
        await compare(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: "a at step 100" in way.transcript.plain_text())
        kept = {node.text: node.reason for node in model_nodes(way.session.id or 0)}
        assert kept == {"a at step 200 by seed 7": "cancelled", "a at step 100 by seed 7": "cancelled"}


async def test_a_document_goes_on_at_the_cursor(columns: Engine, run: Run):
    async with started() as pilot:
        await next_way(pilot)
        way = desk_of(pilot).shown
        assert isinstance(way, DocumentWay)
        await wait_until(pilot, lambda: pilot.app.focused is way.pane)
        await pilot.press(*"abcd", "left", "left")
        await compare(pilot)
        assert "the text up to the cursor" in screen_text(pilot.app)
        assert texts(pilot) == ["ab at step 100 by seed 7", "ab at step 200 by seed 7"]
        await pilot.press("right", "enter")
        await wait_until(pilot, lambda: way.pane.text == "abab at step 200 by seed 7")
        await pilot.press("ctrl+u")
        await wait_until(pilot, lambda: way.pane.text == "abcd")
        await pilot.press("ctrl+e", "ctrl+end")
        await compare(pilot)
        of_the_run = asked(columns)[-1]
        assert (of_the_run.prompt, of_the_run.then) == ("ab", tuple(map(ord, "ab at step 200 by seed 7")))
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is desk_of(pilot))
        assert way.pane.text == "abab at step 200 by seed 7", "left without a choice, all stays as it was"


async def test_another_run_reads_the_text_and_not_the_tokens_of_this_one(columns: Engine, run: Run):
    make_run("other-01")
    async with started() as pilot:
        desk_of(pilot).bridge.attach(run)
        await next_way(pilot)
        way = desk_of(pilot).shown
        assert isinstance(way, DocumentWay)
        await pilot.press("a", "ctrl+n")
        await wait_until(pilot, lambda: "at step" in way.pane.text and not way.editor.writing)
        await compare(pilot)
        await choose(pilot, "c", "other")
        await written(pilot)
        elsewhere = asked(columns)[1]
        assert (elsewhere.prompt, elsewhere.then) == (way.pane.text, ())


async def test_in_a_chat_the_turns_before_belong_to_the_prompt(columns: Engine, run: Run):
    columns.chat = True
    async with started() as pilot:
        desk_of(pilot).show_way("chat")
        way = desk_of(pilot).shown
        assert isinstance(way, TurnsWay)
        await wait_until(pilot, lambda: way.prompt.has_focus)
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "at step 200" in way.transcript.plain_text())
        first = way.transcript.plain_text().split("\n\n")[-1]
        before = (Turn("user", "a"), Turn("assistant", first))
        await pilot.press("b")
        await compare(pilot)
        assert [request.messages for request in asked(columns)] == [(*before, Turn("user", "b"))] * 2
        await pilot.press("enter")
        await wait_until(pilot, lambda: "b at step 100" in way.transcript.plain_text())
        await pilot.press("alt+c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await written(pilot)
        assert asked(columns)[-1].messages == (*before, Turn("user", "b")), "the last prompt again"
        await pilot.press("2", "enter")
        await wait_until(pilot, lambda: "b at step 200" in way.transcript.plain_text())
        assert [node.author for node in way.session.text.path] == ["person", "model", "person", "model"]


async def test_between_speakers_the_prompt_is_framed_and_the_reply_is_a_speech(columns: Engine, tmp_path: Path):
    play = "".join(f"{name}:\n{text}\n\n" for name in ("ROMEO", "JULIET") for text in ("But soft!", "Ay me!", "Anon!"))
    run = make_run_on(tmp_path / "play.txt", play * 3)
    keep_checkpoint(run, 100)
    columns.words = "\n\nAnon at step {step}!"
    async with started() as pilot:
        from minigpt_tui.engine.speakers import speakers_of

        form = speakers_of(run, lambda _: None)
        assert form is not None
        way = desk_of(pilot).turns
        way.conversation.dialogue.choose(Roles("ROMEO", "JULIET", form.form, run.manifest().corpus.fingerprint))
        await pilot.press(*"Hi")
        await compare(pilot)
        for request in asked(columns):
            assert request.prompt.startswith("ROMEO:\nHi")
            assert request.prompt.rstrip().endswith("JULIET:")
            assert request.speech == form.form
        assert texts(pilot) == ["Anon at step 100!", "Anon at step 200!"], "the blanks belong to the frame"
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Anon at step 100!" in way.transcript.plain_text())
        await pilot.press("b")
        await compare(pilot)
        assert "ROMEO:\nHi" in asked(columns)[-1].prompt, "the dialogue goes on"
        assert "Anon at step 100!" in asked(columns)[-1].prompt


# --- stopping, closing and what goes wrong ------------------------------------------------------


async def test_escape_stops_then_closes_and_the_processes_end(columns: Engine, run: Run):
    columns.holds_replies = True
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: screen_text(pilot.app).count("stopped") == 2)
        assert all(any(isinstance(r, Cancel) for r in process.requests) for process in columns.processes[1:])
        assert isinstance(pilot.app.screen, CompareScreen)
        assert texts(pilot)[0] == "a at step 100 by seed 7", "what was written stays"
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is desk_of(pilot))
        assert [process.closed for process in columns.processes] == [False, True, True]
        assert desk_of(pilot).turns.prompt.text == "a", "nothing was sent"
        columns.holds_replies = False
        await pilot.press("enter")
        await wait_until(pilot, lambda: "a at step 200" in desk_of(pilot).turns.transcript.plain_text())


async def test_a_column_that_still_writes_is_stopped_and_gone_on_with(columns: Engine, run: Run):
    columns.holds_replies = True
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: pilot.app.screen is desk_of(pilot))
        (node,) = model_nodes(desk_of(pilot).shown.session.id or 0)
        assert (node.text, node.reason) == ("a at step 100 by seed 7", "cancelled")


async def test_a_checkpoint_that_vanished_is_a_sentence_in_its_column(columns: Engine, run: Run):
    columns.missing = {"step-000100"}
    async with started() as pilot:
        await pilot.press("a", "alt+c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await wait_until(pilot, lambda: texts(pilot) == ["", "a at step 200 by seed 7"])
        await wait_until(pilot, lambda: "is no model any more" in screen_text(pilot.app))
        await pilot.press("enter")
        assert "no reply in this column" in notices(pilot)[-1]
        await pilot.press("space")
        await wait_until(pilot, lambda: texts(pilot)[1] == "a at step 200 by seed 7")
        columns.missing = set()
        await pilot.press("space")
        await written(pilot)
        assert texts(pilot)[0] == "a at step 100 by seed 7", "it is looked for again"
        columns.missing = {"step-000100"}
        shutil.rmtree(run.checkpoints / "step-000100")
        await choose(pilot, "c", "last")
        await wait_until(pilot, lambda: texts(pilot)[0] == "a at step 200 by seed 7")


async def test_a_process_that_dies_is_a_sentence_in_its_column_and_the_others_go_on(columns: Engine, run: Run):
    columns.holds_replies = True
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        _, first, second = columns.processes
        assert isinstance(second, ColumnEngine)
        first.die(-9, "the generate process ended by SIGKILL")
        await wait_until(pilot, lambda: "ended by SIGKILL" in " ".join(screen_text(pilot.app).split()))
        second.end(second.asked[-1].id)
        await wait_until(pilot, lambda: "500/s" in screen_text(pilot.app))
        assert texts(pilot) == ["a at step 100 by seed 7", "a at step 200 by seed 7"]
        columns.holds_replies = False
        await wait_until(pilot, lambda: len(columns.processes) == 4)
        await pilot.press("space")
        await wait_until(pilot, lambda: screen_text(pilot.app).count("500/s") == 2)
        assert "SIGKILL" not in screen_text(pilot.app)
        assert len(columns.processes) == 4, "one other in its place"


async def test_a_process_that_cannot_be_started_is_a_sentence_too(
    columns: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
):
    async with started() as pilot:
        begin = columns.start

        async def refuse(self: ColumnEngine) -> None:
            raise OSError("no more processes")

        monkeypatch.setattr(columns, "start", refuse)
        await pilot.press("a", "alt+c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await wait_until(pilot, lambda: screen_text(pilot.app).count("cannot be started") == 2)
        monkeypatch.setattr(columns, "start", begin)
        await pilot.press("space")
        await written(pilot)
        assert "cannot be started" not in screen_text(pilot.app)


async def test_a_process_that_is_started_while_the_screen_closes_ends_as_well(
    columns: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
):
    async with started() as pilot:
        go, begin = asyncio.Event(), columns.start

        async def wait(self: ColumnEngine) -> None:
            await go.wait()
            await begin(self)

        monkeypatch.setattr(columns, "start", wait)
        await pilot.press("alt+c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is desk_of(pilot))
        go.set()
        await wait_until(pilot, lambda: [process.closed for process in columns.processes] == [False, True, True])


async def test_leaving_the_app_ends_the_processes(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
    assert all(process.closed for process in columns.processes)


# --- what differs, sizes, and foreign text ------------------------------------------------------


def marked(pilot: Pilot[Any], number: int) -> str:
    """What of the first row of a column stands on another ground than the rest."""
    strip = screen_of(pilot).query(ComparedColumn)[number].text.render_line(0)
    grounds = [segment.style.bgcolor if segment.style else None for segment in strip]
    return "".join(segment.text for segment, ground in zip(strip, grounds, strict=True) if ground != grounds[-1])


async def test_what_differs_from_the_column_in_focus_is_marked(columns: Engine, run: Run):
    async with started() as pilot:
        await pilot.press("a")
        await compare(pilot)
        assert [marked(pilot, number) for number in (0, 1)] == ["", ""]
        await pilot.press("d")
        await pilot.pause()
        assert [marked(pilot, number) for number in (0, 1)] == ["", "200"]
        assert "marked: what differs from column 1" in screen_text(pilot.app)
        await pilot.press("right")
        await pilot.pause()
        assert [marked(pilot, number) for number in (0, 1)] == ["100", ""]
        await choose(pilot, "a", "11")
        await written(pilot, 3)
        assert [marked(pilot, number) for number in (0, 1, 2)] == ["1007", "7", ""]
        await pilot.press("d")
        await pilot.pause()
        assert [marked(pilot, number) for number in (0, 1, 2)] == ["", "", ""]


@pytest.mark.parametrize(("size", "fits"), SIZES)
async def test_as_many_columns_stand_side_by_side_as_fit_and_the_others_are_a_key_away(
    columns: Engine, run: Run, size: tuple[int, int], fits: int
):
    async with started(size) as pilot:
        await pilot.press("a")
        await compare(pilot)
        for number in ("11", "12"):
            await choose(pilot, "a", number)
        await written(pilot, 4)
        shown = [column for column in screen_of(pilot).query(ComparedColumn) if column.display]
        assert len(shown) == fits
        assert len({column.region.width for column in shown}) <= 2
        assert max(column.region.width for column in shown) - min(column.region.width for column in shown) <= 1
        assert "by seed 12" in " ".join(screen_text(pilot.app).split()), "the one that was added is in view"
        await pilot.press("1")
        await wait_until(pilot, lambda: "1 · step 100" in screen_text(pilot.app))
        for number in (2, 3, 4):
            await pilot.press("right")
            await wait_until(pilot, lambda number=number: f"{number} · step" in screen_text(pilot.app))
        await pilot.press("left", "left", "left", "left")
        await wait_until(pilot, lambda: "1 · step 100" in screen_text(pilot.app))
        if fits < 4:
            assert f"columns 1 to {fits} of 4" in screen_text(pilot.app)


async def test_the_window_may_change_its_size(columns: Engine, run: Run):
    async with started((120, 40)) as pilot:
        await pilot.press("a")
        await compare(pilot)
        for size in ((60, 20), (200, 60), (61, 21)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "at step 200" in " ".join(screen_text(pilot.app).split())


@pytest.mark.parametrize("size", [pytest.param((60, 20), id="60x20"), pytest.param((120, 40), id="120x40", marks=LONG)])
async def test_what_models_and_folders_say_is_shown_and_never_obeyed(columns: Engine, run: Run, size: tuple[int, int]):
    columns.words = f"[red]y[/red]{EVIL}你好 é\u0301 👩\u200d💻"
    shutil.copytree(run.path, run.path.parent / f"run{EVIL}")
    async with started(size) as pilot:
        app = pilot.app
        assert isinstance(app, MinigptApp)
        desk_of(pilot).bridge.attach(run)
        columns.missing = {f"run{EVIL}"}
        await pilot.press("a", "alt+c")
        await wait_until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await wait_until(pilot, lambda: "[red]y[/red]" in shown(app))
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(app.screen, VariantBox))
        await pilot.pause()
        shown(app)
        await pilot.press(*"run", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await wait_until(pilot, lambda: "more;" in shown(app))
        await pilot.press("1", "d")
        await pilot.pause()
        shown(app)


async def test_it_is_in_the_palette_and_in_the_help(columns: Engine, run: Run):
    async with started() as pilot:
        app = pilot.app
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert any(name.startswith("Side by side") for name in names)
        await pilot.press("a")
        await compare(pilot)
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert any(name.startswith("Differences") for name in names)
