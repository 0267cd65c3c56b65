"""The text of a corpus as one file of UTF-8: memory-mapped, and each place in it a line of a file of the corpus.

A byte that no UTF-8 has stands before the first file, between two, and DEEPEST times behind the last: no passage goes
on from one file into the next, and whoever compares need not look for the end.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ..corpus import Corpus
from ..storage.plain_files import open_plain
from ..text_files import Progress, TextFiles

BORDER = b"\xff"
DEPTH = 32  # bytes that all places are sorted by; and so many more each time, where MANY agree in all of them
DEEPEST = 256  # bytes that no place is sorted beyond; so many borders stand behind the text
MANY = 512  # places that agree and are in no further order: so many are compared one by one
_BLOCK = 1 << 18  # bytes between two places at which is known how many lines and characters precede
_CONTINUATION = bytes(range(0x80, 0xC0))  # the bytes of a character in UTF-8 but its first


@dataclass(frozen=True)
class Place:
    """Where a passage stands. All of it counts from the beginning: characters from 0, lines and columns from 1."""

    offset: int  # of its first character in the text of the corpus
    file: str  # as the corpus calls it: its path below the folder, or its name
    line: int  # in that file
    column: int
    position: int  # of its first byte in the stored text, for `surroundings`


@dataclass(frozen=True)
class StoredFile:
    """Where a file of the corpus begins: with which byte of the stored text, which character of the corpus."""

    name: str
    start: int
    offset: int


@dataclass(frozen=True)
class TextLayout:
    """What is where in the stored text."""

    files: tuple[StoredFile, ...]
    lines: tuple[int, ...]  # line ends before each block
    characters: tuple[int, ...]  # code points before each block, borders included
    n_bytes: int  # of the stored text


def file_names(corpus: Corpus) -> list[str]:
    """How the files of the corpus are called, in their order: by the path below its folder, or by their name.

    A corpus that is known by name lies in a file of ours, of which nobody knows: that has the name of the corpus.
    """
    folder = Path(corpus.spec)
    if not isinstance(corpus.source, TextFiles) or (corpus.n_files == 1 and not folder.is_absolute()):
        return [corpus.name]
    paths = [file.path for file in corpus.source.files]
    return [
        str(path.relative_to(folder)) if path != folder and path.is_relative_to(folder) else path.name for path in paths
    ]


def file_sizes(corpus: Corpus) -> list[int]:
    """The bytes of those files on disk, which tell apart how one text may be divided into files."""
    return [file.n_bytes for file in corpus.source.files] if isinstance(corpus.source, TextFiles) else [corpus.n_bytes]


def text_length(corpus: Corpus, length: int | None) -> int:
    """How many characters are meant: the first `length`, or all of the text."""
    return corpus.n_characters if length is None else min(length, corpus.n_characters)


def store_text(corpus: Corpus, length: int, file: BinaryIO, progress: Progress | None = None) -> TextLayout:
    """Write the first `length` characters of the corpus to `file`; `progress` receives the fraction that is read.

    Raises UserError where the corpus is not what it was when it was opened, OSError where it cannot be written.
    """
    names, files = file_names(corpus), list[StoredFile]()
    counts, position, offset, here = _BlockCounts(), 0, 0, None
    for number, piece in corpus.parts(progress):
        if number is not None and offset < length:
            content = piece[: length - offset].encode()
            if number != here:
                content, here = BORDER + content, number
                files.append(StoredFile(names[number], position + 1, offset))
            file.write(content)
            counts.add(content)
            position += len(content)
        offset += len(piece)
    file.write(BORDER * DEEPEST)
    return TextLayout(tuple(files), tuple(counts.lines), tuple(counts.characters), position + DEEPEST)


class StoredText:
    """The stored text, opened. Its bytes are the attribute `content`, of which no place outside the files is asked."""

    def __init__(self, path: Path, layout: TextLayout) -> None:
        with open_plain(path) as file:
            self.content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self.content) != layout.n_bytes:
            raise ValueError(f"{path} has {len(self.content)} bytes and should have {layout.n_bytes}")
        self._layout = layout
        self._starts = [file.start for file in layout.files]

    def place(self, position: int) -> Place:
        """Which place of the corpus the byte at `position` is, the first of a character."""
        file = self._layout.files[bisect_right(self._starts, position) - 1]
        line_start = self.content.rfind(b"\n", file.start, position) + 1 or file.start
        lines, characters = self._before(position)
        lines_of_others, characters_of_others = self._before(file.start)
        return Place(
            file.offset + characters - characters_of_others,
            file.name,
            lines - lines_of_others + 1,
            characters - self._before(line_start)[1] + 1,
            position,
        )

    def around(self, position: int, length: int, before: int, after: int) -> tuple[str, str, str]:
        """`length` characters at the byte `position`, with at most so many before and after them in their file."""
        left = self.content[max(0, position - 4 * before) : position].rpartition(BORDER)[2]
        right = self.content[position : position + 4 * (length + after)].partition(BORDER)[0]
        # at an outer end a part of a character may be left, which lies further away than what is asked for
        text, following = left.decode(errors="ignore"), right.decode(errors="ignore")
        return text[max(0, len(text) - before) :], following[:length], following[length : length + after]

    def _before(self, position: int) -> tuple[int, int]:
        """The line ends and code points before `position`."""
        block = position // _BLOCK
        rest = self.content[block * _BLOCK : position]
        return self._layout.lines[block] + rest.count(b"\n"), self._layout.characters[block] + count_characters(rest)


def typecode(n_bytes: int) -> Literal["I", "q"]:
    """That of `array` for the places of a stored text of so many bytes."""
    return "I" if n_bytes < 1 << 32 else "q"


def count_characters(content: bytes) -> int:
    """How many characters of UTF-8 begin in `content`."""
    return len(content) if content.isascii() else len(content.translate(None, _CONTINUATION))


class _BlockCounts:
    """Counts lines and characters, and remembers how many there were before each block."""

    def __init__(self) -> None:
        self.lines, self.characters = [0], [0]
        self._n_lines = self._n_characters = self._filled = 0

    def add(self, content: bytes) -> None:
        for part in self._parts(content):
            self._n_lines += part.count(b"\n")
            self._n_characters += count_characters(part)
            self._filled += len(part)
            if self._filled == _BLOCK:
                self.lines.append(self._n_lines)
                self.characters.append(self._n_characters)
                self._filled = 0

    def _parts(self, content: bytes) -> Iterator[bytes]:
        """The content, cut where a block ends."""
        start = 0
        while start < len(content):
            end = start + _BLOCK - self._filled
            yield content[start:end]
            start = end
