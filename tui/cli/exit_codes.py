"""The exit codes, and how a failure is said."""

from __future__ import annotations

import contextlib
import sys

from ...data.storage.printable import printable
from .streams import written_out

DONE = 0
FAILED = 1
"""The run or the engine failed."""
USAGE = 2
"""The request cannot be carried out as it was given."""
INTERRUPTED = 130
READER_GONE = 141
"""Nobody reads the output any more: 128 and the signal SIGPIPE, which ends other programs then."""
TERMINATED = 143
"""128 and the signal SIGTERM."""


def complain(sentence: str, code: int = USAGE) -> int:
    """Say what is wrong on standard error, in one line that no terminal obeys, and return the exit code."""
    shown = printable(sentence, longest=len(sentence))
    with contextlib.suppress(BrokenPipeError), written_out():  # the failure stays the same where nobody reads it
        print(f"minigpt-tui: {shown}", file=sys.stderr)
    return code
