"""Who speaks in plays, dialogues and chats is found with how often; where nobody speaks, nobody is invented."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from minigpt_tui.data.speakers.finding import Speakers, find_speakers
from minigpt_tui.data.speakers.form import Speech
from minigpt_tui.data.tales.generator import generate

from .texts import CHATS, NOBODY, PLAYS


def counted(found: Speakers | None) -> dict[str, int]:
    assert found is not None
    return {speaker.name: speaker.count for speaker in found.speakers}


@pytest.mark.parametrize("kind", CHATS)
def test_chats(kind: str) -> None:
    counts = counted(find_speakers(CHATS[kind]))
    assert {name.casefold(): count for name, count in counts.items()} in ({"bo": 3, "kim li": 2}, {"bo": 3, "kim": 2})


@pytest.mark.parametrize("kind", PLAYS)
def test_plays_with_headings_stage_directions_and_lists_of_persons(kind: str) -> None:
    counts = counted(find_speakers(PLAYS[kind]))
    others = {"First Citizen": 2, "FIRST CITIZEN": 2, "MRS. ALVING": 2}
    assert (counts.pop("ROMEO"), counts.pop("JULIET")) == (3, 2)
    assert all(others.get(name) == count for name, count in counts.items())


@pytest.mark.parametrize("kind", NOBODY)
def test_where_nobody_speaks_nobody_is_invented(kind: str) -> None:
    assert find_speakers(NOBODY[kind]) is None


def test_tales_have_exactly_their_speakers_the_most_frequent_first() -> None:
    text = generate(200_000).text
    found = find_speakers(text)
    assert found is not None
    assert counted(found) == Counter(re.findall(r"^([A-Z]+):$", text, re.MULTILINE))
    assert [speaker.count for speaker in found.speakers] == sorted(counted(found).values(), reverse=True)
    assert found.names[0] == found.speakers[0].name == found.form.names[0]
    assert found.spelled(" ruth ") == "RUTH"
    assert found.spelled("nobody") is None


@pytest.mark.parametrize("kind", [*CHATS, *PLAYS])
def test_the_form_writes_a_speech_as_the_text_does(kind: str) -> None:
    """The frame of two lines that stand in a row is a piece of the text, but for the numbers of its time stamps."""
    text = (CHATS | PLAYS)[kind]
    found = find_speakers(text)
    assert found is not None
    first, second = ("Bo", "Kim Li") if kind in CHATS else ("ROMEO", "JULIET")
    first, second = found.spelled(first) or "", found.spelled(second) or found.spelled("kim") or ""
    said = {"names-with-period": "What?", "nicks": "ok it is", "whatsapp-several-lines": "ok\nand more: so\n\nyes"}.get(
        kind, "ok" if kind in CHATS else "So be it."
    )
    framed = found.form.frame([Speech(first, said)], second)

    def plain(text: str) -> str:
        return re.sub(r"\d+", "0", text.replace("\u200e", ""))

    if kind in CHATS:
        assert plain(framed) in plain(text)
    else:
        assert found.form.speech(Speech(first, said)) in text
        assert found.form.opening(second) in text
        assert framed == found.form.speech(Speech(first, said)) + "\n\n" + found.form.opening(second).rstrip(" ")


def test_names_are_completed_by_each_of_their_words_who_speaks_most_first() -> None:
    counts = {"LADY ANNE": 5, "ANNE": 3, "Second Lord": 4, "LADY CAPULET": 2, "LANDLORD": 2}
    found = find_speakers("".join(f"{name}:\nIt rains.\n\n" * count for name, count in counts.items()))
    assert found is not None
    assert found.completions("lady") == ("LADY ANNE", "LADY CAPULET")
    assert found.completions("an") == ("ANNE", "LADY ANNE")
    assert found.completions(" Lord") == ("Second Lord",)
    assert found.completions("") == found.names == ("LADY ANNE", "Second Lord", "ANNE", "LADY CAPULET", "LANDLORD")
    assert found.completions("x") == ()


def test_what_a_person_says_does_not_end_their_own_speech() -> None:
    lines, play, tabs = (find_speakers(text) for text in (CHATS["lines"], PLAYS["names-above"], PLAYS["tabs"]))
    assert lines is not None
    assert play is not None
    assert tabs is not None
    assert lines.form.frame([Speech("Bo", "one\n\ntwo\n")], "Kim Li") == "Bo: one two\nKim Li:"
    assert play.form.frame([Speech("ROMEO", "\none\n\ntwo")], "JULIET") == "ROMEO:\none\ntwo\n\nJULIET:\n"
    assert tabs.form.frame([Speech("ROMEO", "one\ntwo")], "JULIET") == "ROMEO\tone\n\ttwo\n\nJULIET\t"


def test_a_long_text_is_looked_at_in_little_time() -> None:
    """Lines that begin like names and never become one, and lines without an end: no pattern goes astray in them."""
    for text in (
        "A" * 400_000,
        "Aa " * 130_000,
        "[" * 200_000,
        ("Aa'. " * 9 + "\n") * 4000,
        "1:00 " * 60_000,
        " \t" * 200_000,
    ):
        assert find_speakers(text) is None
