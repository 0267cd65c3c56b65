"""In which encoding a text is: its byte order mark says so, it is UTF-8, or charset-normalizer judges by a sample.

What no encoding explains is counted: a file of which some bytes are damaged is still read as what it is.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from .storage.errors import UserError

Opener = Callable[[], BinaryIO]
Report = Callable[[int], None]  # receives how many bytes are read

PIECE = 1 << 18  # characters read at once: a tokenizer is busy with them for some hundredths of a second
_SAMPLE = 1 << 16  # bytes that charset-normalizer judges by
_WINDOW = 1 << 13  # of a sample that no encoding explains as a whole: it is damaged somewhere
_CLOSE = (0.05, 0.03)  # chaos and coherence within which two encodings are equally likely
_UNLIKELY = (0.2, 0.5)  # chaos from which on a text makes no sense, and where none does, little

# The byte order marks, in the order of the search: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEVERAL_BYTES = {"gb18030": "GBK", "big5": "Big5", "cp932": "Shift-JIS", "euc_jp": "EUC-JP", "cp949": "EUC-KR"}
_LATIN = {
    "cp1252": "Windows-1252", "cp1250": "Windows-1250", "iso8859_2": "ISO 8859-2", "cp1254": "Windows-1254",
    "cp850": "DOS 850", "mac_roman": "Mac Roman",
}  # fmt: skip
_OTHERS = {
    "cp1251": "Windows-1251", "koi8_r": "KOI8-R", "koi8_u": "KOI8-U", "cp866": "DOS 866", "iso8859_5": "ISO 8859-5",
    "cp1253": "Windows-1253", "cp1255": "Windows-1255", "cp1256": "Windows-1256", "cp874": "Windows-874",
}  # fmt: skip
_JUDGED = _SEVERAL_BYTES | _LATIN | _OTHERS
_UNMARKED = {
    f"utf-{bits}-{order}": f"UTF-{bits} without a byte order mark" for bits in (16, 32) for order in ("le", "be")
}
_NAMES: dict[str, str] = {"utf-16": "UTF-16", "utf-32": "UTF-32", "latin-1": "Latin-1"} | {
    name: f"{shown} ({name})" for name, shown in (_JUDGED | _UNMARKED).items()
}

_BAD = "\udc80"  # stands for one bad byte: no decoder yields it


def _mark_bad_bytes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _BAD * (error.end - error.start), error.end


codecs.register_error("minigpt-mark", _mark_bad_bytes)


@dataclass(frozen=True)
class BadBytes:
    """Bytes that the encoding has no character for; the place of the first, counted from 1."""

    count: int
    line: int
    column: int


@dataclass(frozen=True)
class Examined:
    """How a text is to be read, and what is to be said of it; `errors` is what `open` has as such."""

    encoding: str
    errors: str
    blank: bool
    other_line_ends: bool
    remark: str = ""  # that it is not UTF-8 but something else
    bad_bytes: BadBytes | None = None
    n_nul: int = 0  # U+0000, which no text means


class DamagedTextError(Exception):
    """A text is not what its first bytes say."""


def byte_order_mark(head: bytes) -> str | None:
    """The encoding that the first bytes of a text name; None where they name none."""
    return next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)


def encoding_name(encoding: str) -> str:
    """The name of an encoding as people know it."""
    if encoding in ("utf-8", "utf-8-sig"):
        return "UTF-8"
    return _NAMES.get(encoding, encoding).partition(" (")[0]


def check_encoding(name: str) -> str:
    """Return `name`. Raises UserError for one that is not the name of a text encoding."""
    try:
        bytes(4).decode(name)  # valid in all of them
    except (LookupError, ValueError):
        raise UserError(
            f"there is no encoding called '{name}'; some are utf-8, utf-16, gb18030, big5, shift_jis, euc-kr, cp1251, "
            "koi8-r, cp1250, cp1252"
        ) from None
    return "utf-8-sig" if codecs.lookup(name).name == "utf-8" else name


def examine(
    open_text: Opener,
    named: str | None,
    report: Report,
    *,
    judge: bool = True,
    unmarked: tuple[str, int] | None = None,
) -> Examined:
    """Read all of a text to learn in which encoding it is, unless that is `named`, and what is odd about it.

    Without `judge` all that is not UTF-8 is Windows-1252 or Latin-1. `unmarked` is what its first bytes are found to be
    in, and how sure that is. Raises UserError for a name of no encoding, DamagedTextError where the text goes on as
    something else than its byte order mark says.
    """
    if named:
        try:
            return _read_as(open_text, check_encoding(named), "", report)
        except UnicodeError as error:  # codecs like idna take no other treatment of errors
            raise DamagedTextError(f"it cannot be read as {named}") from error
    with open_text() as file:
        mark = byte_order_mark(file.read(4))
    if mark:
        remark = f"not UTF-8; read as {_NAMES[mark]}" if mark in _NAMES else ""
        if found := _scan_strictly(open_text, mark, remark, report):
            return found
        if mark != "utf-8-sig" or not judge:
            raise DamagedTextError(f"it begins as {mark} and goes on as something else")
        return _scan(open_text, mark, "replace", "", report)
    if unmarked:
        encoding, sure = unmarked
        return _read_as(open_text, encoding, f"not UTF-8; read as {_NAMES[encoding]}, {sure}% sure", report)
    if found := _scan_strictly(open_text, "utf-8", "", report):
        return found
    if not judge:
        return _windows_1252(open_text, report, "")
    utf8 = _scan(open_text, "utf-8", "replace", "", report)
    if utf8.bad_bytes and utf8.bad_bytes.count <= utf8.n_several_bytes:
        return utf8
    return _judged(open_text, report)


@dataclass(frozen=True)
class _Scanned(Examined):
    """With the characters of several bytes: what is not UTF-8 has hardly any."""

    n_several_bytes: int = 0


def _read_as(open_text: Opener, encoding: str, remark: str, report: Report) -> Examined:
    return _scan_strictly(open_text, encoding, remark, report) or _scan(open_text, encoding, "replace", remark, report)


def _windows_1252(open_text: Opener, report: Report, sure: str) -> Examined:
    """As Windows-1252; where it has bytes which that lacks, as Latin-1, which lacks none."""
    found = _scan_strictly(open_text, "cp1252", f"not UTF-8; read as {_NAMES['cp1252']}{sure}", report)
    return found or _scan(open_text, "latin-1", "strict", f"not UTF-8; read as {_NAMES['latin-1']}{sure}", report)


def _scan_strictly(open_text: Opener, encoding: str, remark: str, report: Report) -> _Scanned | None:
    try:
        return _scan(open_text, encoding, "strict", remark, report)
    except UnicodeError:
        return None


def _scan(open_text: Opener, encoding: str, errors: str, remark: str, report: Report) -> _Scanned:
    """Read all of it. Raises UnicodeError for a bad byte where `errors` is strict."""
    strict, blank, several, n_nul = errors == "strict", True, 0, 0
    line, column, bad, first = 1, 1, 0, None
    with open_text() as raw:
        text = io.TextIOWrapper(raw, encoding, errors="strict" if strict else "minigpt-mark")
        while piece := text.read(PIECE):
            blank = blank and piece.isspace()
            n_nul += piece.count("\0")
            report(raw.tell())
            if strict:
                continue
            several += len(piece) - len(piece.encode("ascii", "ignore"))
            if count := piece.count(_BAD):
                if first is None:
                    before = piece[: piece.index(_BAD)]
                    first = _moved(line, column, before)
                bad, several = bad + count, several - count
            line, column = _moved(line, column, piece)
        line_ends = text.newlines or ()
    found = BadBytes(bad, *first) if first else None
    return _Scanned(encoding, errors, blank, "\r" in "".join(line_ends), remark, found, n_nul, several)


def _moved(line: int, column: int, text: str) -> tuple[int, int]:
    """The place behind `text`."""
    lines, last = text.count("\n"), text.rfind("\n")
    return (line + lines, len(text) - last) if lines else (line, column + len(text))


# --- judging by a sample ----------------------------------------------------------------------------


def _judged(open_text: Opener, report: Report) -> Examined:
    """As charset-normalizer judges; where it recognises nothing, as Windows-1252."""
    sample = _sample(open_text)
    windows = [sample[i : i + _WINDOW] for i in range(0, len(sample), _WINDOW)] if len(sample) > _WINDOW else []
    parts = [sample, sample[:-1], *map(_whole_lines, windows)]  # without the last byte: half of a character
    for part, unlikely in [(part, chaos) for chaos in _UNLIKELY for part in parts]:
        if found := _judge(part, unlikely):
            encoding, sure = found
            if encoding == "cp1252":
                return _windows_1252(open_text, report, sure)
            return _read_as(open_text, encoding, f"not UTF-8; read as {_NAMES[encoding]}{sure}", report)
    return _windows_1252(open_text, report, ", which is a guess")


def _judge(sample: bytes, unlikely: float) -> tuple[str, str] | None:
    """The likeliest encoding, and how sure that is; None where nothing is recognised."""
    from charset_normalizer import from_bytes  # a tenth of a second, for the few texts that are not UTF-8

    matches = from_bytes(sample, cp_isolation=[*_JUDGED], enable_fallback=False, threshold=unlikely)
    if not matches:
        return None
    best = min(matches, key=lambda match: (round(match.chaos, 2), -match.coherence))
    rivals = [
        match for match in matches
        if match.chaos <= best.chaos + _CLOSE[0] and match.coherence >= best.coherence - _CLOSE[1]
    ]  # fmt: skip
    of_several_bytes = [m for m in matches if m.encoding in _SEVERAL_BYTES and m.chaos <= best.chaos + 0.01]
    if of_several_bytes:  # what decodes by accident as well has no sense in it
        best = max(of_several_bytes, key=lambda match: match.coherence)
        rivals = [best]
    elif not best.coherence:
        return None
    elif best.encoding in _LATIN:
        best = next((match for match in rivals if "cp1252" in match.could_be_from_charset), best)
    encoding = "cp1252" if "cp1252" in best.could_be_from_charset else best.encoding
    if encoding == "cp1250" and not re.search(rb"[\x80-\x9f]", sample):
        encoding = "iso8859_2"  # where all letters could be either's
        best = next((match for match in matches if encoding in match.could_be_from_charset), best)
    texts = {str(best)}
    others = [match.encoding for match in rivals if str(match) not in texts and not texts.add(str(match))]
    likely = f", {' and '.join(_NAMES[other] for other in others[:2])} as likely" if others else ""
    return encoding, f", {min(99, round(100 * (1 - best.chaos))) // (1 + len(others))}% sure{likely}"


def _sample(open_text: Opener) -> bytes:
    """The lines around the first bytes that are not ASCII."""
    with open_text() as file:
        position, rest = 0, b""
        while piece := file.read(_SAMPLE):
            if not piece.isascii():
                break
            position, rest = position + len(piece), piece
        before = (rest + piece)[: len(rest) + next((i for i, byte in enumerate(piece) if byte > 0x7F), 0)]
        begin = position - len(rest) + before.rfind(b"\n") + 1
        file.seek(max(begin, position - len(rest) + len(before) - _WINDOW // 2))
        return _whole_lines(file.read(_SAMPLE), first=False)


def _whole_lines(part: bytes, *, first: bool = True) -> bytes:
    """`part` without the lines that are cut, where there are whole ones; with `first` the first is cut as well."""
    begin, end = part.find(b"\n") + 1 if first else 0, part.rfind(b"\n") + 1
    return part[begin:end] if end > begin else part
