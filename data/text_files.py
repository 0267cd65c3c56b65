r"""Text from files: which files of a folder are text, how a file is encoded, every line end as \n.

A file is read twice, in pieces: once to find out whether it is text and in which encoding, once for the text. So a file
of any size needs little memory, and one that turns out not to be text has contributed nothing yet.

What the first pass found may be cached for as long as `Listing.stamp` stays the same.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .storage.errors import UserError

Progress = Callable[[float], None]
Remarks = dict[str, list[str]]  # remark -> the names of the files that it is about

_FORMAT = 1  # version of what is cached; part of the stamp
_HEAD = 1 << 16  # bytes of a file's beginning by which binary files are recognised
_PIECE = 1 << 18  # characters read at once: a tokenizer takes some hundredths of a second for them
_MAX_DEPTH = 32  # levels of folders below the first
_CONTROL = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\f\r\b\x1b"})
_CONTROL_LIMIT = 0.05  # share of the head; of random bytes a tenth are control characters

# Byte order marks, UTF-32 before UTF-16, whose mark is the beginning of UTF-32's.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ENCODING_REMARKS = {
    "utf-16": "not UTF-8; read as UTF-16",
    "utf-32": "not UTF-8; read as UTF-32",
    "cp1252": "not UTF-8; read as Windows-1252",
    "latin-1": "not UTF-8; read as Latin-1",
}


@dataclass(frozen=True)
class TextFile:
    """A file that is known to be text."""

    path: Path
    n_bytes: int
    encoding: str


@dataclass(frozen=True)
class TextFiles:
    """The text files at a path, examined but not yet read; `notices` says what was odd or left out."""

    files: tuple[TextFile, ...]
    notices: tuple[str, ...]

    def pieces(self, progress: Progress | None = None) -> Iterator[str]:
        r"""The text, piece by piece: every line end is \n, and a blank line stands between files.

        `progress` receives the fraction that is done with when the next piece is asked for. Raises UserError where a
        file changes meanwhile.
        """
        total, done, last = sum(file.n_bytes for file in self.files), 0, ""
        for file in self.files:
            if last:
                yield "\n" if last == "\n" else "\n\n"
            try:
                with file.path.open("rb") as raw:
                    text = io.TextIOWrapper(raw, file.encoding)
                    while piece := text.read(_PIECE):
                        yield piece
                        last = piece[-1]
                        if progress:
                            progress(min(1.0, (done + raw.tell()) / total))
            except (OSError, UnicodeError) as error:
                raise UserError(f"{file.path} changed while it was read; try again") from error
            done += file.n_bytes


@dataclass(frozen=True)
class Listing:
    """The files at a path with their os.stat (None where that failed), not yet read."""

    path: Path
    files: tuple[tuple[Path, os.stat_result | None], ...]
    remarks: Remarks

    @property
    def n_bytes(self) -> int:
        """The size of all of them."""
        return sum(status.st_size for _, status in self.files if status)

    @property
    def newest(self) -> float:
        """The Unix time at which one of them was last written."""
        return max((status.st_mtime for _, status in self.files if status), default=0.0)

    @property
    def stamp(self) -> str:
        """A digest that changes when a file is added, removed, replaced or written."""
        digest = hashlib.sha256(f"{_FORMAT} {self.remarks!r}".encode())
        for path, status in self.files:
            state = status and (status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
            digest.update(f"{os.fspath(path)!r} {state}".encode())
        return digest.hexdigest()

    def examine(self, progress: Progress | None = None) -> TextFiles:
        """Read all files to find out which are text; `progress` receives the fraction that is done.

        In a folder, hidden, binary, empty and unreadable files and links to folders are left out and counted in the
        notices. Raises UserError where nothing is left, or where `path` itself is such a file.
        """
        remarks: Remarks = {remark: [*names] for remark, names in self.remarks.items()}
        total, done, found = max(1, self.n_bytes), 0, list[TextFile]()

        def report(n_bytes: int) -> None:
            if progress:
                progress(min(1.0, (done + n_bytes) / total))

        for path, status in self.files:
            try:
                found.append(_examine(path, remarks, report))
            except _NotTextError as problem:
                if path == self.path:
                    raise UserError(f"{path.name} is {problem.remark}; {problem.remedy}") from problem
                _remark(remarks, f"{problem.remark}; left out", path)
            done += status.st_size if status else 0
        notices = _notices(remarks)
        if not found:
            there = "; ".join(notices).replace("; left out", "") or "it is empty"
            raise UserError(f"the folder {self.path} has no text ({there}); choose a folder with plain text files")
        return TextFiles(tuple(found), notices)


def list_files(path: Path) -> Listing:
    """The file at `path`, or all files below that folder that are not hidden, in the order of their relative paths."""
    remarks: Remarks = {}
    paths = _walk(path, 0, remarks) if os.path.isdir(path) else [path]
    return Listing(path, tuple((path, _status(path)) for path in paths), remarks)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


class _NotTextError(Exception):
    """A file is not text that can be read: it "is `remark`; `remedy`"."""

    def __init__(self, remark: str, remedy: str) -> None:
        self.remark, self.remedy = remark, remedy


def _examine(path: Path, remarks: Remarks, report: Callable[[int], None]) -> TextFile:
    """Read all of a file to find its encoding; adds to the remarks, and reports how many bytes have been read.

    Raises _NotTextError.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            raise _NotTextError("special (a pipe or a device)", "choose a plain text file or a folder")
        with path.open("rb") as file:
            head = file.read(_HEAD)
        mark = next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)
        if not mark and _is_binary(head):
            raise _NotTextError("binary, not text", "choose plain text, or export the text from it first")
        for encoding in [mark] if mark else ["utf-8", "cp1252", "latin-1"]:
            try:
                blank, other_line_ends = _scan(path, encoding, report)
            except UnicodeError:
                continue
            if blank:
                raise _NotTextError("empty", "choose a file with at least a few thousand characters of text")
            if encoding in _ENCODING_REMARKS:
                _remark(remarks, _ENCODING_REMARKS[encoding], path)
            if other_line_ends:
                _remark(remarks, "written with Windows or old Mac line ends; read with plain ones", path)
            return TextFile(path, status.st_size, encoding)
    except OSError as error:
        raise _NotTextError(f"not readable ({error.strerror or error})", "choose another file") from error
    raise _NotTextError(
        f"damaged (it begins as {mark} and goes on as something else)", "save it as UTF-8 and try again"
    )


