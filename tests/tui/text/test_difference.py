import random

import pytest
from minigpt_tui.tui.text.difference import difference


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
