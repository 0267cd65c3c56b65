"""What a model will learn from a text: its encoding, its lines, how many of them are repeated, who speaks.

A long text is looked at up to a limit, in bounded memory; how much of it that was is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .character_encoding import encoding_name
from .corpus import Corpus
from .speakers.finding import Speakers, find_speakers
from .speakers.reading import known_speakers
from .storage.errors import UserError
from .text_files import TextFiles

_MOST_CHARACTERS = 4_000_000
_MOST_LINES = 200_000  # distinct ones that are remembered
_MOST_SECONDS = 2.0
_MOST_FOR_SPEAKERS = 1_000_000  # characters
_MOST_ENCODINGS = 3


@dataclass(frozen=True)
class TextPreview:
    """Figures of the first `n_characters` of a text, or of all of it."""

    n_characters: int
    complete: bool
    n_lines: int
    n_repeated: int  # lines that stood there before; those without a letter do not count
    n_written: int  # lines with anything on them
    encodings: tuple[str, ...]  # of its files, the most frequent first
    speakers: Speakers | None

    @property
    def repeated(self) -> float:
        """The share of the lines with anything on them that stood there before."""
        return self.n_repeated / self.n_written if self.n_written else 0.0


def preview_of(corpus: Corpus, is_cancelled: Callable[[], bool] = lambda: False) -> TextPreview | None:
    """Look at the beginning of a text, for two seconds at most; None where that was cancelled.

    Raises UserError where a file of it has changed or is gone.
    """
    until, read, n_lines, n_repeated, n_written = time.monotonic() + _MOST_SECONDS, 0, 0, 0, 0
    seen, beginning, rest, complete = set[int](), list[str](), "", True
    parts = corpus.source.parts()
    for _, piece in parts:
        if is_cancelled():
            return None
        if read < _MOST_FOR_SPEAKERS:
            beginning.append(piece)
        read += len(piece)
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            n_lines += 1
            if line.strip():
                n_written += 1
                key = hash(line)
                n_repeated += key in seen
                seen.add(key)
        if read >= _MOST_CHARACTERS or len(seen) > _MOST_LINES or time.monotonic() > until:
            complete = read >= corpus.n_characters
            break
    if complete and rest:
        n_lines, n_written = n_lines + 1, n_written + bool(rest.strip())
        n_repeated += bool(rest.strip()) and hash(rest) in seen
    return TextPreview(
        read, complete, n_lines, n_repeated, n_written, _encodings(corpus), _speakers(corpus, "".join(beginning))
    )


def _encodings(corpus: Corpus) -> tuple[str, ...]:
    files = corpus.source.files if isinstance(corpus.source, TextFiles) else ()
    names = [encoding_name(file.encoding) for file in files]
    return tuple(sorted(set(names), key=lambda name: (-names.count(name), name)))[:_MOST_ENCODINGS]


def _speakers(corpus: Corpus, beginning: str) -> Speakers | None:
    """Who speaks in the text, as far as anybody has looked; else in its beginning."""
    try:
        if known := known_speakers(corpus.fingerprint):
            return known[0]
        return find_speakers(beginning[:_MOST_FOR_SPEAKERS])
    except UserError:
        return None
