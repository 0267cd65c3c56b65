"""Standard input and output as pipes: what comes in may be no text, and the reader of what goes out may be gone."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator


def take_any_text() -> None:
    """Read bytes that are no text as unknown characters, and write what the terminal's encoding lacks as `?`.

    Where standard error was closed before the program began (`2>&-`) Python has None for it; what is said goes nowhere.
    """
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace")):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=errors)


@contextlib.contextmanager
def written_out() -> Iterator[None]:
    """See to it that all that is printed within has been written by the end.

    Raises OSError where it cannot be: BrokenPipeError where whoever read it has gone. What is left goes nowhere then:
    the interpreter would try again as it ends, and complain (docs.python.org/3/library/signal.html#note-on-sigpipe).
    """
    outputs = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    try:
        try:
            yield
        finally:
            for stream in outputs:
                stream.flush()
    except OSError as error:
        for stream in outputs:
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
                error.filename = stream.name
        raise
