import random
from itertools import pairwise

import pytest
from minigpt_tui.tui.text.stretches import Stretches


def values(stretches: Stretches) -> list:
    """The value of each character."""
    found = [None] * stretches.length
    for start, end, value in stretches.between(0, stretches.length):
        found[start:end] = [value] * (end - start)
    return found


@pytest.mark.parametrize("seed", range(10))
def test_any_edits_give_what_a_list_of_characters_gives(seed: int):
    rng, stretches, plain = random.Random(seed), Stretches("person"), []
    for _ in range(300):
        start = rng.randint(0, len(plain))
        end = min(len(plain), start + rng.choice([0, 0, 1, 5, 50]))
        length, value = rng.randint(0, 6), rng.choice(["person", "model"])
        stretches.replace(start, end, length, value)
        plain[start:end] = [value] * length
        assert stretches.length == len(plain)
        assert values(stretches) == plain
        parts = list(stretches.between(0, len(plain)))
        assert all(one.end == other.start and one.value != other.value for one, other in pairwise(parts))


def tokens(*parts: tuple[int, float | None]) -> Stretches[float | None]:
    stretches = Stretches[float | None](None, tokens=True)
    for length, value in parts:
        stretches.append(length, value)
    return stretches


def test_tokens_stay_apart_and_lose_their_value_where_they_are_cut():
    stretches = tokens((3, 0.5), (2, 0.5), (4, 0.25))
    stretches.replace(3, 3, 1, None)
    assert list(stretches.between(0, 10)) == [(0, 3, 0.5), (3, 4, None), (4, 6, 0.5), (6, 10, 0.25)]
    stretches.replace(5, 7, 0, None)
    assert list(stretches.between(0, 8)) == [(0, 3, 0.5), (3, 8, None)]


@pytest.mark.parametrize("seed", range(10))
def test_tokens_that_no_edit_touched_are_whole(seed: int):
    rng = random.Random(seed)
    stretches = tokens(*((rng.randint(1, 5), float(number)) for number in range(60)))
    whole = {value: end - start for start, end, value in stretches.between(0, stretches.length)}
    for _ in range(20):
        before = list(stretches.between(0, stretches.length))
        start = rng.randint(0, stretches.length)
        end = min(stretches.length, start + rng.choice([0, 1, 7]))
        stretches.replace(start, end, rng.randint(0, 3), None)
        after = {value: end - start for start, end, value in stretches.between(0, stretches.length)}
        kept = [part.value for part in before if part.end <= start or part.start >= end]
        assert [value for value in kept if value is not None and value not in after] == []
        assert all(after[value] == whole[value] for value in after if value is not None)


def test_where_a_character_lies():
    stretches = tokens((3, 0.5), (2, 0.25))
    assert stretches.at(2) == (0, 3, 0.5)
    assert stretches.at(3) == (3, 5, 0.25)
    assert stretches.at(5) is None
    stretches.clear()
    assert stretches.at(0) is None