def _scan(path: Path, encoding: str, report: Callable[[int], None]) -> tuple[bool, bool]:
    r"""Whether the file holds nothing but space, and whether it has line ends other than \n. Raises UnicodeError."""
    blank = True
    with path.open("rb") as raw:
        text = io.TextIOWrapper(raw, encoding)
        while piece := text.read(_PIECE):
            blank = blank and piece.isspace()
            report(raw.tell())
        line_ends = text.newlines or ()
    return blank, "\r" in "".join(line_ends)


def _is_binary(head: bytes) -> bool:
    control = len(head) - len(head.translate(None, _CONTROL))
    return b"\0" in head or control > _CONTROL_LIMIT * len(head)


def _walk(folder: Path, depth: int, remarks: Remarks) -> Iterator[Path]:
    """All files below a folder that are not hidden, sorted. Folders are never entered through a link: no loops."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        _remark(remarks, f"not readable ({error.strerror or error}); left out", folder)
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            _remark(remarks, "hidden; left out", path)
        elif not os.path.isdir(path):  # unlike DirEntry.is_dir, quiet about links that lead nowhere
            yield path
        elif entry.is_symlink():
            _remark(remarks, "reached by a link; left out", path)
        elif depth == _MAX_DEPTH:
            _remark(remarks, f"more than {_MAX_DEPTH} folders deep; left out", path)
        else:
            yield from _walk(path, depth + 1, remarks)


def _remark(remarks: Remarks, remark: str, path: Path) -> None:
    remarks.setdefault(remark, []).append(path.name)


def _notices(remarks: Remarks) -> tuple[str, ...]:
    return tuple(
        f"{names[0]} is {remark}" if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more are {remark}"
        for remark, names in remarks.items()
    )
