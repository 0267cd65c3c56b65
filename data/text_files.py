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
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .character_encoding import PIECE, DamagedTextError, byte_order_mark, check_encoding, examine
from .storage.errors import UserError
from .text_formats import TextFormat, recognise
from .unmarked_encoding import named_encoding, unmarked_encoding

Progress = Callable[[float], None]
Remarks = dict[str, list[str]]  # remark -> the names of the files that it is about

_FORMAT = 3  # version of what is learned from files; part of the stamp
_HEAD = 1 << 16  # bytes that tell text from binary
_MAX_DEPTH = 32  # levels of folders below the first
_CONTROL = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\f\r\b\x1b"})
_CONTROL_LIMIT = 0.05  # share of the head; of random bytes a tenth are control characters
_NUL_LIMIT = 0.001  # share of the head that is not binary: a log may have one where a machine stopped
_SHOWN = 60  # characters of the first lines of a text whose encoding was judged


class MarkupError(UserError):
    """The text is markup or another format around a text; it is learned as it stands where that is asked for."""


@dataclass(frozen=True)
class Reading:
    """How files are read: the name of their encoding, where a person gave one, and whether markup is text as well.

    With lower `rules` they are read as before those rules changed: before 3, UTF-16 without a byte order mark and a
    text with a NUL in its beginning are binary; before 2, files stand in the order of their names as strings, and
    whatever is not UTF-8 is Windows-1252. Runs that learned from them so do it again.
    """

    encoding: str | None = None
    as_text: bool = False
    rules: int = 3


DEFAULT_READING = Reading()


@dataclass(frozen=True)
class TextFile:
    """A file that is known to be text."""

    path: Path
    n_bytes: int
    encoding: str
    errors: str = "strict"


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
        return (piece for _, piece in self.parts(progress))

    def parts(self, progress: Progress | None = None) -> Iterator[tuple[int | None, str]]:
        """The same pieces, each with the number of its file in `files`; None for what stands between two of them."""
        total, done, last = sum(file.n_bytes for file in self.files), 0, ""
        for number, file in enumerate(self.files):
            if last:
                yield None, "\n" if last == "\n" else "\n\n"
            try:
                with file.path.open("rb") as raw:
                    text = io.TextIOWrapper(raw, file.encoding, errors=file.errors)
                    while piece := text.read(PIECE):
                        yield number, piece
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
    reading: Reading = DEFAULT_READING

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
        digest = hashlib.sha256(f"{_FORMAT} {self.remarks!r} {self.reading!r}".encode())
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
                found.append(_examine(path, self.reading, remarks, report))
            except _NotTextError as problem:
                if path == self.path:
                    raise problem.error(path.name) from problem
                _remark(remarks, f"{problem.remark}; left out", path)
            done += status.st_size if status else 0
        notices = _notices(remarks)
        if not found:
            there = "; ".join(notices).replace("; left out", "") or "it is empty"
            raise UserError(f"the folder {self.path} has no text ({there}); choose a folder with plain text files")
        return TextFiles(tuple(found), notices)


def list_files(path: Path, reading: Reading = DEFAULT_READING) -> Listing:
    """The file at `path`, or all files below that folder that are not hidden, in the order in which people count.

    Raises UserError for an encoding that there is not.
    """
    if reading.encoding:
        check_encoding(reading.encoding)
    remarks: Remarks = {}
    paths = _walk(path, 0, remarks, _counted if reading.rules > 1 else str) if os.path.isdir(path) else [path]
    return Listing(path, tuple((path, _status(path)) for path in paths), remarks, reading)


