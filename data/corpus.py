"""The text that a model learns from, whatever it comes from.

A spec names it: `tales`, `tales:10MB`, `tales:1MB:seed=7`, a name of the catalogue, or the path of a file or folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import write_atomic
from .catalog import CATALOG, CorpusError, cache_folder, download
from .text_files import find_text

if TYPE_CHECKING:
    from .tales import Tales

__all__ = [
    "Corpus",
    "CorpusError",
    "CorpusSummary",
    "check_length",
    "inspect_corpus",
    "normalise",
    "open_corpus",
    "split_position",
]

Progress = Callable[[float], None]

_PREVIEW = 300  # characters
_TALES = re.compile(r"tales(?::(?P<amount>\d+(?:\.\d+)?)(?P<unit>KB|MB|GB))?(?::seed=(?P<seed>\d{1,18}))?")
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_TALES_SIZE = (10**3, 10**9)  # smallest and largest, in characters
_TALES_DEFAULT_SIZE, _TALES_DEFAULT_SEED = 10**6, 1


@dataclass(frozen=True)
class Corpus:
    r"""A text with its origin. The text has \n as its only line end; sizes and fingerprint are those of this text."""

    name: str
    spec: str  # what `open_corpus` understands from any working directory
    text: str
    fingerprint: str  # SHA-256 of the text in UTF-8, in hexadecimal
    n_bytes: int  # in UTF-8
    notices: tuple[str, ...]  # what was odd about the source, one sentence each

    @property
    def n_characters(self) -> int:
        """Code points of the text."""
        return len(self.text)

    def entropy_floor(self, start: int, end: int) -> float | None:
        """Information of text[start:end] in nats per character, which no model can beat on unseen text.

        Known for `tales` alone, whose grammar says how probable the text is; None for every other corpus.
        """
        made = _parse_tales(self.spec)
        return _tales_with_information(*made, self.text).nats_per_character(start, end) if made else None


@dataclass(frozen=True)
class CorpusSummary:
    """What a form shows of a corpus, without its text."""

    name: str
    spec: str
    fingerprint: str
    n_bytes: int
    n_characters: int
    vocabulary: int  # distinct characters
    n_files: int
    notices: tuple[str, ...]
    preview: str  # the first 300 characters


def normalise(spec: str) -> str:
    """The spec that means the same from any working directory: a path becomes absolute, with ~ resolved."""
    spec = spec.strip()
    if not spec or spec in CATALOG or spec.startswith("tales:"):
        return spec
    return os.path.abspath(os.path.expanduser(spec))


def open_corpus(spec: str, *, progress: Progress | None = None) -> Corpus:
    """Read, make or download the corpus that `spec` names; `progress` receives the fraction that is done.

    Raises CorpusError, in one sentence, for anything that is not text to learn from.
    """
    source = _source(spec, progress)
    text = "".join(source.pieces)
    content = text.encode()
    fingerprint = hashlib.sha256(content).hexdigest()
    return Corpus(source.name, source.spec, text, fingerprint, len(content), source.notices)


def inspect_corpus(spec: str, *, progress: Progress | None = None) -> CorpusSummary:
    """The same checks as `open_corpus`, but files are read piece by piece and nothing of them is kept."""
    source = _source(spec, progress)
    digest, alphabet, preview = hashlib.sha256(), set[str](), ""
    n_bytes = n_characters = 0
    for piece in source.pieces:
        content = piece.encode()
        digest.update(content)
        alphabet.update(piece)
        n_bytes += len(content)
        n_characters += len(piece)
        preview += piece[: _PREVIEW - len(preview)]
    return CorpusSummary(
        source.name, source.spec, digest.hexdigest(), n_bytes, n_characters, len(alphabet), source.n_files,
        source.notices, preview,
    )  # fmt: skip


def split_position(n_characters: int, validation_fraction: float) -> int:
    """Where the validation text begins: the first characters train, the last `validation_fraction` validate."""
    return int(n_characters * (1 - validation_fraction))


def check_length(n_train: int, n_validation: int, context_length: int) -> None:
    """Raise CorpusError where a part of the text has fewer than context_length + 1 tokens.

    One token more than the context, because each position of a window has a next token to predict.
    """
    largest = min(n_train, n_validation) - 1
    if largest >= context_length:
        return
    remedy = (
        f"choose a context length of at most {largest:,} or a longer text" if largest > 0 else "choose a longer text"
    )
    raise CorpusError(
        f"the text has {n_train:,} tokens to train on and {n_validation:,} to validate on, but a context length of "
        f"{context_length:,} needs at least {context_length + 1:,} of each; {remedy}"
    )


@dataclass(frozen=True)
class _Source:
    """A corpus that is about to be read."""

    name: str
    spec: str
    pieces: Iterable[str]
    n_files: int = 1
    notices: tuple[str, ...] = ()


def _source(spec: str, progress: Progress | None) -> _Source:
    spec = normalise(spec)
    if not spec:
        raise CorpusError(f"no corpus is named; choose a file, a folder or one of {', '.join(CATALOG)}")
    if tales := _parse_tales(spec):
        return _Source("tales", spec, [_tales_text(*tales)])
    if spec in CATALOG:
        files = find_text(download(CATALOG[spec], progress=progress))
        return _Source(spec, spec, files.pieces())
    path = Path(spec)
    if "\0" in spec or not os.path.lexists(path):
        raise CorpusError(f"{spec} is neither a file nor a folder nor a known corpus ({', '.join(CATALOG)})")
    files = find_text(path)
    return _Source(path.name or spec, spec, files.pieces(progress), len(files.files), files.notices)


def _parse_tales(spec: str) -> tuple[int, int] | None:
    """Size in characters and seed of a `tales` spec; None for another corpus."""
    if spec != "tales" and not spec.startswith("tales:"):
        return None
    match = _TALES.fullmatch(spec)
    if not match:
        raise CorpusError(f"'{spec}' is not understood; write tales, tales:10MB or tales:1MB:seed=7")
    size = round(float(match["amount"]) * _UNITS[match["unit"]]) if match["amount"] else _TALES_DEFAULT_SIZE
    if not _TALES_SIZE[0] <= size <= _TALES_SIZE[1]:
        raise CorpusError(f"'{spec}' is out of range; the size may go from 1KB to 1GB")
    return size, int(match["seed"] or _TALES_DEFAULT_SEED)


def _tales_path(n_characters: int, seed: int) -> Path:
    """The text's place in the cache; beside it, with the ending .nats, lies the information of its sentences.

    The grammar is part of the name, so a changed one makes its texts anew.
    """
    grammar = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("tales*.py")):
        grammar.update(path.read_bytes())
    return cache_folder() / "corpora" / f"tales-{n_characters}-{seed}-{grammar.hexdigest()[:12]}.txt"


def _tales_text(n_characters: int, seed: int) -> str:
    """The text from the cache, or made and put there; a cache that cannot be written costs only time."""
    path = _tales_path(n_characters, seed)
    with contextlib.suppress(OSError, UnicodeError):
        return path.read_bytes().decode()
    from .tales import generate  # only here and below: most processes find the text in the cache

    tales = generate(n_characters, seed)
    with contextlib.suppress(OSError):
        write_atomic(path.with_suffix(".nats"), array("d", [*tales.sentence_ends, *tales.sentence_nats]).tobytes())
        write_atomic(path, tales.text)
    return tales.text


def _tales_with_information(n_characters: int, seed: int, text: str) -> Tales:
    """The information from the cache, or else from writing the same text again."""
    from .tales import Tales, generate

    with contextlib.suppress(OSError, ValueError):  # ValueError: the file is cut within a number
        table = array("d", _tales_path(n_characters, seed).with_suffix(".nats").read_bytes())
        half = len(table) // 2
        if half and table[half - 1] == len(text):
            return Tales(text, array("Q", map(int, table[:half])), table[half:])
    return generate(n_characters, seed)
