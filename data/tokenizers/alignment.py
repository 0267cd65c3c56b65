"""Which characters of a text each of its tokens stands for, also where the text was changed before it was encoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterator, Sequence
from itertools import accumulate, pairwise

from .tokenizer import Tokenizer


def token_lengths(tokenizer: Tokenizer, text: str, literal: bool = False) -> list[int]:
    """For each token of `text`, as a model reads it, how many characters of `text` it stands for.

    0 where a later token completes the character. A character that is left out belongs to the token before it, so they
    add up to the length of `text`, unless it has no token at all. Raises UnknownCharacterError.
    """
    composed = tokenizer.composed(text)
    known, left_out = tokenizer.filter_unknown(composed)
    lengths = tokenizer.token_lengths(known, literal)
    return lengths if known == text else _before_changes(lengths, text, composed, left_out if known != composed else ())


def _before_changes(lengths: Sequence[int], text: str, composed: str, left_out: Container[str]) -> list[int]:
    """`lengths` count in the text that was encoded; the same in `text`."""
    ends = [0]  # in `text`, of each character that was encoded
    at = 0
    for character, width in zip(composed, _widths(text, composed), strict=True):
        at += width
        if character not in left_out:
            ends.append(at)
        elif len(ends) > 1:
            ends[-1] = at
    places = [ends[min(place, len(ends) - 1)] for place in accumulate(lengths, initial=0)]
    return [end - start for start, end in pairwise(places)]


def _widths(text: str, composed: str) -> list[int]:
    """How many characters of `text` each one of `composed` was made of."""
    if text == composed:
        return [1] * len(text)
    widths: list[int] = []
    for part in _parts(text):
        became = len(unicodedata.normalize("NFC", part))
        more = len(part) - became  # negative for the few that are composed to more characters than before
        widths += [0] * -more + [1] * len(part) if more < 0 else [1 + more] + [1] * (became - 1)
    return widths


def _parts(text: str) -> Iterator[str]:
    """The shortest parts of `text` that are composed each by itself."""
    part = ""
    for character in text:
        joins = unicodedata.combining(character) or unicodedata.normalize("NFC", part + character) != (
            unicodedata.normalize("NFC", part) + unicodedata.normalize("NFC", character)
        )
        if part and not joins:
            yield part
            part = ""
        part += character
    yield part
