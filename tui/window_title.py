"""The title of the terminal's window, while it says something of ours; before and after, it is the person's."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..data.storage.printable import printable

_KEEP, _RESTORE = "\x1b[22;2t", "\x1b[23;2t"  # xterm's stack of titles, which tmux and others have as well
_WITHOUT_TITLE = ("dumb", "linux", "cons", "vt", "ansi", "screen")  # how the names of such terminals begin
_LONGEST = 80  # characters


class WindowTitle:
    """Writes to the terminal by `write`; where that has no title it writes nothing."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._shown = False

    def show(self, text: str) -> None:
        """Let the title say this."""
        if has_title():
            kept = "" if self._shown else _KEEP
            self._write(f"{kept}\x1b]2;{printable(text, longest=_LONGEST)}\x1b\\")
            self._shown = True

    def take_back(self) -> None:
        """Bring the title back that was there before."""
        if self._shown:
            self._shown = False
            self._write(_RESTORE)


def has_title() -> bool:
    """Whether the terminal of this process has a window with a title, or passes it on to one, as tmux does."""
    name = os.environ.get("TERM", "")
    return "TMUX" in os.environ or (bool(name) and not name.startswith(_WITHOUT_TITLE))
