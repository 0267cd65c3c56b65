"""What the person who trains is told by a learner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _ignore(sentence: str) -> None:
    return


@dataclass(frozen=True)
class Notes:
    """Receivers of sentences: `tell` of what was done, `warn` of what did not go as it was asked for."""

    tell: Callable[[str], None] = _ignore
    warn: Callable[[str], None] = _ignore
