"""The tokens of a text, with the probability that the model gave to each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isnan
from typing import NamedTuple

from .stretches import Stretches


class ColouredToken(NamedTuple):
    """A token that is the characters from `start` up to `end`, and the probability that the model gave it.

    NaN is a probability that is not known.
    """

    start: int
    end: int
    probability: float


class TokenProbabilities(Stretches[float | None]):
    """The probability of the token that each character belongs to; None where there is none that is known."""

    def __init__(self) -> None:
        super().__init__(None, tokens=True)

    def append_tokens(self, length: int, tokens: Iterable[ColouredToken]) -> None:
        """`length` more characters at the end, and the tokens they consist of, in their order."""
        for size, probability in _parts(length, tokens):
            self.append(size, probability)

    def set_tokens(self, start: int, end: int, tokens: Iterable[ColouredToken]) -> None:
        """Say anew of which tokens the characters from `start` up to `end` consist, whose offsets count from there."""
        self.splice(start, end, _parts(end - start, tokens))

    def token_at(self, offset: int) -> ColouredToken | None:
        """The token with the character at `offset`; None where no probability is known."""
        stretch = self.at(offset)
        if stretch is None or stretch.value is None:
            return None
        return ColouredToken(stretch.start, stretch.end, stretch.value)

    def token_beside(self, offset: int, step: int) -> ColouredToken | None:
        """The first token that begins at `offset` or behind it (`step` 1), or the last that ends by then (-1)."""
        number = self.number_of(offset) if step > 0 else self.number_of(offset - 1)
        while (stretch := self.numbered(number)) is not None:
            passed = stretch.start < offset if step > 0 else stretch.end > offset
            if stretch.value is not None and not passed:
                return ColouredToken(stretch.start, stretch.end, stretch.value)
            number += step
        return None


def shifted(tokens: Iterable[ColouredToken], by: int) -> list[ColouredToken]:
    """The tokens with other offsets, without what then lies before the beginning."""
    moved = (ColouredToken(max(0, start + by), end + by, probability) for start, end, probability in tokens)
    return [token for token in moved if token.end > 0]


def _parts(length: int, tokens: Iterable[ColouredToken]) -> Iterator[tuple[int, float | None]]:
    """The tokens, with what lies between them, as numbers of characters and their probability; `length` in all."""
    reached = 0
    for start, end, probability in tokens:
        start, end = max(reached, min(start, length)), min(end, length)
        yield start - reached, None
        yield end - start, None if isnan(probability) else probability
        reached = max(start, end)
    yield length - reached, None
