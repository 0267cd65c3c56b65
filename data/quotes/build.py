"""Makes the index of a corpus: its text in one file, and all places of that in order. Heavy: it imports torch.

Measured with one thread on a shared virtual core: one to two seconds of CPU a megabyte of program text and English
(three where most of it stands everywhere, ten where all of it is one repetition). A gigabyte took 27 minutes. On disk
are the text and four bytes for each of its characters, and a quarter more while it is built (as much again where it is
one repetition). Memory beyond what torch takes: 220 MB for 5 MB of text, 490 MB for a gigabyte. 4,000 characters are
searched in 5 (all of them quoted) to 40 milliseconds.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..corpus import Corpus
from ..storage.atomic import complete_file
from ..storage.errors import UserError
from ..storage.memo import remember
from ..text_files import Progress
from .index import MAX_SIZE, IndexRecord, QuoteIndex, checksum_of, index_path, paths_of, state_of
from .stored_text import store_text, text_length, typecode
from .suffix_order import IN_MEMORY, SuffixSorter

_READING = 0.1  # of the time that it takes in all
_ABANDONED = 24 * 3600.0  # seconds after which a half-written file is nobody's


def build_index(
    corpus: Corpus, length: int | None = None, progress: Progress = lambda fraction: None, in_memory: int = IN_MEMORY
) -> QuoteIndex:
    """Build the index of the corpus in the cache, or of its first `length` characters, and open it.

    At most `in_memory` places are sorted at once. `progress` receives the fraction that is done; an exception that it
    raises ends the building, and no file is left behind. Raises UserError where the disk has no room for it or the text
    is not what it was when the corpus was opened, OSError where the cache cannot be written.
    """
    path, n_characters = index_path(corpus, length), text_length(corpus, length)
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_room(path.parent, corpus, n_characters)
    text_path, places_path = paths_of(path)
    with complete_file(text_path) as text, complete_file(places_path) as places:
        with text.open("wb") as file:
            layout = store_text(corpus, n_characters, file, _part(progress, 0, _READING))
        with places.open("wb") as file:
            sorting = _part(progress, _READING, 1)
            n_places = SuffixSorter(text, layout.n_bytes, path.parent, sorting, in_memory).write(file)
        checksums = (checksum_of(text), checksum_of(places))
    states = (state_of(text_path), state_of(places_path))
    remember(path, asdict(IndexRecord(layout, n_places, checksums, states)))
    index = QuoteIndex.open(corpus, length)
    if index is None:
        raise UserError(f"the index of quotes in {path.parent} cannot be read after it was written; check that disk")
    return index


def _part(progress: Progress, start: float, end: float) -> Callable[[float], None]:
    return lambda fraction: progress(start + fraction * (end - start))


def _make_room(folder: Path, corpus: Corpus, n_characters: int) -> None:
    """Remove the least recently used indexes, and what was left half-written. Raises UserError where none helps."""
    size_of_place = 4 if typecode(corpus.n_bytes) == "I" else 8
    needed = corpus.n_bytes + n_characters * size_of_place * 5 // 4  # a part of the places is there twice
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process removed it
            status = path.stat()
            if path.suffix == ".tmp" and time.time() - status.st_mtime > _ABANDONED:
                path.unlink()
            elif path.suffix == ".json":
                files.append((status.st_mtime, path))
    for _, oldest in sorted(files):
        if needed + sum(path.stat().st_size for path in folder.iterdir()) <= MAX_SIZE:
            break
        for path in (oldest, *paths_of(oldest)):
            path.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"an index of quotes from {corpus.name} takes {needed / 1e9:.1f} GB, and the disk of {folder} has "
            f"{free / 1e9:.1f} GB left; free some space there"
        )
