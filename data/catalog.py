"""Corpora that are known by name, and the download of those that have an address."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .storage.atomic import write_atomic
from .storage.errors import UserError
from .storage.locations import folder
from .storage.plain_files import read_plain

_CHUNK = 1 << 16  # bytes between two calls of progress
_TIMEOUT = 10.0  # seconds without an answer


@dataclass(frozen=True)
class CatalogEntry:
    """A corpus with a name. One without a `url` is made on this machine."""

    name: str
    description: str
    url: str | None = None
    sha256: str | None = None
    n_bytes: int | None = None


CATALOG: dict[str, CatalogEntry] = {
    entry.name: entry
    for entry in (
        CatalogEntry("tales", "Little scenes made by a grammar: any size, offline, with a known entropy."),
        CatalogEntry(
            "tinyshakespeare",
            "40,000 lines of Shakespeare's plays, the usual first corpus (1.1 MB, downloaded once).",
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            1_115_394,
        ),
    )
}


def cache_folder() -> Path:
    """Where downloaded and made corpora are kept."""
    return folder("cache")


def downloaded_path(name: str, cache_dir: Path | None = None) -> Path:
    """Where the file of an entry lies once it was downloaded."""
    return (cache_dir or cache_folder()) / "corpora" / f"{name}.txt"


def download(
    entry: CatalogEntry, cache_dir: Path | None = None, progress: Callable[[float], None] | None = None
) -> Path:
    """The file of `entry`, downloaded once and checked against its checksum; `progress` receives the fraction done.

    A file that was put in place by hand counts as well. Raises UserError where there is no network, where the server
    sends something else, or where the file in place is another one.
    """
    if entry.url is None or entry.sha256 is None or entry.n_bytes is None:
        raise ValueError(f"{entry.name} is not downloaded but made")
    path = downloaded_path(entry.name, cache_dir)
    if path.exists():
        _verify(path, entry.sha256)
        return path
    elsewhere = f"without a network train on the built-in corpus 'tales', or put the file from {entry.url} at {path}"
    try:
        content = fetch(entry.url, entry.n_bytes, progress)
    except OSError as error:
        raise UserError(f"{entry.name} could not be downloaded ({error}); {elsewhere}") from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise UserError(f"the server sent something else than {entry.name} (its checksum differs); {elsewhere}")
    try:
        write_atomic(path, content)
    except OSError as error:
        raise UserError(f"{entry.name} cannot be stored at {path}: {error.strerror or error}") from error
    return path


def fetch(url: str, n_bytes: int, progress: Callable[[float], None] | None = None) -> bytes:
    """What the server sends, at most one chunk more than `n_bytes`. Raises OSError with the reason alone."""
    import http.client  # only here: they take longer to import than the rest of this room, and the app imports it
    import urllib.request

    content = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            while len(content) <= n_bytes and (chunk := response.read(_CHUNK)):
                content += chunk
                if progress:
                    progress(min(1.0, len(content) / n_bytes))
    except http.client.HTTPException as error:
        raise OSError(f"the answer is not HTTP: {error}") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error  # URLError wraps what the socket said
        raise OSError(getattr(reason, "strerror", None) or str(reason)) from error
    return bytes(content)


def _verify(path: Path, sha256: str) -> None:
    try:
        actual = hashlib.sha256(read_plain(path)).hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if actual != sha256:
        raise UserError(f"{path} is not the expected file (its checksum differs); delete it to download it again")
