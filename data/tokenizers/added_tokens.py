"""Tokens that a text names, such as <|endoftext|>: they are found before anything else is done with the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping


class AddedTokens:
    """Names with their ids; of several that begin at the same place the longest counts, as in `tokenizers`."""

    def __init__(self, tokens: Mapping[str, int]) -> None:
        self._tokens = {name: token for name, token in tokens.items() if name}
        names = sorted(self._tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, names)))
        self.longest = len(names[0]) if names else 0  # characters

    @property
    def ids(self) -> set[int]:
        """The ids of all of them."""
        return set(self._tokens.values())

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def split(self, text: str) -> Iterator[tuple[str, int | None]]:
        """Each part of the text before a name, with the id of that name; last the part behind all, with None."""
        start = 0
        for found in self._pattern.finditer(text) if self else ():
            yield text[start : found.start()], self._tokens[found[0]]
            start = found.end()
        yield text[start:], None

    def border(self, text: str, at: int) -> int:
        """The last position up to `at` that lies within no name, nor in what may become one when `text` goes on."""
        while (start := min(self._crossing(text, at), default=at)) < at:
            at = start
        return at

    def _crossing(self, text: str, at: int) -> Iterator[int]:
        """Where names begin that have a part on both sides of `at`, as far as `text` shows them."""
        behind = text[at : at + 1]
        for name in self._tokens:
            if behind not in name[1:]:  # most names hold no space
                continue
            for start in range(max(0, at - len(name) + 1), at):
                if name.startswith(text[start : start + len(name)]):
                    yield start
