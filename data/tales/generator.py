"""The text of the built-in corpus, and its true entropy: what a perfect model would score on it.

The text is unlimited and the same for the same seed on every machine. It has one derivation, so the information of
the choices behind it (nats) is a lower bound of every model's loss on text that it has not seen.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from .grammar import Reader, Writer
from .scenes import Scene


@dataclass(frozen=True, repr=False)
class Information:
    """The information in a text: `sentence_nats[i]` nats in the characters before `sentence_ends[i]`."""

    sentence_ends: array[int]
    sentence_nats: array[float]

    def nats(self, start: int, end: int) -> float:
        """Information of the choices behind text[start:end], in nats; evenly spread within a sentence."""
        if not 0 <= start <= end <= self.sentence_ends[-1]:
            raise IndexError(f"text[{start}:{end}] is not within the {self.sentence_ends[-1]} characters of the text")
        return self._nats_before(end) - self._nats_before(start)

    def nats_per_character(self, start: int, end: int) -> float:
        """The same for each of these characters, one at least: the loss that the grammar itself would score on them."""
        return self.nats(start, end) / (end - start)

    def _nats_before(self, position: int) -> float:
        sentence = bisect_left(self.sentence_ends, position)
        begin, nats = (self.sentence_ends[sentence - 1], self.sentence_nats[sentence - 1]) if sentence else (0, 0.0)
        if position == begin:
            return nats
        part = (position - begin) / (self.sentence_ends[sentence] - begin)
        return nats + part * (self.sentence_nats[sentence] - nats)


@dataclass(frozen=True, repr=False)
class Tales(Information):
    """A text and the information in it."""

    text: str


def generate(n_characters: int, seed: int = 0, progress: Callable[[float], None] | None = None) -> Tales:
    """Whole scenes until the text has at least `n_characters` (plain ASCII), so the text is a little longer.

    A longer text of the same seed begins with the shorter one. `progress` receives the fraction that is written, after
    each scene. Raises ValueError where n_characters is below one.
    """
    if n_characters < 1:
        raise ValueError(f"tales needs at least one character, not {n_characters}")
    writer = Writer(seed)
    while writer.n_characters < n_characters:
        Scene(writer).play()
        if progress:
            progress(min(1.0, writer.n_characters / n_characters))
    return Tales(writer.sentence_ends, writer.sentence_nats, writer.text())


def nats_of(text: str) -> float:
    """The information in whole scenes (nats), parsed from their text alone.

    Raises ValueError, with the line, where the grammar could not have written the text.
    """
    reader = Reader(text)
    while reader.position < len(text):
        Scene(reader).play()
    return reader.nats
