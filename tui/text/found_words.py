"""Where words that are searched for stand in a text that grows and is edited."""

from __future__ import annotations

import re
from bisect import bisect_left


class FoundWords:
    """The places of some words in a text, whatever the case of their letters; none where there are no words."""

    def __init__(self, words: str = "") -> None:
        self.words = words
        self.starts: list[int] = []
        """Where each begins, in order; all are as long as the words."""
        self._pattern = re.compile(re.escape(words), re.IGNORECASE)
        self._searched: str | None = None

    def search(self, text: str, unchanged: int = 0) -> bool:
        """Find the words in this text, of which so many characters are as before; whether anything else is found."""
        if not self.words or text is self._searched:
            return False
        before, self._searched = self.starts, text
        kept = bisect_left(before, unchanged - len(self.words) + 1)
        begin = before[kept - 1] + len(self.words) if kept else 0
        begin = max(begin, unchanged - len(self.words) + 1)
        self.starts = before[:kept] + [hit.start() for hit in self._pattern.finditer(text, max(0, begin))]
        return self.starts != before

    def next_to(self, offset: int, step: int) -> int | None:
        """The first hit behind `offset` (`step` 1) or the last before it (-1), round the ends; None without a hit."""
        if not self.starts:
            return None
        index = bisect_left(self.starts, offset + 1) if step > 0 else bisect_left(self.starts, offset) - 1
        return self.starts[index % len(self.starts)]

    def __contains__(self, start: int) -> bool:
        """Whether a hit begins there."""
        index = bisect_left(self.starts, start)
        return index < len(self.starts) and self.starts[index] == start

    def number_of(self, start: int) -> int:
        """Which hit begins there, counted from 1."""
        return bisect_left(self.starts, start) + 1
