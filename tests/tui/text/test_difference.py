import random

import pytest
from minigpt_tui.tui.text.difference import difference, differing_words


@pytest.mark.parametrize(
    ("before", "after", "edit"),
    [
        ("one two three", "one 2 three", (4, 7, 5)),
        ("same", "same", (4, 4, 4)),
        ("", "new", (0, 0, 3)),
        ("old", "", (0, 3, 0)),
        ("aaa", "aaaaa", (3, 3, 5)),
        ("aaaaa", "aaa", (3, 5, 3)),
    ],
)
def test_what_is_the_same_at_both_ends_is_left_out(before: str, after: str, edit: tuple[int, int, int]):
    assert difference(before, after) == edit


def test_the_edit_makes_the_one_text_of_the_other():
    rng = random.Random(1)
    for _ in range(2000):
        before, after = ("".join(rng.choice("ab") for _ in range(rng.randint(0, 12))) for _ in range(2))
        start, end, end_after = difference(before, after)
        assert before[:start] + after[start:end_after] + before[end:] == after
        assert start <= end
        assert start <= end_after


@pytest.mark.parametrize(
    ("text", "other", "stretches"),
    [
        ("the cat sat", "the cat sat", []),
        ("the cat sat on it", "the dog sat on it", ["cat"]),
        ("the big cat sat", "the sat", ["big cat"]),
        ("the sat", "the big cat sat", []),
        ("two\n words", "two words", []),
        ("He said: no.", "He said, no!", [":", "."]),
        ("", "all of it", []),
        ("all of it", "", ["all of it"]),
        ("ты и я", "ты и он", ["я"]),
        ("你好 world", "再见 world", ["你好"]),
    ],
)
def test_the_words_that_do_not_stand_in_the_other_text(text: str, other: str, stretches: list[str]):
    assert [text[start:end] for start, end in differing_words(text, other)] == stretches


@pytest.mark.parametrize("count", [100, 1_000, 20_000])
def test_a_word_that_differs_is_found_in_a_text_of_any_length(count: int):
    words = [f"w{number % 7}" for number in range(count)]
    other = list(words)
    words[count // 2] = "this"
    text = " ".join(words)
    assert [text[start:end] for start, end in differing_words(text, " ".join(other))] == ["this"]


def test_without_what_differs_nothing_of_the_one_text_is_missing_in_the_other():
    rng = random.Random(2)
    for _ in range(500):
        text, other = (" ".join(rng.choice("abcd") for _ in range(rng.randint(0, 15))) for _ in range(2))
        stretches = differing_words(text, other)
        assert stretches == sorted(stretches)
        kept, at = "", 0
        for start, end in stretches:
            assert at <= start < end
            kept, at = kept + text[at:start], end
        found = iter(other.split())
        assert all(word in found for word in (kept + text[at:]).split())
