"""The standard streams: what comes in may be no text, and what goes out may meet a terminal that obeys it."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TextIO, cast

from ..terminal import TerminalStream

_AS_IT_CAME = "minigpt_tui.as_it_came"  # a name for our own handling of what UTF-8 cannot encode


def accept_any_text() -> None:
    """Read bytes that are no text as unknown characters, write UTF-8 into files and pipes, and filter for terminals.

    Where standard error was closed before the program began (`2>&-`) Python has None for it; what is said goes nowhere.
    """
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    os.environ["PYTHON_COLORS"] = "0"  # Python's own, of argparse and of tracebacks, would not pass the filter
    if isinstance(sys.stdin, io.TextIOWrapper) and sys.stdin.errors == "strict":
        sys.stdin.reconfigure(errors="surrogateescape")
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")
        else:
            codecs.register_error(_AS_IT_CAME, _byte_as_it_came)
            sys.stdout.reconfigure(encoding="utf-8", errors=_AS_IT_CAME)
    filter_terminals()


def filter_terminals() -> None:
    """From here on nothing that is printed is obeyed by a terminal."""
    if sys.stdout is not None and _is_unfiltered_terminal(sys.stdout):
        sys.stdout = cast(TextIO, TerminalStream(sys.stdout))
    if _is_unfiltered_terminal(sys.stderr):
        sys.stderr = cast(TextIO, TerminalStream(sys.stderr))


def _byte_as_it_came(error: UnicodeError) -> tuple[bytes, int]:
    """Write a byte that was read as a lone surrogate (PEP 383) as that byte; a surrogate that never was one is `?`."""
    assert isinstance(error, UnicodeEncodeError)
    code = ord(error.object[error.start])
    return (bytes([code - 0xDC00]) if 0xDC80 <= code <= 0xDCFF else b"?"), error.start + 1


def _is_unfiltered_terminal(stream: TextIO) -> bool:
    return stream.isatty() and not isinstance(stream, TerminalStream)
