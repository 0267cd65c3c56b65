import random

import pytest
from minigpt_tui.tui.text import wrapped_text
from minigpt_tui.tui.text.wrapped_text import WrappedText
from minigpt_tui.tui.text.wrapping import wrap

from ..nasty_text import nasty_text


def rows_of(text: str, width: int) -> list[int]:
    """Where the rows of a text begin when it is wrapped whole."""
    starts, offset = [], 0
    for line in text.split("\n"):
        for row in wrap(line, width):
            starts.append(offset)
            offset += len(row)
        offset += 1
    return starts


def filled(text: str, width: int) -> WrappedText:
    wrapped = WrappedText(width)
    wrapped.replace(0, 0, text)
    while not wrapped.is_settled:
        wrapped.settle()
    return wrapped


def test_rows_are_those_of_wrap():
    wrapped = filled("to be or\nnot\n\nto be\n", 6)
    assert [wrapped.row_text(row) for row in range(wrapped.row_count)] == ["to be ", "or", "not", "", "to be", ""]
    assert [wrapped.begins_paragraph(row) for row in range(6)] == [True, False, True, True, True, True]
    assert WrappedText(6).row_count == 1


@pytest.mark.parametrize("at_once", [1, 3, 400])
@pytest.mark.parametrize("seed", range(8))
def test_any_edits_give_the_rows_of_the_whole_text(monkeypatch: pytest.MonkeyPatch, seed: int, at_once: int):
    monkeypatch.setattr(wrapped_text, "ROWS_AT_ONCE", at_once)
    rng, width = random.Random(seed), 4 + seed * 2
    wrapped = filled("\n".join(nasty_text(rng) for _ in range(5)), width)
    text = wrapped.text
    for _ in range(150):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.choice([0, 0, 0, 1, 3, 30]))
        new = rng.choice(["", "a", " ", "\n", "\u0301", "\u200d", nasty_text(rng)])
        wrapped.replace(start, end, new)
        text = text[:start] + new + text[end:]
        assert wrapped.text == text
        starts = wrapped.starts
        assert starts == sorted(set(starts))
        assert {offset + 1 for offset, character in enumerate(text) if character == "\n"} <= set(starts)
        if rng.random() < 0.5:
            while not wrapped.is_settled:
                wrapped.settle()
            assert wrapped.starts == rows_of(text, width)
    while not wrapped.is_settled:
        wrapped.settle()
    assert wrapped.starts == rows_of(text, width)
    wrapped.rewrap(width + 3)
    assert wrapped.starts == rows_of(text, width + 3)


@pytest.mark.parametrize("seed", range(4))
def test_the_rows_that_changed_are_told(seed: int):
    rng = random.Random(seed)
    wrapped = filled("\n".join("word " * rng.randint(0, 40) for _ in range(20)), 17)
    few = 0
    for _ in range(200):
        before = [wrapped.row_text(row) for row in range(wrapped.row_count)]
        start = rng.randint(0, len(wrapped.text))
        end = min(len(wrapped.text), start + rng.randint(0, 3))
        first, behind = wrapped.replace(start, end, rng.choice(["", "x", " y\n"]))
        after = [wrapped.row_text(row) for row in range(wrapped.row_count)]
        assert before[:first] == after[:first]
        assert before[behind:] == after[behind:]
        few += behind - first < 10
    assert few > 80


@pytest.mark.parametrize(
    "text",
    [
        "The long road goes ever on and on, down from the door where it began.\n" * 1500,
        "The long road goes ever on and on, down from the door where it began. " * 1500,
        "a" * 100_000,
        "你好世界" * 25_000,
    ],
    ids=["paragraphs", "one paragraph", "one word", "no blanks"],
)
def test_an_edit_in_the_middle_of_a_long_text_wraps_little(text: str):
    wrapped = filled(text, 80)
    before = wrapped.wrapped_characters
    for _ in range(20):
        wrapped.replace(50_001, 50_001, "x")
    assert (wrapped.wrapped_characters - before) / 20 < 2 * 80 * wrapped_text.ROWS_AT_ONCE
    before = wrapped.wrapped_characters
    if "road" in text:
        wrapped.replace(50_001, 50_001, "x")
        assert wrapped.wrapped_characters - before < 4000
    while not wrapped.is_settled:
        wrapped.settle()
    assert wrapped.starts == rows_of(wrapped.text, 80)


def test_appending_costs_a_multiple_that_does_not_grow():
    wrapped = WrappedText(80)
    for _ in range(2000):
        wrapped.replace(len(wrapped.text), len(wrapped.text), "What, shall I know the night of thee, and stand? ")
    assert wrapped.wrapped_characters < 8 * len(wrapped.text)
