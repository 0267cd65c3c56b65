"""Speaking with the speakers of a text, by the keys, with a real text and a scripted engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.storage.printable import visible
from minigpt_tui.engine.requests import Generate, ScoreText
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.found_models import look_up
from minigpt_tui.tui.screens.frame import FrameBox
from minigpt_tui.tui.screens.speakers import SpeakersBox
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from textual.pilot import Pilot

from .runs_on_disk import make_run_on, write_model
from .scripted_engine import LetterEngine, ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until

PLAY = "".join(
    f"{name}:\n{text}\n\n"
    for name, text in (
        ("ROMEO", "But soft!"), ("JULIET", "Ay me!"), ("ROMEO", "She speaks."), ("First Citizen", "Speak, speak."),
        ("JULIET", "Anon!"), ("First Citizen", "Hear me."), ("ROMEO", "So be it."), ("PETER", "Anon!"),
        ("PETER", "I come."),
    )
)  # fmt: skip
BO = "B\u202eo"  # which would turn the text around behind it
CHAT = "<B\u202eo> ok\n<Kim[b]> see you\n<B\u202eo> yes\n<B\u202eo> bye\n<Kim[b]> no\n"
NOVEL = "It was a dark and stormy night, and nobody said a word.\n" * 40


@pytest.fixture
def letters(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> type[LetterEngine]:
    """Answers with a blank before them, as behind the colon of a name."""

    class Letters(LetterEngine):
        processes = []
        words = [" Ay me!", " Anon!", " I come."]

    monkeypatch.setattr(generator, "GenerateProcess", Letters)
    return Letters


def way_of(pilot: Pilot[Any]) -> TurnsWay:
    desk = pilot.app.get_screen_stack("write")[0]
    assert isinstance(desk, WriteDesk)
    return desk.turns


def box_of(pilot: Pilot[Any]) -> SpeakersBox:
    assert isinstance(pilot.app.screen, SpeakersBox)
    return pilot.app.screen


def said(pilot: Pilot[Any]) -> str:
    return way_of(pilot).transcript.plain_text()


def asked(engine: type[LetterEngine]) -> list[Generate]:
    """What the model was to continue."""
    return [request for request in engine.processes[-1].requests if isinstance(request, Generate)]


async def ready(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, MinigptApp)
    await wait_until(pilot, lambda: app.bridge.generator.ready)


async def open_box(pilot: Pilot[Any]) -> None:
    await ready(pilot)
    await pilot.press("alt+w")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, SpeakersBox))
    await wait_until(pilot, lambda: "looking for" not in screen_text(pilot.app))
    await pilot.pause()


async def say(pilot: Pilot[Any], text: str) -> None:
    way_of(pilot).prompt.restore(text)
    await pilot.press("enter")
    await ready(pilot)
    await pilot.pause()


async def speak(pilot: Pilot[Any], you: str, answering: str) -> None:
    await open_box(pilot)
    await pilot.press(*you, "tab", *answering, "enter")
    await wait_until(pilot, lambda: not isinstance(pilot.app.screen, SpeakersBox))


async def test_a_person_speaks_with_a_speaker_of_the_text(letters: type[LetterEngine], tmp_path: Path):
    make_run_on(tmp_path / "play.txt", PLAY)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await say(pilot, "Before")
        await open_box(pilot)
        rows = screen_text(pilot.app)
        assert all(row in rows for row in ("3  ROMEO", "2  First Citizen", "2  JULIET", "2  PETER", "4 speakers"))
        await pilot.press(*"ro", "tab", *"cit", "down", "enter")
        await pilot.pause()
        assert "turns · you are ROMEO, First Citizen answers" in screen_text(pilot.app)
        assert "Enter alone lets First Citizen speak on" in screen_text(pilot.app)
        await say(pilot, "Who is there?")
        await speak(pilot, "pet", "ju")
        assert "you are PETER, JULIET answers" in screen_text(pilot.app)
        await say(pilot, "Two\n\nlines")
        await say(pilot, "")
        raw, first, second, third = asked(letters)
        assert (raw.prompt, raw.speech) == ("Before", None)
        begin = "ROMEO:\nWho is there?\n\nFirst Citizen:\n"
        assert first.prompt == begin
        assert second.prompt == (begin := begin + "Anon!\n\nPETER:\nTwo\nlines\n\nJULIET:\n")
        assert third.prompt == begin + "I come.\n\nJULIET:\n"
        assert [request.speech and request.speech.end for request in (first, second, third)] == ["paragraph"] * 3
        assert "\nAnon!" in said(pilot), "the blank belongs to the frame"

        await pilot.press("alt+t")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, FrameBox))
        await pilot.pause()
        assert "First Citizen:" in screen_text(pilot.app)
        await pilot.press("escape")

        await open_box(pilot)
        await pilot.press("down", *"zoe", "enter")
        await pilot.pause()
        assert "Nobody called zoe speaks in the text" in screen_text(pilot.app)
        await pilot.press("enter")
        await pilot.pause()
        assert "you are zoe, JULIET answers" in screen_text(pilot.app)
        await open_box(pilot)
        await pilot.press("ctrl+n")
        await say(pilot, "After")
        assert (asked(letters)[-1].prompt, asked(letters)[-1].speech) == ("After", None)
        assert "you are" not in screen_text(pilot.app)
        await speak(pilot, "ro", "ju")
        await say(pilot, "Anew")
        assert asked(letters)[-1].prompt == "ROMEO:\nAnew\n\nJULIET:\n", "a dialogue begins when it is turned on"


async def test_retry_siblings_and_edit_keep_to_the_dialogue(letters: type[LetterEngine], tmp_path: Path):
    make_run_on(tmp_path / "play.txt", PLAY)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await speak(pilot, "ro", "ju")
        await say(pilot, "One")
        await pilot.press("ctrl+k")
        await ready(pilot)
        first, again = asked(letters)
        assert first.prompt == again.prompt == "ROMEO:\nOne\n\nJULIET:\n"
        assert first.speech == again.speech is not None
        await pilot.press("alt+up")
        await say(pilot, "Two")
        begin = "ROMEO:\nOne\n\nJULIET:\nAy me!\n\n"
        assert asked(letters)[-1].prompt == begin + "ROMEO:\nTwo\n\nJULIET:\n", "the answer that was looked at"
        await pilot.press("alt+e", *"!", "enter")
        await ready(pilot)
        assert asked(letters)[-1].prompt == begin + "ROMEO:\nTwo!\n\nJULIET:\n", "in the place of what was edited"
        await say(pilot, "Three")
        assert "Two!" in asked(letters)[-1].prompt
        assert "Two\n" not in asked(letters)[-1].prompt

        await pilot.press("f7")
        scores = lambda: [r for r in letters.processes[-1].requests if isinstance(r, ScoreText)]  # noqa: E731
        await wait_until(pilot, lambda: any(r.text == "ROMEO:\nOne\n\nJULIET:\nAy me!" for r in scores()))
        assert all(r.text[r.start :] in ("Ay me!", "Anon!", "I come.", "One", "Two", "Two!", "Three") for r in scores())


async def test_another_text_has_other_speakers(letters: type[LetterEngine], tmp_path: Path):
    other = make_run_on(tmp_path / "chat.txt", CHAT, "chat-01")
    play = make_run_on(tmp_path / "play.txt", PLAY, "play-01")
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, MinigptApp)
        app.bridge.attach(play)
        await speak(pilot, "ro", "ju")
        app.bridge.attach(other)
        await ready(pilot)
        await pilot.pause()
        assert "you are" not in screen_text(app)
        await say(pilot, "One")
        assert (asked(letters)[-1].prompt, asked(letters)[-1].speech) == ("One", None)

        await open_box(pilot)
        assert visible(BO) in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert f"you are Kim[b], {visible(BO)} answers" in screen_text(app), "names are no markup and steer no terminal"
        await say(pilot, "Two")
        assert asked(letters)[-1].prompt == "<Kim[b]> Two\n<B\u202eo>"
        await pilot.press("alt+t")
        await wait_until(pilot, lambda: isinstance(app.screen, FrameBox))
        await pilot.pause()
        assert f"<{visible(BO)}>" in screen_text(app)
        await pilot.press("escape")

        app.bridge.attach(play)
        await ready(pilot)
        await pilot.pause()
        assert "you are" not in screen_text(app)


async def test_why_nobody_can_be_chosen_is_a_sentence(letters: type[LetterEngine], tmp_path: Path):
    novel, gone = (
        make_run_on(tmp_path / "novel.txt", NOVEL, "novel-01"),
        make_run_on(tmp_path / "gone.txt", PLAY, "gone-01"),
    )
    (tmp_path / "gone.txt").unlink()
    async with MinigptApp().run_test(size=(60, 20)) as pilot:
        app = pilot.app
        assert isinstance(app, MinigptApp)
        for run, words in ((novel, "Nobody speaks in this text"), (gone, "gone.txt")):
            app.bridge.attach(run)
            await open_box(pilot)
            assert words in " ".join(screen_text(app).replace("│", " ").split())
            await pilot.press("enter")
            assert isinstance(app.screen, SpeakersBox)
            await pilot.press("escape")
        app.bridge.open(look_up(str(write_model(tmp_path / "foreign"))))
        await ready(pilot)
        await pilot.press("alt+w")
        await wait_until(pilot, lambda: any("text of a run" in sentence for sentence in notices(pilot)))
