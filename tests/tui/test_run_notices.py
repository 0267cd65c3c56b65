"""How a person is told of a run: what is written to the terminal, and what commands are run with which facts."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui import run_notices
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.run_notices import RunNotices, facts, sentence, system_command, terminal_sequence
from minigpt_tui.tui.run_watch import RunNews
from minigpt_tui.tui.settings import Settings, load_settings, save_settings, settings_path
from minigpt_tui.tui.window_title import WindowTitle

from .runs_on_disk import make_run, set_status
from .scripted_engine import ScriptedEngine
from .seen import notices
from .waiting import wait_until

HOSTILE = "no\x1b]52;c;aGk=\x07 room\x9b\n; rm [b]\u202e"
NONE = Settings(notice_bell=False, notice_title=False, notice_terminal=False, notice_system=False)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal without tmux on a machine without a desktop."""
    for name in ("TMUX", "VTE_VERSION", "SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "platform", "linux")


def news(what: str = "failed", reason: str = HOSTILE) -> RunNews:
    return RunNews(what, Run(Path("/runs/a-01")), "a-01", "failed", 1200, 1.5, reason)  # pyright: ignore[reportArgumentType]


class Told:
    """A RunNotices whose terminal is a list."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.warned: list[str] = []
        title = WindowTitle(self.written.append)
        self.notices = RunNotices(
            self.written.append, lambda: self.written.append("\x07"), title, self.warned.append
        )  # fmt: skip


async def test_the_terminal_is_told_in_each_way_that_is_chosen_and_obeys_no_foreign_text():
    all_of_it = Told()
    await all_of_it.notices.tell(news(), Settings())
    bell, title, sequence = all_of_it.written
    assert bell == "\x07"
    assert re.fullmatch(r"\x1b\[22;2t\x1b\]2;minigpt: a-01 failed at step 1,200: no[^\x00-\x1f\x7f-\x9f]*\x1b\\", title)
    assert re.fullmatch(r"\x1b\]9;a-01 failed at step 1,200: no[^\x00-\x1f\x7f-\x9f;]*\x1b\\", sequence)
    none_of_it = Told()
    await none_of_it.notices.tell(news(), NONE)
    assert none_of_it.written == none_of_it.warned == []


@pytest.mark.parametrize(
    ("environment", "start"),
    [
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;minigpt;text"),
        ({"VTE_VERSION": "7600"}, "\x1b]777;notify;minigpt;text"),
        ({"TMUX": "/tmp/x", "TERM": "screen"}, "\x1bPtmux;\x1b\x1b]9;text\x1b\x1b\\"),
        ({"TERM": "linux"}, ""),
        ({"TERM": "dumb"}, ""),
    ],
    ids=["urxvt", "vte", "tmux", "console", "dumb"],
)
def test_a_terminal_gets_the_sequence_that_it_knows(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], start: str
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    sequence = terminal_sequence("minigpt", "text")
    assert sequence.startswith(start)
    assert bool(sequence) == bool(start)


def test_the_desktop_is_told_where_there_is_one_and_what_it_shows_is_no_markup(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert system_command("minigpt", "text") is None
    (tmp_path / "notify-send").write_text("#!/bin/sh\n")
    (tmp_path / "notify-send").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system_command("minigpt", "text") is None, "no desktop"
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert system_command("minigpt", "-u <b>")[-3:] == ["--", "minigpt", "-u &lt;b&gt;"]  # pyright: ignore[reportOptionalSubscript]
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    assert system_command("minigpt", "text") is None, "the person sits elsewhere"


async def test_the_persons_command_runs_without_a_shell_and_has_the_facts_in_its_environment(tmp_path: Path):
    script, out = tmp_path / "tell me.py", tmp_path / "out"
    script.write_text("import json, os, sys\njson.dump((sys.argv[2:], dict(os.environ)), open(sys.argv[1], 'w'))\n")
    told = Told()
    command = f"'{sys.executable}' '{script}' '{out}' '$HOME; exit' two"
    await told.notices.tell(news(), Settings(**{**NONE.__dict__, "notify": command}))
    assert told.warned == []
    arguments, environment = json.loads(out.read_text())
    assert arguments == ["$HOME; exit", "two"]
    assert {name: environment[name] for name in facts(news())} == facts(news())
    assert environment["MINIGPT_RUN"] == "a-01"
    assert environment["MINIGPT_FOLDER"] == "/runs/a-01"
    assert (environment["MINIGPT_EVENT"], environment["MINIGPT_STATE"]) == ("failed", "failed")
    assert (environment["MINIGPT_STEP"], environment["MINIGPT_LOSS"]) == ("1200", "1.5000")
    assert environment["MINIGPT_REASON"].isprintable()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/nowhere/tell", "cannot be run"),
        ("false", "ended with code 1"),
        ("sleep 600", "did not end within 0 s and was ended"),
        ("   ", ""),
        ("'nul\0'", "cannot be run"),
    ],
    ids=["missing", "failing", "hanging", "blank", "nul"],
)
async def test_a_command_that_fails_or_hangs_is_a_sentence(monkeypatch: pytest.MonkeyPatch, command: str, said: str):
    monkeypatch.setattr(run_notices, "COMMAND_SECONDS", 0.2)
    told = Told()
    await told.notices.tell(news(), Settings(**{**NONE.__dict__, "notify": command}))
    assert told.warned == ([] if not said else told.warned)
    assert said in "".join(told.warned)


def test_what_is_no_command_is_named_with_its_line_and_ignored(home: Path):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('notify = "mail -s \'done"\n')
    settings, problems = load_settings()
    assert settings.notify == ""
    assert "settings.toml:1" in problems[0]
    assert "no closing quotation" in problems[0]


@pytest.mark.parametrize("what", ["finished", "stopped", "failed", "crashed", "diverged", "stalled"])
def test_a_sentence_is_one_printable_line(what: str):
    words = sentence(news(what, HOSTILE * 9))
    assert words.startswith("a-01 ")
    assert words.isprintable()
    assert len(words) <= 200


async def test_the_end_of_a_run_that_is_not_on_the_screen_is_told_while_the_app_is_open(
    engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    written: list[str] = []
    monkeypatch.setattr(MinigptApp, "_write_to_terminal", lambda _, text: written.append(text))
    script = tmp_path / "tell.sh"
    script.write_text(f'echo "$MINIGPT_RUN $MINIGPT_EVENT" > {tmp_path}/out\n')
    save_settings(Settings(notify=f"sh {script}"))
    run = make_run("a-01", "running", steps=50)
    make_run("b-02")
    with acquire(run.lock_path) or pytest.fail("locked"):
        app = MinigptApp()
        async with app.run_test(size=(80, 24)) as pilot:
            app.bridge.attach(Run(run.path.parent / "b-02"))
            app.look_at_runs()
            set_status(run, "finished", 400)
            app.look_at_runs()
            await wait_until(pilot, lambda: (tmp_path / "out").exists() and bool((tmp_path / "out").read_text()))
            await pilot.pause()
            assert notices(pilot) == ["a-01 is trained, 400 steps, best validation loss 1.90"]
    assert (tmp_path / "out").read_text() == "a-01 finished\n"
    assert "\x1b]2;minigpt: a-01 is trained" in "".join(written)
    assert "\x1b]9;a-01 is trained" in "".join(written)
    assert os.environ.get("MINIGPT_RUN") is None
