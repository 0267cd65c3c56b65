r"""Text from files: which files of a folder are text, how a file is encoded, every line end as \n.

A file is read twice, in pieces: once to learn whether it is text and in which encoding, once for the text. So a file of
any size is examined in little memory, and one that turns out to be useless has contributed nothing yet.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .catalog import CorpusError

_HEAD = 1 << 16  # bytes that tell text from binary
_PIECE = 1 << 20  # characters read at once
_DEEPEST = 32  # levels of folders below the first
_CONTROL = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\f\r\b\x1b"})
_CONTROL_LIMIT = 0.05  # share of the head; of random bytes a tenth are control characters

# The byte order marks, in the order of the search: that of UTF-32 begins with that of UTF-16.
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

    def pieces(self, progress: Callable[[float], None] | None = None) -> Iterator[str]:
        r"""The text, piece by piece: every line end is \n, and a blank line stands between files.

        `progress` receives the fraction that is done. Raises CorpusError where a file changes meanwhile.
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
                raise CorpusError(f"{file.path} changed while it was read; try again") from error
            done += file.n_bytes


def find_text(path: Path) -> TextFiles:
    """The text file at `path`, or all text files below that folder in the order of their relative paths.

    In a folder, hidden, binary, empty and unreadable files and links to folders are left out and counted in the
    notices. Raises CorpusError where nothing is left, or where `path` itself is such a file.
    """
    remarks: _Remarks = {}
    if not os.path.isdir(path):
        try:
            files = [_examine(path, remarks)]
        except _NotTextError as problem:
            raise CorpusError(f"{path.name} is {problem.remark}; {problem.remedy}") from problem
        return TextFiles(tuple(files), _notices(remarks))
    files = []
    for candidate in _walk(path, 0, remarks):
        try:
            files.append(_examine(candidate, remarks))
        except _NotTextError as problem:
            _remark(remarks, f"{problem.remark}; left out", candidate)
    notices = _notices(remarks)
    if not files:
        found = "; ".join(notices).replace("; left out", "") or "it is empty"
        raise CorpusError(f"the folder {path} has no text ({found}); choose a folder with plain text files")
    return TextFiles(tuple(files), notices)


class _NotTextError(Exception):
    """A file is of no use: it "is `remark`; `remedy`"."""

    def __init__(self, remark: str, remedy: str) -> None:
        self.remark, self.remedy = remark, remedy


def _examine(path: Path, remarks: _Remarks) -> TextFile:
    """Read all of a file to learn its encoding; adds to the remarks. Raises _NotTextError."""
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
                blank, other_line_ends = _scan(path, encoding)
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


def _scan(path: Path, encoding: str) -> tuple[bool, bool]:
    r"""Whether the file holds nothing but space, and whether it has line ends other than \n. Raises UnicodeError."""
    blank = True
    with path.open(encoding=encoding) as text:
        while piece := text.read(_PIECE):
            blank = blank and piece.isspace()
        line_ends = text.newlines or ()
    return blank, "\r" in "".join(line_ends)


def _is_binary(head: bytes) -> bool:
    control = len(head) - len(head.translate(None, _CONTROL))
    return b"\0" in head or control > _CONTROL_LIMIT * len(head)


def _walk(folder: Path, depth: int, remarks: _Remarks) -> Iterator[Path]:
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
        elif depth == _DEEPEST:
            _remark(remarks, f"more than {_DEEPEST} folders deep; left out", path)
        else:
            yield from _walk(path, depth + 1, remarks)


_Remarks = dict[str, list[str]]  # what is said -> the names of the files of which it is said


def _remark(remarks: _Remarks, remark: str, path: Path) -> None:
    remarks.setdefault(remark, []).append(path.name)


def _notices(remarks: _Remarks) -> tuple[str, ...]:
    return tuple(
        f"{names[0]} is {remark}" if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more are {remark}"
        for remark, names in remarks.items()
    )
