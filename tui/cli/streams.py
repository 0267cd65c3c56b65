"""The standard streams: what comes in may be no text, and what goes out may meet a terminal that obeys it."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO, cast

from ..terminal import TerminalStream


def accept_any_text() -> None:
    """Read bytes that are no text as unknown characters, write UTF-8 into files and pipes, and filter for terminals.

    Where standard error was closed before the program began (`2>&-`) Python has None for it; what is said goes nowhere.
    """
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    os.environ["PYTHON_COLORS"] = "0"  # Python's own, of argparse and of tracebacks, would not pass the filter
    if isinstance(sys.stdin, io.TextIOWrapper) and sys.stdin.errors == "strict":
        sys.stdin.reconfigure(errors="surrogateescape")
    if isinstance(sys.stdout, io.TextIOWrapper):
        to_terminal = sys.stdout.isatty()
        if to_terminal or sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="replace")
        if not to_terminal:
            sys.stdout.reconfigure(encoding="utf-8")
    filter_terminals()


def filter_terminals() -> None:
    """From here on nothing that is printed is obeyed by a terminal."""
    if sys.stdout is not None and _is_unfiltered_terminal(sys.stdout):
        sys.stdout = cast(TextIO, TerminalStream(sys.stdout))
    if _is_unfiltered_terminal(sys.stderr):
        sys.stderr = cast(TextIO, TerminalStream(sys.stderr))


def _is_unfiltered_terminal(stream: TextIO) -> bool:
    return stream.isatty() and not isinstance(stream, TerminalStream)
