"""How a command ends: its exit code, the sentence of a failure, and all output written."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from ...data.storage.printable import printable

DONE = 0
FAILED = 1
"""The run or the engine failed."""
USAGE = 2
"""The request cannot be carried out as it was given."""
INTERRUPTED = 130
READER_GONE = 141
"""The reader of the output has gone: 128 and the signal SIGPIPE, which ends other programs then."""
BY_SIGNAL = 128
"""And the number of the signal that ended the program: 143 for SIGTERM, 129 for SIGHUP."""


def complain(sentence: str, code: int = USAGE) -> int:
    """Print what is wrong on standard error, in one line without control characters, and return the exit code."""
    shown = printable(sentence, longest=len(sentence))
    with contextlib.suppress(OSError), flushed_output():  # without a reader the exit code stays the same
        print(f"minigpt-tui: {shown}", file=sys.stderr)
    return code


@contextlib.contextmanager
def flushed_output() -> Iterator[None]:
    """Flush standard output and error at the end.

    Raises OSError where they cannot be written: BrokenPipeError where the reader has gone. What is left in the buffers
    goes to the null device then, or the interpreter would try again as it exits, and complain
    (docs.python.org/3/library/signal.html#note-on-sigpipe).
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
