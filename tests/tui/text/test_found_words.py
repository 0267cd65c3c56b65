import random

import pytest
from minigpt_tui.tui.text.found_words import FoundInText, FoundInTurns
from minigpt_tui.tui.text.transcript_text import Role, TranscriptText


def found(text: str, words: str) -> list[int]:
    hits = FoundInText(words)
    hits.search(text)
    return hits.places


def test_words_are_found_whatever_their_case_and_whatever_they_consist_of():
    assert found("The night, the NIGHT", "the night") == [0, 11]
    assert found("a.c abc [a-c] \\d", "a.c") == [0]
    assert found("[bold] [bold]", "[bold]") == [0, 7]
    assert found("aaaa", "aa") == [0, 2]
    assert found("Straße ÉTÉ", "été") == [7]
    assert found("anything", "") == []


@pytest.mark.parametrize("words", ["ab", "aba", "b b", "a"])
def test_text_that_arrives_and_text_that_is_edited_is_searched(words: str):
    rng, text = random.Random(2), ""
    hits = FoundInText(words)
    for _ in range(400):
        if rng.random() < 0.8:
            unchanged = len(text)
            text += "".join(rng.choice("ab ") for _ in range(rng.randint(0, 6)))
        else:
            unchanged = rng.randint(0, len(text))
            text = text[:unchanged] + rng.choice(["", "ab", "b"]) + text[unchanged + rng.randint(0, 2) :]
        before = list(hits.places)
        assert hits.search(text, unchanged) == (hits.places != before)
        assert hits.places == found(text, words)


def test_the_next_hit_goes_round_the_ends():
    hits = FoundInText("a")
    hits.search("xaxaxa")
    assert [hits.next_to(place, 1) for place in (-1, 1, 2, 5)] == [1, 3, 3, 1]
    assert [hits.next_to(place, -1) for place in (6, 5, 1, 0)] == [5, 3, 5, 5]
    assert [hits.number_of(place) for place in (1, 5, 2, None)] == [1, 3, 0, 0]
    assert FoundInText("b").next_to(0, 1) is None


def conversation(width: int) -> TranscriptText:
    turns = TranscriptText(width)
    said: list[tuple[Role, str]]
    said = [("you", "What is the night?"), ("model", "The night is\nthe night of the night."), ("note", "x")]
    for role, text in said:
        turns.begin_turn(role, "the night")
        turns.append(text)
        turns.end_turn("the night")
    return turns


@pytest.mark.parametrize("width", [4, 7, 20, 80])
def test_what_was_said_is_searched_and_seen_in_its_rows(width: int):
    turns = conversation(width)
    hits = FoundInTurns("the night")
    assert hits.search(turns)
    assert hits.places == [(1, 8), (3, 0), (4, 0), (4, 13)]
    for place in hits.places:
        parts = []
        for index in range(len(turns.rows)):
            parts += [turns.rows[index].text[start:end] for start, end, of in hits.in_row(turns, index) if of == place]
        assert "".join(parts).lower() == "the night"


def test_a_reply_that_streams_in_is_searched_piece_by_piece():
    rng, turns, hits = random.Random(1), TranscriptText(11), FoundInTurns("ab")
    for _ in range(200):
        first = turns.rows[-1].paragraph if turns.rows else 0
        if rng.random() < 0.1 or turns.open_role is None:
            turns.begin_turn("model")
        turns.append("".join(rng.choice("ab \n") for _ in range(4)))
        hits.search(turns, first)
        whole = FoundInTurns("ab")
        whole.search(turns)
        assert hits.places == whole.places
