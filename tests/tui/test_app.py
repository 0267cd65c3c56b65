"""The app by its keys, with real run folders and a scripted engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.events import COMMANDS, Note, Preparing, StateChanged
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.requests import Generate, SamplingSettings, ScoreText
from minigpt_tui.engine.runs import Run, list_runs
from minigpt_tui.tui.app import MinigptApp, run_app
from minigpt_tui.tui.keymap import ACTIONS
from minigpt_tui.tui.screens.help import HelpScreen
from minigpt_tui.tui.screens.inside import InsideDesk
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.questions import Question
from minigpt_tui.tui.screens.too_small import TooSmallScreen
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import load_settings
from minigpt_tui.tui.widgets.sampling_panel import SamplingInput
from textual.events import Key
from textual.pilot import Pilot

from .next_way import next_way
from .runs_on_disk import append, make_run, progress, save_checkpoint, saved, set_status
from .scripted_engine import EXPLAINED, ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until

Engine = type[ScriptedEngine]
WIDE, NARROW = (120, 40), (80, 24)


def app_of(pilot: Pilot[Any]) -> MinigptApp:
    assert isinstance(pilot.app, MinigptApp)
    return pilot.app


def chat_of(pilot: Pilot[Any]) -> TurnsWay:
    screen = app_of(pilot).get_screen_stack("write")[0]
    assert isinstance(screen, WriteDesk)
    return screen.turns


def said(pilot: Pilot[Any]) -> str:
    return chat_of(pilot).transcript.plain_text()


def shown(pilot: Pilot[Any]) -> str:
    return screen_text(pilot.app)


async def model_ready(pilot: Pilot[Any]) -> None:
    await wait_until(pilot, lambda: app_of(pilot).bridge.generator.loaded is not None)


async def type_text(pilot: Pilot[Any], text: str) -> None:
    await pilot.press(*("space" if character == " " else character for character in text))


# --- the first start ------------------------------------------------------------------------------


async def test_the_first_start_says_what_this_is_and_offers_to_train(engine: Engine):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await pilot.pause()
        text = shown(pilot)
        assert "trains a small GPT" in text
        assert "Press Enter" in text
        assert "tales" in text
        assert "no run yet" in text
        assert isinstance(pilot.app.focused, type(chat_of(pilot).prompt))


async def test_enter_trains_on_the_built_in_text_and_the_model_speaks_as_soon_as_it_can(engine: Engine):
    async with MinigptApp(poll_interval=0.01).run_test(size=WIDE) as pilot:
        await pilot.press("enter")
        await wait_until(pilot, lambda: app_of(pilot).bridge.run is not None)
        run = app_of(pilot).bridge.run
        assert run is not None
        assert (run.manifest().corpus.spec, run.manifest().preset) == ("tales", "quick")
        await wait_until(pilot, lambda: "trains a small GPT" not in shown(pilot))
        save_checkpoint(run)
        append(run, progress(10), saved(10))
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        assert engine.processes[0].prompts() == [""]
        assert "step 10" in shown(pilot)


async def test_enter_twice_asks_once_for_a_text_from_nothing(engine: Engine):
    async with MinigptApp(poll_interval=0.01).run_test(size=WIDE) as pilot:
        await pilot.press("enter", "enter")
        await wait_until(pilot, lambda: app_of(pilot).bridge.run is not None)
        run = app_of(pilot).bridge.run
        assert run is not None
        save_checkpoint(run)
        append(run, progress(10), saved(10))
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        await pilot.pause(0.05)
        assert engine.processes[0].prompts() == [""]
        assert len(list_runs()) == 1


async def test_a_path_in_the_prompt_is_trained_on_instead(engine: Engine, tmp_path: Path):
    text = tmp_path / "my novel.txt"
    text.write_text("It was a dark and stormy night. " * 300)
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await type_text(pilot, f'"{text}"')
        await pilot.press("enter")
        await wait_until(pilot, lambda: app_of(pilot).bridge.run is not None)
        assert [run.manifest().corpus.spec for run in list_runs()] == [str(text)]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "neither a file"), (b"", "empty"), (b"\x00\x01\x02" * 500, "not text"), (b"too short", "context")],
)
async def test_why_no_training_was_started_stays_to_be_read_and_the_offer_stays_as_well(
    engine: Engine, tmp_path: Path, content: bytes | None, words: str
):
    path = tmp_path / "novel.txt"
    if content is not None:
        path.write_bytes(content)
    async with MinigptApp(str(path)).run_test(size=NARROW) as pilot:
        await pilot.press("enter")
        await wait_until(pilot, lambda: "No training was started: " in said(pilot))
        assert words in said(pilot)
        assert notices(pilot) == [], "no notice that is gone before it is read"
        assert chat_of(pilot).conversation.offer is not None
        assert "Enter trains a model on novel.txt" in shown(pilot)
        assert list_runs() == []


@pytest.mark.parametrize("answer", ["escape", "l"])
async def test_markup_is_learned_after_a_question_alone(engine: Engine, tmp_path: Path, answer: str):
    path = tmp_path / "chat.jsonl"
    path.write_text('{"text": "the [b] cat sat on the mat"}\n' * 60)
    async with MinigptApp(str(path)).run_test(size=NARROW) as pilot:
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
        assert "chat.jsonl is JSON, one value a line" in " ".join(shown(pilot).replace("│", " ").split())
        await pilot.press(answer)
        if answer == "l":
            await wait_until(pilot, lambda: bool(list_runs()))
            assert list_runs()[0].manifest().corpus.reading.as_text
            return
        await wait_until(pilot, lambda: "No training was started: chat.jsonl is JSON" in said(pilot))
        assert list_runs() == []
        assert chat_of(pilot).conversation.offer is not None


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("paper.pdf", b"%PDF-1.4\n1 0 obj\n", "pdftotext paper.pdf paper.txt"),
        ("letter.docx", b"PK\x03\x04" + b"\0" * 26 + b"word/document.xml", "pandoc -t plain --wrap=none"),
    ],
)
async def test_a_document_is_refused_with_the_command_that_makes_a_text_of_it(
    engine: Engine, tmp_path: Path, name: str, content: bytes, command: str
):
    (tmp_path / name).write_bytes(content * 40)
    async with MinigptApp(str(tmp_path / name)).run_test(size=NARROW) as pilot:
        await pilot.press("enter")
        await wait_until(pilot, lambda: "No training was started: " in said(pilot))
        assert command in said(pilot)
        assert not isinstance(pilot.app.screen, Question)
        assert list_runs() == []


@pytest.mark.long
async def test_how_a_text_was_read_stays_to_be_read(engine: Engine):
    async with MinigptApp(poll_interval=0.01).run_test(size=NARROW) as pilot:
        await pilot.press("enter")
        await wait_until(pilot, lambda: app_of(pilot).bridge.run is not None)
        run = app_of(pilot).bridge.run
        assert run is not None
        sentence = (
            "poems.txt is not UTF-8; read as KOI8-R (koi8_r), 99% sure (“Купец ищет …”); --encoding NAME, or that"
        )
        append(run, Note(0, sentence, "warning"))
        await wait_until(pilot, lambda: sentence in said(pilot))
        assert notices(pilot) == []


async def test_a_training_that_fails_before_its_first_step_leaves_no_run(engine: Engine):
    async with MinigptApp(poll_interval=0.01).run_test(size=WIDE) as pilot:
        await pilot.press("enter")
        await wait_until(pilot, lambda: app_of(pilot).bridge.run is not None)
        run = app_of(pilot).bridge.run
        assert run is not None
        set_status(run, "failed", 0)
        append(run, StateChanged("failed", 0, 0.0, "the text of 'tales' has changed"))
        await wait_until(pilot, lambda: chat_of(pilot).conversation.offer is not None)
        assert "failed at step 0: the text of 'tales' has changed" in said(pilot)
        assert f"the folder of {run.name} is in the trash" in said(pilot)
        assert list_runs() == []
        assert "Enter trains" in shown(pilot)


async def test_what_is_no_path_is_given_back(engine: Engine):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await type_text(pilot, "hello you")
        await pilot.press("enter")
        await pilot.pause()
        assert chat_of(pilot).prompt.text == "hello you"
        assert list_runs() == []


async def test_a_text_on_the_command_line_is_offered_before_older_runs_which_escape_brings_back(
    engine: Engine, tmp_path: Path
):
    make_run("old-01")
    path = tmp_path / "novel.txt"
    path.write_text("text " * 1000)
    async with MinigptApp(str(path)).run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert "learns from novel.txt" in shown(pilot)
        await pilot.press("escape")
        await model_ready(pilot)
        assert app_of(pilot).bridge.run == Run(list_runs()[0].path)


# --- talking --------------------------------------------------------------------------------------


async def test_a_reply_shows_its_text_as_it_is_and_a_status_line(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await type_text(pilot, "to be")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        await pilot.pause(0.1)
        assert "[b]to be[/b] and so on" in shown(pilot)
        assert "5 tokens · 500/s · step 200 · the context was full" in shown(pilot)


async def test_prompts_sent_too_early_wait_for_the_model(engine: Engine):
    run = make_run("a-01", "running", steps=50, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with MinigptApp(poll_interval=0.01).run_test(size=WIDE) as pilot:
            await type_text(pilot, "one")
            await pilot.press("enter")
            await type_text(pilot, "two")
            await pilot.press("enter")
            await pilot.pause()
            assert "2 waiting" in shown(pilot)
            save_checkpoint(run)
            append(run, saved(50))
            await wait_until(pilot, lambda: "[b]two[/b]" in said(pilot))
            assert engine.processes[0].prompts() == ["one", "two"]


async def test_escape_stops_the_reply_keeps_its_text_and_gives_back_what_waits(engine: Engine):
    engine.holds_replies = True
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await type_text(pilot, "one")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        await pilot.press("enter")  # an empty prompt waits too, and there is nothing of it to give back
        await type_text(pilot, "two")
        await pilot.press("enter", "escape")
        await pilot.pause(0.1)
        assert "[b]one[/b] and so on" in said(pilot)
        assert "TOO LATE" not in said(pilot)
        assert "stopped" in shown(pilot)
        assert chat_of(pilot).prompt.text == "two"
        assert engine.processes[0].prompts() == ["one"]


async def test_a_prompt_whose_process_died_comes_back(engine: Engine):
    engine.holds_replies = True
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await type_text(pilot, "to be")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        engine.processes[0].die(1, "the generate process ended with code 1")
        await wait_until(pilot, lambda: len(engine.processes) == 2)
        await pilot.pause()
        assert chat_of(pilot).prompt.text == "to be"


async def test_copying_gives_the_reply_as_it_was_generated(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        prompt = "word " * 40
        chat_of(pilot).prompt.restore(prompt)
        await pilot.press("enter")
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        await pilot.press("ctrl+y")
        assert pilot.app.clipboard == f"[b]{prompt}[/b] and so on"


async def test_sampling_settings_are_used_and_remembered(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await pilot.press("f3")
        assert isinstance(pilot.app.focused, SamplingInput)
        await pilot.press("up", "f4", "enter")
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        request = engine.processes[0].requests[-1]
        assert request.settings == SamplingSettings(temperature=0.85)  # type: ignore[union-attr]
    assert load_settings()[0].sampling == SamplingSettings(temperature=0.85)


async def test_f7_colours_the_replies_and_then_explains_the_last_and_from_then_on_each_as_it_is_written(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=NARROW) as pilot:
        await model_ready(pilot)
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        await pilot.press("f7", "f7")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, InsideDesk))
        scored = [request.text for request in engine.processes[0].requests if isinstance(request, ScoreText)]
        assert scored[0] == "a[b]a[/b] and so on", "the prompt and the reply, read again"
        assert load_settings()[0].explain
        await pilot.press("escape", "b", "enter")
        await wait_until(pilot, lambda: "[b]b" in said(pilot))
        await wait_until(pilot, lambda: chat_of(pilot).conversation.explained == [[EXPLAINED] * 5])
        await pilot.press("f7")
        await wait_until(pilot, lambda: "token 1 of 5" in shown(pilot))
        for text in ("[b]↵", "p 0.0625 → drawn 0.2500", "rank 7", "entropy 1.50", "' é'", "▸ '[b]\\n'", "the rest"):
            assert text in shown(pilot)
        await pilot.press("down")
        await wait_until(pilot, lambda: "token 2 of 5" in shown(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        await pilot.press("f7", "x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        assert not load_settings()[0].explain
        assert not chat_of(pilot).transcript.coloured
        await pilot.press("c", "enter")
        await wait_until(pilot, lambda: "[b]c" in said(pilot))
        explained = [request.explain for request in engine.processes[0].requests if isinstance(request, Generate)]
        assert explained == [False, True, False]


async def test_ctrl_k_has_another_reply_written_and_alt_with_an_arrow_shows_the_others(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await pilot.press("ctrl+k")
        assert "no reply yet" in notices(pilot)[-1]
        await type_text(pilot, "to be")
        await pilot.press("home", "ctrl+k")
        assert chat_of(pilot).prompt.text == "", "in a text it deletes up to its end"
        await type_text(pilot, "to be")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "and so on" in said(pilot))
        await pilot.press("alt+down")
        assert "no other reply" in notices(pilot)[-1]
        await pilot.press("ctrl+k")
        await wait_until(pilot, lambda: "sample 2 of 2" in shown(pilot))
        assert engine.processes[0].prompts() == ["to be", "to be"]
        assert said(pilot).count("and so on") == 1, "one of them is shown"
        await pilot.press("alt+up")
        await wait_until(pilot, lambda: "sample 1 of 2" in shown(pilot))
        await pilot.press("alt+up")
        await wait_until(pilot, lambda: "sample 2 of 2" in shown(pilot))
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "sample 2 of 2" in shown(pilot))
        assert said(pilot).count("and so on") == 1, "one of them is shown, also after another start"
        await model_ready(pilot)
        await pilot.press("alt+up")
        await wait_until(pilot, lambda: "sample 1 of 2" in shown(pilot))


async def test_ctrl_w_turns_to_the_next_way_and_alt_with_backspace_deletes_a_word(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await type_text(pilot, "one two")
        prompt = chat_of(pilot).prompt
        prompt.post_message(Key("ctrl+w", None))  # so Textual reads it from a terminal that does not tell keys apart
        await wait_until(pilot, lambda: prompt.text == "one ")
        await next_way(pilot)
        await wait_until(pilot, lambda: "─ document ─" in shown(pilot))
        await next_way(pilot)
        await wait_until(pilot, lambda: "─ turns ─" in shown(pilot))
        assert prompt.text == "one "


async def test_an_earlier_prompt_is_edited_and_sent_as_another(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        for word in ("one", "two"):
            await type_text(pilot, word)
            await pilot.press("enter")
            await wait_until(pilot, lambda word=word: f"[b]{word}[/b] and so on" in said(pilot))
        await pilot.press("alt+e")
        assert chat_of(pilot).prompt.text == "two"
        await pilot.press("alt+e")
        assert chat_of(pilot).prompt.text == "one"
        await pilot.press("s", "enter")
        await wait_until(pilot, lambda: "[b]ones[/b] and so on" in said(pilot))
        assert "[b]one[/b] and so on" in said(pilot), "the first stays"


@pytest.mark.long
async def test_text_typed_at_once_after_tab_goes_to_the_next_widget(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await pilot.press("tab", "x")
        assert "x" not in chat_of(pilot).prompt.text


# --- watching -------------------------------------------------------------------------------------


async def test_the_end_of_a_training_is_told_in_the_transcript(engine: Engine):
    run = make_run("a-01", "running", steps=50, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with MinigptApp(poll_interval=0.01).run_test(size=WIDE) as pilot:
            append(run, progress(60), StateChanged("failed", 60, 0.0, "the loss became [NaN]"))
            await wait_until(pilot, lambda: "the loss became [NaN]" in said(pilot))
            assert "a-01 failed at step 60" in said(pilot)


async def test_what_is_prepared_is_shown_until_the_training_has_started(engine: Engine):
    run = make_run("a-01", "starting", steps=0, checkpoint=False)
    run.metrics_path.write_text("")
    append(run, StateChanged("starting", 0, 0.0))
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with MinigptApp(poll_interval=0.01).run_test(size=WIDE) as pilot:
            append(run, Preparing("encoding", 0.42))
            await wait_until(pilot, lambda: shown(pilot).count("encoding the text") == 4)
            # in the header, below the transcript, in the prompt, in the training panel
            assert shown(pilot).count("encoding the text 42%") == 3
            append(run, progress(10))
            await wait_until(pilot, lambda: "encoding" not in shown(pilot))


async def test_pause_and_resume_are_commands_to_the_run(engine: Engine):
    run = make_run("a-01", "running", steps=50, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with MinigptApp(poll_interval=0.01).run_test(size=WIDE) as pilot:
            await pilot.press("f5")
            append(run, StateChanged("paused", 50, 0.0))
            await wait_until(pilot, lambda: app_of(pilot).bridge.state == "paused")
            await pilot.press("f5", "ctrl+s", "f8")
            await pilot.pause()
    names = [COMMANDS.decode(line).name for line in run.commands_path.read_text().splitlines()]
    assert names == ["pause", "resume", "save", "stop"]


async def test_commands_without_a_training_are_refused_in_a_sentence(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: bool(notices(pilot)))
        assert notices(pilot) == ["'a-01' is not training: it is finished"]


# --- windows --------------------------------------------------------------------------------------


async def test_panels_stand_beside_the_transcript_or_take_turns_in_a_drawer(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        chat = chat_of(pilot)
        await pilot.pause()
        seen = lambda: [panel.id for panel in chat.panels.children if panel.display] if chat.panels.display else []  # noqa: E731
        assert seen() == ["sampling", "training", "model"]
        await pilot.press("f2")
        assert seen() == []
        await pilot.press("f2")
        await pilot.resize_terminal(*NARROW)
        await pilot.pause()
        turns = []
        for _ in range(4):
            await pilot.press("f2")
            turns.append(seen())
        assert turns == [["training"], ["sampling"], ["model"], []]
        await pilot.press("f3")
        assert seen() == ["sampling"]
        await pilot.press("escape")
        assert seen() == []
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert seen() == ["sampling", "training", "model"]


@pytest.mark.parametrize("size", [(59, 40), (120, 19)])
async def test_below_the_smallest_size_a_sentence_names_both_sizes(engine: Engine, size: tuple[int, int]):
    async with MinigptApp().run_test(size=size) as pilot:
        await pilot.pause()
        assert isinstance(pilot.app.screen, TooSmallScreen)
        assert "at least 60 x 20" in shown(pilot)
        assert f"{size[0]} x {size[1]}" in shown(pilot)
        await pilot.press("ctrl+t", "f1")
        assert isinstance(pilot.app.screen, TooSmallScreen)
        await pilot.resize_terminal(60, 20)
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))


@pytest.mark.long
async def test_the_theme_changes_sides_and_is_remembered(engine: Engine):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        assert pilot.app.theme == "minigpt-dark"
        await pilot.press("f9")
        assert pilot.app.theme == "minigpt-light"
    assert load_settings()[0].theme == "minigpt-light"
    async with MinigptApp().run_test(size=WIDE) as pilot:
        assert pilot.app.theme == "minigpt-light"


async def test_help_and_palette_know_every_action(engine: Engine):
    async with MinigptApp().run_test(size=(120, 240)) as pilot:
        await pilot.press("f1")
        assert isinstance(pilot.app.screen, HelpScreen)
        await pilot.pause()
        text = shown(pilot)
        assert [action.help for action in ACTIONS if action.help.split(". ")[0][:40] not in text] == []
        await pilot.press("escape")
        offered = [command.title for command in app_of(pilot).get_system_commands(pilot.app.screen)]
        wanted = [action for action in ACTIONS if action.scope in ("app", "desk", "write", "turns") and action.palette]
        assert [c.title for c in wanted if not any(title.startswith(c.title) for title in offered)] == []


@pytest.mark.long
async def test_the_palette_runs_an_action(engine: Engine):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+p")
        await type_text(pilot, "train desk")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.press("escape", "ctrl+t")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))


def test_ids_and_keys_are_unique_where_they_apply():
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for scope in ("turns", "document", "train", "inside", "new-run"):
        scopes = {scope, "app"} if scope == "new-run" else {scope, "desk", "app"}
        scopes |= {"write"} if scope in ("turns", "document") else set()
        keys = [key for action in ACTIONS if action.scope in scopes for key in action.key.split(",")]
        assert len(set(keys)) == len(keys)


def test_without_a_terminal_there_is_a_sentence_and_exit_code_2(home: Path, monkeypatch, capsys):
    monkeypatch.setattr("sys.__stdin__", None)
    assert run_app() == 2
    assert "needs a terminal" in capsys.readouterr().err


async def test_a_folder_that_cannot_be_written_is_a_notice_and_nothing_breaks(engine: Engine, home: Path):
    make_run("a-01")
    (home / "config").write_text("a file where the folder should be")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await model_ready(pilot)
        await pilot.press("f9")
        await wait_until(pilot, lambda: any("cannot be saved" in sentence for sentence in notices(pilot)))
