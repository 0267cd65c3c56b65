"""A speech ends where the next one begins, whoever speaks there and in whatever pieces the text comes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from minigpt_tui.data.speakers.finding import find_speakers
from minigpt_tui.data.speakers.form import MOST_NAMES, SpeechForm
from minigpt_tui.data.storage.typed_json import SchemaError, dumps, loads
from minigpt_tui.engine.generation.detokenizer import Detokenizer

from .texts import CHATS, PLAYS

TEXTS = CHATS | PLAYS


def form_of(kind: str) -> SpeechForm:
    found = find_speakers(TEXTS[kind])
    assert found is not None
    return found.form


def reply(form: SpeechForm, pieces: list[str], whole: bool = False) -> tuple[str, bool]:
    """What is shown of a text that comes so, and whether the speech ended; no piece of it is taken back."""
    text, shown = Detokenizer(speech=form), ""
    for piece in pieces:
        shown += text.feed(piece.encode())
        if text.stopped:
            return shown, True
    return shown + text.finish(whole), False


def cut(text: str, seed: int) -> list[str]:
    chance, pieces = random.Random(seed), []
    while text:
        n = chance.choice((1, 1, 2, 3, 7, 30))
        pieces.append(text[:n])
        text = text[n:]
    return pieces


@pytest.mark.parametrize("kind", TEXTS)
def test_a_reply_is_the_first_speech_however_the_text_is_cut(kind: str) -> None:
    """Before a speaker who is known, and before one who was never heard of."""
    form = form_of(kind)
    for following in (form.names[1], {"upper": "ZOE", "title": "Zoe", "any": "zoe"}[form.case]):
        text = f" It rains, and so on{form.between}{form.opening(following)}It is dry.{form.between}"
        for pieces in ([text], list(text), *(cut(text, seed) for seed in range(20))):
            assert reply(form, pieces) == (" It rains, and so on", True), pieces


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_cut_off_at_any_place_shows_nothing_of_the_next_line(kind: str) -> None:
    form = form_of(kind)
    text = f" It rains{form.between}{form.opening(form.names[1])}"
    for length in range(len(text)):
        shown, _ = reply(form, list(text[:length]))
        assert " It rains".startswith(shown)


@pytest.mark.parametrize("kind", TEXTS)
def test_any_text_gives_the_same_reply_however_it_is_cut_and_wherever_it_paused(kind: str) -> None:
    form = form_of(kind)
    parts = [
        *form.names, form.before, form.after, form.between, "\n", "\n", " ", "Zoe", "ZOE:", "a word",
        "Count with me:\n", "[x]", "(aside)", "<", "<|", "|>", "13:00", ".", ":", "\t", "é🙂",
    ]  # fmt: skip
    for seed in range(25):
        chance = random.Random(seed)
        text = "".join(chance.choice(parts) for _ in range(12))
        expected = reply(form, [text])
        assert text.startswith(expected[0])
        pieces = cut(text, seed)
        for number in range(4):
            pieces = cut(text, seed * 10 + number)
            assert reply(form, pieces) == expected, (text, pieces)
        if not expected[1]:
            before, after = Detokenizer(speech=form), Detokenizer(speech=form)
            shown = "".join(before.feed(piece.encode()) for piece in pieces[:3]) + before.finish()
            after.resume(piece.encode() for piece in pieces[:3])
            shown += "".join(after.feed(piece.encode()) for piece in pieces[3:]) + after.finish()
            assert shown == expected[0]


def test_a_line_within_a_speech_is_no_next_speaker() -> None:
    tales, lines = (
        SpeechForm("", ":\n", "\n\n", "paragraph", case="upper", names=("RUTH",)),
        form_of("whatsapp-android"),
    )
    song = "Listen to my song:\nThen Maud wept.\nNote: it rained.\nWho: nobody.\n"
    assert reply(tales, list(song + "\nRUTH:\nOh.")) == (song[:-1], True)
    assert reply(tales, list(song + "RUTH:\nOh.")) == (song[:-1], True)
    assert reply(tales, list(song + "THE DUKE:\nOh.")) == (song[:-1], True)
    message = " one\n\ntwo: three\n13 of them\n"
    assert reply(lines, list(message + "02.03.24, 7:15 - Zoe left")) == (message[:-1], True)


def test_only_what_may_be_a_next_speaker_waits() -> None:
    text = Detokenizer(speech=SpeechForm("", ":\n", "\n\n", "paragraph", case="upper", names=("First Citizen",)))
    pieces = ["Oh", ".", "\n", "Fi", "r", "e", " and", "\n", "F", "irst", " Ci", "ty", "\n", "\n"]
    assert [text.feed(piece.encode()) for piece in pieces] == [
        "Oh", ".", "", "", "", "\nFire", " and", "", "", "", "", "\nFirst City", "", "",
    ]  # fmt: skip
    assert text.stopped


def test_a_whole_text_loses_only_the_line_breaks_at_its_end() -> None:
    form = form_of("lines")
    assert reply(replace(form, end="opening"), [" Yes\nBo", "\n\n"], whole=True) == (" Yes\nBo", False)
    assert reply(replace(form, end="opening"), [" Yes\nBo"], whole=True) == (" Yes\nBo", False)
    assert reply(replace(form, end="opening"), [" Yes\nBo"]) == (" Yes", False)


def test_a_model_that_writes_nothing_but_line_breaks_has_ended_its_speech() -> None:
    form = replace(form_of("lines"), end="opening")
    assert reply(form, list(" Yes" + "\n " * 900)) == reply(form, [" Yes" + "\n " * 900 + "more"]) == (" Yes", True)


def test_names_and_frames_are_text_not_patterns() -> None:
    form = SpeechForm("(.*", ": ", "\n", names=("[a-z]+", "(a+)+"))
    assert reply(form, list("aaaa\n(.*(a+)+$: x")) == ("aaaa\n(.*(a+)+$: x", False)
    assert reply(form, list("aaaa\n(.*(a+)+: x")) == ("aaaa", True)
    assert reply(form, ["a" * 30 + "\n" + "(.*" + "a" * 5000 + "!"]) == ("a" * 30 + "\n(.*" + "a" * 5000 + "!", False)


def test_a_form_is_plain_data_and_one_that_cannot_be_is_refused() -> None:
    form = form_of("whatsapp-narrow-blank")
    assert loads(SpeechForm, dumps(form)) == form
    for wrong in ({"before": "x" * 101}, {"names": ["x"] * (MOST_NAMES + 1)}, {"names": ["x" * 61]}, {"names": [""]},
                  {"after": ""}, {"end": "never"}):  # fmt: skip
        with pytest.raises(SchemaError):
            loads(SpeechForm, dumps(wrong))
