"""One text that a person and a model write together: its rows, who wrote what, and how probable its tokens were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from .stretches import Stretches
from .token_probabilities import ColouredToken, TokenProbabilities
from .wrapped_text import ChangedRows, WrappedText

Author = Literal["person", "model"]


class TextSpan(NamedTuple):
    """Who wrote the characters from `start` up to `end`."""

    start: int
    end: int
    author: Author


class DocumentText:
    """A text in rows of at most `width` cells (and one blank that may hang over), with what is known of its words.

    Any text of a model is taken; only half of a surrogate pair, which no terminal could be sent, becomes U+FFFD.
    """

    def __init__(self, width: int) -> None:
        self.rows = WrappedText(width)
        self.authors = Stretches[Author]("person")
        self.probabilities = TokenProbabilities()

    @property
    def text(self) -> str:
        """All of it, as it was written."""
        return self.rows.text

    def __len__(self) -> int:
        return len(self.rows.text)

    def replace(self, start: int, end: int, text: str, author: Author = "person") -> ChangedRows:
        """Put `text` in the place of the characters from `start` up to `end`.

        A token that this cuts has no probability any more.
        """
        self.authors.replace(start, end, len(text), author)
        self.probabilities.replace(start, end, len(text), None)
        return self.rows.replace(start, end, without_surrogates(text))

    def append(self, text: str, author: Author, tokens: Sequence[ColouredToken] = ()) -> ChangedRows:
        """Put `text` at the end, with the tokens it consists of; their offsets count from its beginning."""
        self.authors.append(len(text), author)
        self.probabilities.append_tokens(len(text), tokens)
        return self.rows.replace(len(self), len(self), without_surrogates(text))

    def set_authors(self, spans: Iterable[TextSpan]) -> None:
        """Say anew who wrote what, in the order of the text; what lies in no span was the person."""
        self.authors.clear()
        for start, end, author in spans:
            start, end = min(start, len(self)), min(end, len(self))
            self.authors.append(start - self.authors.length, "person")
            self.authors.append(end - max(start, self.authors.length), author)
        self.authors.append(len(self) - self.authors.length, "person")

    def set_probabilities(self, tokens: Sequence[ColouredToken]) -> None:
        """Say anew which tokens the text consists of, in its order; what lies in none has no probability."""
        self.probabilities.clear()
        self.probabilities.append_tokens(len(self), tokens)


def without_surrogates(text: str) -> str:
    """`text` with a replacement character for each half of a surrogate pair: as many characters as before."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text
