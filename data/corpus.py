r"""The text that a model is trained on, wherever it comes from.

A spec names it: `tales`, `tales:10MB`, `tales:1MB:seed=7`, a name of the catalogue, or the path of a file or folder.
The text itself is never kept in memory: it is read, piece by piece, whenever it is needed. What the first pass over a
large text found is cached until its files change.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .catalog import CATALOG, cache_folder, download
from .storage.errors import UserError
from .storage.memo import recall, remember
from .tales import cache as tales
from .text_files import DEFAULT_READING, Listing, Progress, Reading, TextFile, TextFiles, list_files
from .typed_path import typed_path

__all__ = [
    "Corpus",
    "add_characters",
    "check_length",
    "normalise",
    "open_corpus",
    "split_position",
]

_PREVIEW = 300  # characters
_LARGE = 8 * 10**6  # bytes of files from which on reading them takes longer than reading the cache
_MTIME_RESOLUTION = 2.0  # seconds; a file may change again within this time without a new modification time


class TextSource(Protocol):
    """Where a text can be read from, again and again."""

    def parts(self, progress: Progress | None = None) -> Iterator[tuple[int | None, str]]:
        """The text in pieces, each with the number of its file; None for what stands between two of them."""
        ...


@dataclass(frozen=True)
class Corpus:
    r"""A text with its origin. The text has \n as its only line end; sizes and fingerprint are those of this text."""

    name: str
    spec: str  # what `open_corpus` understands from any working directory
    fingerprint: str  # SHA-256 of the text in UTF-8, in hexadecimal
    n_bytes: int  # in UTF-8
    n_characters: int  # code points
    n_files: int
    alphabet: str  # the distinct characters, sorted
    notices: tuple[str, ...]  # what was odd about the source, one sentence each
    preview: str  # the first 300 characters
    reading: Reading = DEFAULT_READING  # how its files are read
    source: TextSource = field(default=TextFiles((), ()), repr=False, compare=False)

    def pieces(self, progress: Progress | None = None) -> Iterator[str]:
        """The text from its beginning, piece by piece, in little memory.

        `progress` receives the fraction that is done with when the next piece is asked for. Raises UserError, at the
        end at the latest, where the text is not what it was when the corpus was opened.
        """
        return (piece for _, piece in self.parts(progress))

    def parts(self, progress: Progress | None = None) -> Iterator[tuple[int | None, str]]:
        """The same pieces, each with the number of its file, from 0; None for what stands between two of them."""
        digest = hashlib.sha256()
        for number, piece in self.source.parts(progress):
            digest.update(piece.encode())
            yield number, piece
        if digest.hexdigest() != self.fingerprint:
            raise UserError(f"the text of {self.name} ({self.spec}) changed while it was read; try again")

    def read(self) -> str:
        """The whole text at once. Raises UserError as `pieces` does."""
        return "".join(self.pieces())

    def entropy_floor(self, start: int, end: int) -> float | None:
        """The entropy of text[start:end] in nats per character: no model has a lower loss on unseen text.

        Known for `tales` alone, whose grammar says how probable the text is; None for every other corpus.
        """
        tale = tales.parse(self.spec)
        return tales.information(tale, self.n_characters).nats_per_character(start, end) if tale else None


def normalise(spec: str) -> str:
    """The spec that means the same from any working directory: a path, however it is typed, becomes absolute."""
    name = spec.strip()
    if not name or name in CATALOG or name.startswith("tales:"):
        return name
    return os.path.abspath(typed_path(spec))


def open_corpus(spec: str, *, reading: Reading = DEFAULT_READING, progress: Progress | None = None) -> Corpus:
    """Read, make or download the corpus that `spec` names; `progress` receives the fraction that is done.

    `reading` says how files of one's own are read. Raises UserError, in one sentence, for anything that is not text to
    learn from; MarkupError for what is read as it stands only where that is asked for.
    """
    spec = normalise(spec)
    if not spec:
        raise UserError(f"no corpus is named; choose a file, a folder or one of {', '.join(CATALOG)}")
    if tale := tales.parse(spec):
        if (text := tales.make(tale, progress)) is not None:
            return _scan("tales", spec, _TextInMemory(text), None)
        return _open_files("tales", spec, tale.path, DEFAULT_READING, progress)
    if spec in CATALOG:
        return _open_files(spec, spec, download(CATALOG[spec], progress=progress), DEFAULT_READING, None)
    path = Path(spec)
    if "\0" in spec or not os.path.lexists(path):
        raise UserError(f"{spec} is neither a file nor a folder nor a known corpus ({', '.join(CATALOG)})")
    return _open_files(path.name or spec, spec, path, reading, progress)


def split_position(n_characters: int, validation_fraction: float) -> int:
    """Where the validation text begins: the first characters train, the last `validation_fraction` validate."""
    return int(n_characters * (1 - validation_fraction))


def check_length(n_train: int, n_validation: int, context_length: int, *, exact: bool = True) -> None:
    """Raise UserError where a part of the text has fewer than context_length + 1 tokens.

    One token more than the context, because each position of a window has a next token to predict. Numbers that are
    not `exact` are the most that there can be.
    """
    largest = min(n_train, n_validation) - 1
    if largest >= context_length:
        return
    remedy = (
        f"choose a context length of at most {largest:,} or a longer text" if largest > 0 else "choose a longer text"
    )
    raise UserError(
        f"the text has {'' if exact else 'at most '}{n_train:,} tokens to train on and {n_validation:,} to validate "
        f"on, but a context length of {context_length:,} needs at least {context_length + 1:,} of each; {remedy}"
    )


def add_characters(alphabet: set[str], content: bytes) -> None:
    """Add the distinct characters of `content`, which is UTF-8.

    Fast, because the ASCII characters that are known already, most of a text, are deleted before it is decoded.
    """
    seen = "".join(filter(str.isascii, alphabet)).encode()
    alphabet.update(content.translate(None, seen).decode())


@dataclass(frozen=True)
class _TextInMemory:
    """A text that could not be written to the cache."""

    text: str

    def parts(self, progress: Progress | None = None) -> Iterator[tuple[int | None, str]]:
        """All of it at once, as one file."""
        yield 0, self.text
        if progress:
            progress(1.0)


def _open_files(name: str, spec: str, path: Path, reading: Reading, progress: Progress | None) -> Corpus:
    """The corpus of the text files at `path`, recalled or else read; half of the reading is to examine them."""
    since, listing = time.time(), list_files(path, reading)
    memo = cache_folder() / "scans" / f"{hashlib.sha256(spec.encode(errors='surrogatepass')).hexdigest()[:32]}.json"
    large = listing.n_bytes >= _LARGE
    if large and (known := _recall(memo, listing)):
        return known
    files = listing.examine(progress and (lambda fraction: progress(fraction / 2)))
    corpus = _scan(name, spec, files, progress and (lambda fraction: progress(0.5 + fraction / 2)), reading)
    if large and since - listing.newest > _MTIME_RESOLUTION and list_files(path, reading).stamp == listing.stamp:
        found = {key: value for key, value in vars(corpus).items() if key not in ("source", "reading")}
        places = [(os.fspath(file.path), file.n_bytes, file.encoding, file.errors) for file in files.files]
        remember(memo, {"stamp": listing.stamp, "corpus": found, "files": places})
    return corpus


def _recall(memo: Path, listing: Listing) -> Corpus | None:
    """The corpus of these files from the cache; None where it is not there or a file has changed."""
    known: Any = recall(memo)
    if not known or known["stamp"] != listing.stamp:
        return None
    notices = tuple(known["corpus"].pop("notices"))
    files = tuple(TextFile(Path(path), *of_file) for path, *of_file in known["files"])
    return Corpus(**known["corpus"], notices=notices, reading=listing.reading, source=TextFiles(files, notices))


def _scan(
    name: str,
    spec: str,
    source: TextFiles | _TextInMemory,
    progress: Progress | None,
    reading: Reading = DEFAULT_READING,
) -> Corpus:
    """Read the text once, for all that a corpus tells of it."""
    digest, alphabet, preview = hashlib.sha256(), set[str](), ""
    n_bytes = n_characters = 0
    for _, piece in source.parts(progress):
        content = piece.encode()
        digest.update(content)
        n_bytes += len(content)
        n_characters += len(piece)
        preview += piece[: _PREVIEW - len(preview)]
        add_characters(alphabet, content)
    n_files, notices = (len(source.files), source.notices) if isinstance(source, TextFiles) else (1, ())
    return Corpus(
        name, spec, digest.hexdigest(), n_bytes, n_characters, n_files, "".join(sorted(alphabet)), notices, preview,
        reading, source,
    )  # fmt: skip
