"""What the model reads of a dialogue, and the blanks with which a speech begins behind a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data.speakers.form import SpeechForm
from minigpt_tui.engine.requests import SamplingSettings, Tokens
from minigpt_tui.engine.sessions.tree import Node, Origin
from minigpt_tui.tui.bridge import Bridge
from minigpt_tui.tui.current_session import CurrentSession
from minigpt_tui.tui.dialogue import Dialogue, LeadingBlanks, Roles

from .runs_on_disk import TALES, make_run
from .scripted_engine import letter

ORIGIN = Origin("model", "model", 1, 0, SamplingSettings())


@pytest.mark.parametrize(
    ("form", "answer", "frames"),
    [
        pytest.param(
            SpeechForm("  ", ".\n", "\n\n", "paragraph", indent="    "), "one\n    two",
            ("  BO.\n    hi\n\n  KIM.\n", "    one\n    two\n\n  BO.\n    so\n\n  KIM.\n"),
            id="indented",
        ),
        pytest.param(SpeechForm(), "one", ("BO: hi\nKIM:", " one\nBO: so\nKIM:"), id="lines"),
        pytest.param(
            SpeechForm("<|", "|>", "<|end|>", "mark"), "one",
            ("<|BO|>hi<|end|><|KIM|>", "one<|end|><|BO|>so<|end|><|KIM|>"),
            id="marks",
        ),
    ],
)  # fmt: skip
def test_each_prompt_follows_what_was_said(home: Path, form: SpeechForm, answer: str, frames: tuple[str, str]):
    bridge, session = Bridge(lambda message: None), CurrentSession(pytest.fail, lambda seconds, act: None)
    bridge.attach(make_run("a"))
    dialogue = Dialogue(bridge, session)

    def say(prompt: str) -> Node:
        line = dialogue.next_line(None)
        session.ask(prompt, 1, ORIGIN)
        spoken = session.text.path[0]
        if line is not None:
            dialogue.add(spoken, line)
        session.add(0, answer, ())
        session.cancel()
        return spoken

    assert dialogue.framed(say("before")) == ("before", None)
    dialogue.choose(Roles("BO", "KIM", form, TALES.fingerprint))
    first = say("hi")
    assert dialogue.framed(first) == (frames[0], form)
    second = say("so")
    assert dialogue.framed(second) == ("".join(frames), form)
    # what is scored stands where the model has written it
    assert dialogue.before(session.text.tree.path(first.id)) + "hi" == frames[0][: frames[0].index("hi") + 2]
    last = session.text.path[-1]
    opening = frames[1].partition("one")[0]  # the blanks before an answer
    assert dialogue.before(session.text.path) + last.text == "".join(frames) + opening + answer
    dialogue.choose(None)
    assert dialogue.framed(say("after")) == ("after", None)
    assert dialogue.framed(second) == ("".join(frames), form)
    dialogue.choose(Roles("BO", "KIM", form, "of another text"))
    assert dialogue.roles is None
    session.close()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_blanks_go_and_the_tokens_stay(size: int):
    blanks, text, words = LeadingBlanks(), "  \tAy me", ""
    for start in range(0, len(text), size):
        part = text[start : start + size]
        piece = blanks.without(Tokens(1, part, len(part), details=tuple(map(letter, part))))
        assert [detail.text for detail in piece.details] == list(part)
        assert sum(detail.characters for detail in piece.details) == len(piece.text)
        words += piece.text
    assert words == "Ay me"


def test_each_sample_has_its_own():
    blanks = LeadingBlanks()
    pieces = [blanks.without(Tokens(1, " a", 1, sample)).text for sample in (0, 1, 0)]
    assert pieces == ["a", "a", " a"]
