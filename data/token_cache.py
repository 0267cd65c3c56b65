"""Encoded texts in the cache folder: NAME.ids holds the token ids alone, NAME.json their counts.

Files are written atomically, so any number of processes may read and write the same one. The size of the folder is
bounded: the least recently used files are removed first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from .catalog import cache_folder
from .storage.atomic import replace
from .storage.memo import recall, remember
from .storage.plain_files import open_plain

DTYPES = {"B": torch.uint8, "H": torch.uint16, "I": torch.int32}  # of the ids in an array, by its typecode
MAX_SIZE = 4 * 10**9  # bytes of all files


@dataclass(frozen=True)
class TokenCounts:
    """The numbers of training tokens and of the validation tokens after them, and what was encoded."""

    train: int
    validation: int
    validation_bytes: int
    left_out: dict[str, int]


@dataclass(frozen=True)
class _Kept(TokenCounts):
    """NAME.json: the counts, and a checksum of NAME.ids; older files have none, and the text is encoded again."""

    checksum: str = ""


def load_tokens(name: str, typecode: str) -> tuple[TokenCounts, Tensor] | None:
    """The tokens cached as `name`, memory-mapped; None where they are missing or damaged.

    The file is read once for its checksum, which takes about a second for a thousand million bytes.
    """
    path = _path(name)
    known, dtype = recall(path.with_suffix(".json")), DTYPES[typecode]
    if known is None:
        return None
    try:
        kept = _Kept(**known)
    except TypeError:
        return None
    counts = TokenCounts(kept.train, kept.validation, kept.validation_bytes, kept.left_out)
    n_tokens = counts.train + counts.validation
    try:
        if not n_tokens or path.stat().st_size != n_tokens * dtype.itemsize or _checksum(path) != kept.checksum:
            return None
        tokens = torch.from_file(str(path), shared=False, size=n_tokens, dtype=dtype)
    except (OSError, RuntimeError):  # RuntimeError: it was removed a moment ago
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of its last use
    return counts, tokens


def store_tokens(
    name: str, typecode: str, encode: Callable[[Callable[[array[int]], object]], TokenCounts]
) -> tuple[TokenCounts, Tensor] | None:
    """Call `encode` with a function that appends ids to the file `name`, then load that file.

    None where it cannot be written. What `encode` raises is passed on, and no file is left behind.
    """
    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            try:
                checksum = hashlib.sha256()

                def write(ids: array[int]) -> None:
                    file.write(ids)
                    checksum.update(ids)

                counts = encode(write)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                file.close()
                Path(file.name).unlink(missing_ok=True)
                raise
        replace(Path(file.name), path)
    except OSError:
        return None
    remember(path.with_suffix(".json"), asdict(_Kept(**asdict(counts), checksum=checksum.hexdigest())))
    _evict(path)
    return load_tokens(name, typecode)


def _checksum(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal, read in pieces."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _path(name: str) -> Path:
    return cache_folder() / "tokens" / f"{name}.ids"


def _evict(newest: Path) -> None:
    """Remove the least recently used files until the rest fits into MAX_SIZE bytes; never `newest`."""
    files = []
    for path in newest.parent.iterdir():
        with contextlib.suppress(OSError):  # another process removed it
            files.append((path.stat().st_mtime, path.stat().st_size, path))
    size = sum(size for _, size, _ in files)
    for _, n_bytes, path in sorted(files):
        if size <= MAX_SIZE:
            return
        if path.suffix != ".json" and path != newest:
            with contextlib.suppress(OSError):
                path.unlink()
                path.with_suffix(".json").unlink(missing_ok=True)
                size -= n_bytes
