"""What the verbs draw with."""

from __future__ import annotations

import rich.console


class Console(rich.console.Console):
    """rich's console, but for the end of a pipe: rich would leave the program itself, whatever is still to be done."""

    def on_broken_pipe(self) -> None:
        """Let whoever draws know that nobody reads it any more."""
        raise BrokenPipeError
