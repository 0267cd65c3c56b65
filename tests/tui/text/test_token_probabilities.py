import random

import pytest
from minigpt_tui.tui.text.token_probabilities import ColouredToken, TokenProbabilities, shifted


def tokens_in(probabilities: TokenProbabilities) -> list[ColouredToken]:
    found = (probabilities.token_at(offset) for offset in range(probabilities.length))
    return list(dict.fromkeys(token for token in found if token))


def test_tokens_come_with_gaps_without_probabilities_and_longer_than_their_text():
    probabilities = TokenProbabilities()
    probabilities.append_tokens(
        10, [ColouredToken(1, 3, 0.5), ColouredToken(3, 3, 0.1), ColouredToken(3, 5, float("nan"))]
    )
    probabilities.append_tokens(4, [ColouredToken(0, 2, 0.25), ColouredToken(1, 3, 0.125), ColouredToken(3, 99, 0.0)])
    assert probabilities.length == 14
    assert tokens_in(probabilities) == [(1, 3, 0.5), (10, 12, 0.25), (12, 13, 0.125), (13, 14, 0.0)]


def test_one_goes_from_token_to_token_over_what_is_none():
    probabilities = TokenProbabilities()
    probabilities.append_tokens(12, [ColouredToken(1, 3, 0.5), ColouredToken(3, 5, 0.5), ColouredToken(8, 10, 0.25)])
    forward = [probabilities.token_beside(offset, 1) for offset in (0, 1, 2, 5, 8, 9)]
    assert [token and token.start for token in forward] == [1, 1, 3, 8, 8, None]
    back = [probabilities.token_beside(offset, -1) for offset in (12, 10, 9, 5, 3, 2)]
    assert [token and token.start for token in back] == [8, 8, 3, 3, 1, None]
    assert TokenProbabilities().token_beside(0, 1) is None
    assert TokenProbabilities().token_beside(0, -1) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_tokens_of_a_part_are_said_anew(seed: int):
    rng, probabilities = random.Random(seed), TokenProbabilities()
    probabilities.append_tokens(60, [ColouredToken(start, start + 3, start / 100) for start in range(0, 60, 3)])
    start = rng.randrange(0, 60)
    end = rng.randint(start, 60)
    probabilities.set_tokens(start, end, [ColouredToken(at, at + 1, 1 - at / 100) for at in range(end - start)])
    assert probabilities.length == 60
    for token in tokens_in(probabilities):
        if start <= token.start < end:
            assert token == (token.start, token.start + 1, 1 - (token.start - start) / 100)
        else:
            assert token == (token.start, token.start + 3, token.start / 100), "one that was cut is none any more"


def test_tokens_before_the_beginning_are_left_out():
    tokens = [ColouredToken(0, 3, 0.5), ColouredToken(3, 6, 0.25)]
    assert shifted(tokens, 10) == [(10, 13, 0.5), (13, 16, 0.25)]
    assert shifted(tokens, -4) == [(0, 2, 0.25)]
    assert shifted(tokens, -6) == []
