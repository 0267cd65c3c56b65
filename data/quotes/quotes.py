"""What is told of a text: its longest quoted passage, and how much of it stands in passages of some length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .matches import Match
from .stored_text import Place


@dataclass(frozen=True)
class Passage:
    """text[start:end], in code points, stands word for word in the corpus; `place` is one place where it does."""

    start: int
    end: int
    place: Place

    def __len__(self) -> int:
        """How many code points it has."""
        return self.end - self.start


@dataclass(frozen=True)
class Quotes:
    """What of a text stands word for word in a corpus.

    `longest` is the first of the longest passages, None where not even one character does. The shares, from 0 to 1, are
    those of the characters that lie in a passage of at least 10, 20 and 50 characters. `passages` are those of 10
    characters or more that lie in no longer one, in the order of the text; they may overlap.
    """

    longest: Passage | None
    share10: float
    share20: float
    share50: float
    passages: tuple[tuple[int, int], ...] = ()  # start and end of each, in code points


@dataclass(frozen=True)
class Occurrences:
    """Where a passage stands in the corpus, in its order; not `complete` where that is in more places than these."""

    places: tuple[Place, ...]
    complete: bool


def longest_of(matches: Sequence[Match]) -> Match | None:
    """The first of the longest matches."""
    longest = max(matches, key=lambda match: match.end - match.start, default=None)
    return longest if longest and longest.end > longest.start else None


def passages_of(matches: Sequence[Match], minimum: int) -> list[tuple[int, int]]:
    """Start and end of the matches of at least `minimum` characters that lie in no other."""
    found, reached = list[tuple[int, int]](), 0
    for match in matches:  # none ends before the one before it
        if match.end > reached and match.end - match.start >= minimum:
            found.append((match.start, match.end))
        reached = match.end
    return found


def share(matches: Sequence[Match], minimum: int) -> float:
    """The share of the characters that lie in a match of at least `minimum` characters, one match for each of them."""
    covered = reached = 0
    for match in matches:  # none ends before the one before it
        if match.end - match.start >= minimum:
            covered += match.end - max(match.start, reached)
            reached = match.end
    return covered / len(matches) if matches else 0.0
