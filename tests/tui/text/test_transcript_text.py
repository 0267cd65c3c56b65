import random

import pytest
from minigpt_tui.tui.text.token_probabilities import ColouredToken
from minigpt_tui.tui.text.transcript_text import Role, RowKind, TranscriptText

from ..nasty_text import nasty_text


def conversation(width: int = 20) -> TranscriptText:
    text = TranscriptText(width)
    text.begin_turn("you")
    text.append("ROMEO:")
    text.begin_turn("model")
    text.append("What, shall I know the night of thee,\nand stand?")
    text.end_turn("12 tokens · 690/s")
    return text


def test_rows_of_a_conversation():
    text = conversation()
    assert [(row.kind.name, row.role, row.text) for row in text.rows] == [
        ("TEXT", "you", "ROMEO:"),
        ("GAP", "you", ""),
        ("TEXT", "model", "What, shall I know "),
        ("TEXT", "model", "the night of thee,"),
        ("TEXT", "model", "and stand?"),
        ("STATUS", "model", "12 tokens · 690/s"),
    ]
    assert [text.opens_turn(index) for index in range(6)] == [True, False, True, False, False, False]
    assert text.rows == sorted(text.rows)


def test_text_comes_back_as_it_was_given():
    text = conversation()
    assert text.plain_text() == "ROMEO:\n\nWhat, shall I know the night of thee,\nand stand?"
    assert text.last_replies() == ["What, shall I know the night of thee,\nand stand?"]
    text.begin_turn("note")
    text.append("Stopped.")
    text.end_turn()
    assert text.last_replies() == ["What, shall I know the night of thee,\nand stand?"]
    text.begin_turn("model")
    assert text.last_replies() == []


@pytest.mark.parametrize("width", [5, 20, 200])
def test_replies_to_one_prompt_are_given_back_together(width):
    text = conversation()
    replies = ["So shaken as we are,\nso wan with care,\n", "", "find we a time"]
    for number, reply in enumerate(replies):
        text.begin_turn("model", f"sample {number + 1} of 3", further=number > 0)
        text.append(reply)
        text.end_turn("12 tokens")
    text.begin_turn("note")
    text.append("Stopped.")
    text.rewrap(width)
    assert text.last_replies() == [replies[0], replies[2]]
    text.begin_turn("model")
    text.append("For Henry")
    assert text.last_replies() == ["For Henry"], "nobody asked, and yet it is a reply of its own"


@pytest.mark.parametrize(
    ("start", "end", "selected"),
    [
        ((0, 2), (0, 5), "MEO"),
        ((1, 6), (1, 25), "shall I know the ni"),
        ((0, 5), (1, 4), ":\n\nWhat"),
        ((1, 30), (2, 3), "f thee,\nand"),
        ((1, 200), (2, 200), "\nand stand?"),
        ((1, -6), (1, 4), "What"),
        ((1, 4), (1, 4), ""),
    ],
)
@pytest.mark.parametrize("width", [5, 20, 200])
def test_text_between_two_places_is_independent_of_the_width(start, end, selected, width):
    text = conversation()
    text.rewrap(width)
    assert text.between(start, end) == selected


def test_a_place_inside_a_glyph_means_the_whole_glyph():
    text = TranscriptText(20)
    text.begin_turn("model")
    text.append("cafe\u0301 noir")
    assert text.between((0, 0), (0, 4)) == "cafe\u0301"
    assert text.between((0, 4), (0, 7)) == " n"


def test_laying_out_again_equals_laying_out_at_once():
    rng = random.Random(3)
    turns: list[Role] = ["you", "model"] * 10
    contents = ["\n".join(nasty_text(rng, 100) for _ in range(3)) for _ in turns]

    def lay_out(width: int, pieces: bool) -> TranscriptText:
        text = TranscriptText(width)
        for role, content in zip(turns, contents, strict=True):
            text.begin_turn(role)
            for piece in content if pieces else [content]:
                text.append(piece)
            text.end_turn("done")
        return text

    whole, grown = lay_out(31, pieces=False), lay_out(31, pieces=True)
    assert whole.rows == grown.rows
    assert whole.plain_text() == "\n\n".join(contents)
    other = lay_out(17, pieces=True)
    other.rewrap(31)
    assert other.rows == whole.rows


