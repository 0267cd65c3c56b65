"""Texts that a verb reads from a file or from standard input: as every other text, and what was odd is said."""

from __future__ import annotations

import argparse
import sys

from ...data.storage.errors import UserError
from ...data.storage.plain_files import read_plain
from ...data.text_files import Reading, read_bytes
from ...data.typed_path import typed_path
from .exit_codes import complain


def add_encoding_option(parser: argparse.ArgumentParser) -> None:
    """`--encoding`."""
    parser.add_argument(
        "--encoding", metavar="NAME", help="how the text is encoded: utf-8, gb18030, shift_jis, cp1251 ... "
        "(default: found out, and said where it is not UTF-8)",
    )  # fmt: skip


def text_of(file: str | None, encoding: str | None) -> str | None:
    """The text of `file`, or of standard input where none is named; None where that is a terminal.

    What is odd about it is said on standard error. Raises UserError for what is not text.
    """
    if file is not None:
        path = typed_path(file)
        try:
            content, name = read_plain(path), path.name
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error.strerror}); choose another file, or pipe it in") from error
    elif sys.stdin is None or sys.stdin.isatty():
        return None
    else:
        content, name = sys.stdin.buffer.read(), "standard input"
    text, notices = read_bytes(content, name, Reading(encoding, as_text=True))
    for notice in notices:
        complain(notice)
    return text
