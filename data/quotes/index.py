"""The index of a corpus in the cache: NAME.text, NAME.places, and NAME.json, which says what they must be.

They are written atomically and read by mapping them into memory, so any number of processes share them. Whatever is not
as it was written counts as absent. What a search finds has been compared with the text, so a damaged order of places
could hide a passage but not invent one.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ..catalog import cache_folder
from ..corpus import Corpus
from ..storage.memo import recall, remember
from ..storage.plain_files import open_plain
from ..storage.typed_json import SchemaError, from_plain
from .matches import SortedSuffixes
from .quotes import Occurrences, Passage, Quotes, longest_of, passages_of, share
from .stored_text import Place, StoredText, TextLayout, file_names, file_sizes, text_length, typecode

_FORMAT = 1  # of the files; part of their name
MAX_SIZE = 12 * 10**9  # bytes of all indexes; the one of a gigabyte of English has five


@dataclass(frozen=True)
class IndexRecord:
    """NAME.json. A file whose state on disk is another one than recorded is compared with its checksum."""

    layout: TextLayout
    n_places: int
    checksums: tuple[str, str]  # SHA-256 of the text, of the places
    states: tuple[str, str]


class QuoteIndex:
    """Finds what of a text stands word for word in one corpus. Made by `open`."""

    def __init__(self, text: StoredText, places: memoryview) -> None:
        self._text = text
        self._suffixes = SortedSuffixes(text.content, places)

    @classmethod
    def open(cls, corpus: Corpus, length: int | None = None) -> QuoteIndex | None:
        """The index of this corpus from the cache, or of its first `length` characters, those that a run learns from.

        None where there is none, or it is damaged: `build.build_index` makes one.

        Takes milliseconds; where the files were copied or changed since they were made, seconds for a gigabyte.
        """
        path = index_path(corpus, length)
        record = _recorded(path)
        if record is None:
            return None
        files = paths_of(path)
        try:
            states = (state_of(files[0]), state_of(files[1]))
            if states != record.states:
                if (checksum_of(files[0]), checksum_of(files[1])) != record.checksums:
                    return None
                remember(path, asdict(IndexRecord(record.layout, record.n_places, record.checksums, states)))
            text = StoredText(files[0], record.layout)
            with open_plain(files[1]) as file:
                places = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            places = places.cast(typecode(record.layout.n_bytes))
        except (OSError, ValueError, TypeError):  # absent, empty, or of no whole number of places
            return None
        if len(places) != record.n_places:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the time of its last use
        return cls(text, places)

    def find(self, text: str) -> Quotes:
        """What of `text` is quoted: exact, by Unicode code points, and within one file of the corpus.

        Some 10 microseconds for each character that is not quoted, less for those that are.
        """
        matches = self._suffixes.matches(text)
        longest = longest_of(matches)
        passage = longest and Passage(longest.start, longest.end, self._text.place(longest.position))
        return Quotes(
            passage, share(matches, 10), share(matches, 20), share(matches, 50), tuple(passages_of(matches, 10))
        )

    def occurrences(self, text: str, most: int = 1000) -> Occurrences:
        """Where `text` stands in the corpus; where that is in more than `most` places, so many of them."""
        positions, complete = self._suffixes.positions(text, most) if text else ([], True)
        return Occurrences(tuple(map(self._text.place, positions)), complete)

    def around(self, place: Place, length: int, before: int = 200, after: int = 200) -> tuple[str, str, str]:
        """`length` characters of the corpus from a place on, with at most so many of its file before and after them."""
        return self._text.around(place.position, length, before, after)

    def surroundings(self, passage: Passage, before: int = 200, after: int = 200) -> tuple[str, str, str]:
        """The passage where it stands in the corpus: at most `before` characters of the same file, itself, `after`."""
        return self.around(passage.place, len(passage), before, after)


def index_path(corpus: Corpus, length: int | None = None) -> Path:
    """Where its NAME.json lies, named by the text, by how much of it is meant, and by how it lies in files."""
    files = [*zip(file_names(corpus), file_sizes(corpus), strict=True)]
    described = f"{_FORMAT} {corpus.fingerprint} {text_length(corpus, length)} {sys.byteorder} {files!r}"
    name = hashlib.sha256(described.encode(errors="surrogatepass")).hexdigest()[:32]
    return cache_folder() / "quotes" / f"{name}.json"


def paths_of(path: Path) -> tuple[Path, Path]:
    """The text and the places that belong to NAME.json."""
    return path.with_suffix(".text"), path.with_suffix(".places")


def state_of(path: Path) -> str:
    """What the file system says of the file; another one after each change. Raises OSError."""
    status = path.stat()
    return f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"


def checksum_of(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal, read in pieces. Raises OSError."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recorded(path: Path) -> IndexRecord | None:
    try:
        return from_plain(IndexRecord, recall(path))
    except SchemaError:  # nothing is there, or another version wrote it
        return None