@pytest.mark.parametrize("further", ["", "sample 2 of 2"], ids=["alone", "headed"])
@pytest.mark.parametrize("width", [8, 80])
def test_what_is_added_to_a_status_line_stands_there_as_if_it_had_been_said_at_once(width: int, further: str):
    def said(added: bool, *statuses: str) -> TranscriptText:
        text = TranscriptText(width)
        text.begin_turn("you", further)
        text.append("one")
        text.end_turn("first")
        text.begin_turn("model", further)
        text.append("two\nlines of words")
        text.end_turn("5 tokens")
        text.begin_turn("model", further, further=True)
        text.append("three")
        text.end_turn("")
        for turn, words in ((1, "no quotes at all"), (2, "something"), (1, statuses[0])) if added else ():
            before = len(text.rows)
            first, more = text.add_to_status(turn, words)
            assert len(text.rows) == before + more
            assert text.rows[first].kind == RowKind.STATUS
        return text

    late, at_once = said(True, "longest quote 23 characters"), TranscriptText(width)
    turns: list[tuple[Role, str, str, bool]] = [
        ("you", "one", "first", False),
        ("model", "two\nlines of words", "5 tokens · longest quote 23 characters", False),
        ("model", "three", "something", True),
    ]
    for role, words, status, is_further in turns:
        at_once.begin_turn(role, further, further=is_further)
        at_once.append(words)
        at_once.end_turn(status)
    assert late.rows == at_once.rows
    assert late.add_to_status(1, "")[1] <= 0
    assert "".join(row.text for row in late.rows if row.kind is RowKind.STATUS).count("5 tokens") == 1
    late.begin_turn("model")
    assert late.add_to_status(3, "of a turn that has not ended") == (len(late.rows), 0)


def test_a_place_is_found_again_at_another_width():
    text = conversation()
    position = text.rows[3].position
    text.rewrap(10)
    row = text.rows[text.find(position)]
    assert (row.kind, row.text) == (RowKind.TEXT, "know the ")
    text.rewrap(200)
    assert text.rows[text.find(position)].text == "What, shall I know the night of thee,"


def test_a_million_characters_cost_a_multiple_that_does_not_grow():
    line = "The long road goes ever on and on down from the door where it began. "

    def cost(characters: int) -> float:
        text = TranscriptText(80)
        text.begin_turn("model")
        source = (line * (characters // len(line) + 1))[:characters]
        for start in range(0, characters, 1000):
            text.append(source[start : start + 1000])
        assert text.plain_text() == source
        return text.wrapped_characters / characters

    assert cost(10_000) < 1.2
    assert cost(1_000_000) < 1.2, "one paragraph of a megabyte"


def test_text_after_the_end_of_its_turn_is_dropped():
    text = conversation()
    rows = list(text.rows)
    text.append("late")
    text.end_turn("again")
    assert text.rows == rows


def test_clear_forgets_everything():
    text = conversation()
    text.clear()
    assert (text.rows, text.plain_text(), text.last_replies()) == ([], "", [])
    text.begin_turn("you")
    text.append("again")
    assert text.plain_text() == "again"


@pytest.mark.parametrize("width", [5, 20, 200])
def test_every_character_has_an_offset_and_a_turn(width):
    text = TranscriptText(width)
    said = ["ROMEO:", "What,\n\nshall I\n", "", "know the night of thee"]
    for number, words in enumerate(said):
        text.begin_turn("model" if number % 2 else "you", "a heading" if number % 2 else "")
        for character in words:
            text.append(character)
        text.end_turn("12 tokens")
    for number, words in enumerate(said):
        text.set_tokens(number, [ColouredToken(at, at + 1, at / 100) for at in range(len(words))])
    text.rewrap(width + 3)
    seen = ["" for _ in said]
    for row in text.rows:
        if row.kind is RowKind.TEXT:
            for index, character in enumerate(row.text, row.offset):
                offset = text.offset_of((row.paragraph, index))
                assert text.location_of(offset) == (row.paragraph, index)
                turn, start = text.turn_of(offset)
                seen[turn] += character
                assert said[turn][offset - start] == character
                assert text.probabilities.token_at(offset) == (offset, offset + 1, (offset - start) / 100)
    assert seen == [words.replace("\n", "") for words in said]
    breaks = [text.line_break_at(index) for index in range(len(text.rows))]
    of_tokens = [at for at in breaks if at is not None and text.probabilities.token_at(at)]
    assert len(of_tokens) == "".join(said).count("\n")
    text.clear()
    assert text.probabilities.length == 0