def read_bytes(content: bytes, name: str, reading: Reading = DEFAULT_READING) -> tuple[str, tuple[str, ...]]:
    """A text that came through a pipe, read as a file would be, and what was odd about it.

    Blanks alone are a text here. Raises UserError, which calls it `name`, for what is not text.
    """
    if not content.strip():
        return content.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n"), ()
    with tempfile.TemporaryDirectory(prefix="minigpt-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        text = list_files(path, reading).examine()
        return "".join(text.pieces()), text.notices


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


class _NotTextError(Exception):
    """A file is not text that can be read: it "is `remark`; `remedy`"."""

    def __init__(self, remark: str, remedy: str, kind: type[UserError] = UserError) -> None:
        self.remark, self.remedy, self._kind = remark, remedy, kind

    def error(self, name: str) -> UserError:
        """What a person is told where the file called `name` is all there is."""
        return self._kind(f"{name} is {self.remark}; {self.remedy}")


def _examine(path: Path, reading: Reading, remarks: Remarks, report: Callable[[int], None]) -> TextFile:
    """Read all of a file to learn its encoding; adds to the remarks, and reports how many bytes are read.

    Raises _NotTextError.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            raise _NotTextError("special (a pipe or a device)", "choose a plain text file or a folder")
        with path.open("rb") as file:
            head = file.read(_HEAD)
        named, marked = reading.encoding, byte_order_mark(head)
        if named and reading.rules > 2:
            named = named_encoding(named, head)
        unmarked = None if named or marked or reading.rules < 3 else unmarked_encoding(head)
        encoding = named or marked or (unmarked and unmarked[0])
        if reading.rules > 1 and (found := recognise(path.name, _in_utf_8(head, encoding))):
            _refuse(found, reading)
        if not encoding and _is_binary(head, max(1, _NUL_LIMIT * len(head)) if reading.rules > 2 else 0):
            raise _NotTextError(
                "binary, not text",
                "choose plain text, export the text from it first, or name its encoding, as --encoding utf-16-le",
            )
        text = examine(lambda: path.open("rb"), named, report, judge=reading.rules > 1, unmarked=unmarked)
    except OSError as error:
        raise _NotTextError(f"not readable ({error.strerror or error})", "choose another file") from error
    except DamagedTextError as error:
        raise _NotTextError(f"damaged ({error})", "save it as UTF-8 and try again") from error
    if text.blank:
        raise _NotTextError("empty", "choose a file with at least a few thousand characters of text")
    known = TextFile(path, status.st_size, text.encoding, text.errors)
    if text.remark:
        judged = reading.rules > 1 and not byte_order_mark(head)
        _remark(remarks, text.remark, path, _first_lines(known) if judged else "")
    if bad := text.bad_bytes:
        named = text.encoding.upper().removesuffix("-SIG")
        several = f"{bad.count:,} bad bytes, the first" if bad.count > 1 else "1 bad byte,"
        _remark(remarks, f"{named} with {several} in line {bad.line:,}, column {bad.column:,}; read as U+FFFD", path)
    if text.n_nul:
        several = f"{text.n_nul:,} NUL characters" if text.n_nul > 1 else "a NUL character"
        _remark(remarks, f"a text with {several}, as programs write them that were stopped; read as it stands", path)
    if text.other_line_ends:
        _remark(remarks, "written with Windows or old Mac line ends; read with plain ones", path)
    return known


def _refuse(found: TextFormat, reading: Reading) -> None:
    """Raise _NotTextError for a format that holds a text, unless that is markup and wanted as it stands."""
    if not found.markup:
        raise _NotTextError(found.what, f"make a text of it with: {found.command}")
    if not reading.as_text:
        remedy = f"--as text learns that as it stands, and this makes a text of it: {found.command}"
        raise _NotTextError(found.what, remedy, MarkupError)


def _first_lines(file: TextFile) -> str:
    """How a text begins, for a person to see whether its encoding is right, and what to do where it is not."""
    with file.path.open("rb") as raw:
        first = io.TextIOWrapper(raw, file.encoding, errors="replace").read(_SHOWN * 4).split("\n")
    shown = " / ".join(line.strip() for line in first if line.strip())[:_SHOWN]
    return f" (“{shown} …”); --encoding NAME, or that field of the app's form, reads it as another"


def _in_utf_8(head: bytes, encoding: str | None) -> bytes:
    """The first bytes as they would be in UTF-8, by which formats are recognised."""
    if not encoding or not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return head
    try:
        return codecs.getincrementaldecoder(encoding)("replace").decode(head).encode(errors="replace")
    except UnicodeError:  # it has no mark, and the rules of its time demand one
        return head


def _is_binary(head: bytes, n_nul: float) -> bool:
    """Whether it has more NULs than so many, or more control characters than a text has."""
    n_control = len(head) - len(head.translate(None, _CONTROL)) - min(head.count(0), 1 if n_nul else 0)
    return head.count(0) > n_nul or n_control > _CONTROL_LIMIT * len(head)


def _counted(name: str) -> list[tuple[int, str]]:
    """What sorts names as people count: numbers by their value, so that chapter 2 comes before chapter 10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), part) if i % 2 else (0, part) for i, part in enumerate(parts)]


def _walk(
    folder: Path, depth: int, remarks: Remarks, order: Callable[[str], str | list[tuple[int, str]]]
) -> Iterator[Path]:
    """All files below a folder that are not hidden, in that order of names. None is entered by a link: no loops."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: order(entry.name))
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
            yield from _walk(path, depth + 1, remarks, order)


def _remark(remarks: Remarks, remark: str, path: Path, example: str = "") -> None:
    """Say that of the file as well; `example` is said once, of the first of which it is said."""
    key = next((known for known in remarks if example and known.startswith(remark)), remark + example)
    remarks.setdefault(key, []).append(path.name)


def _notices(remarks: Remarks) -> tuple[str, ...]:
    return tuple(
        f"{names[0]} is {remark}" if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more are {remark}"
        for remark, names in remarks.items()
    )
