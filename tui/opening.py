"""The empty write desk, painted before Textual is imported: what a person sees in the first tenth of a second.

Its header and borders stand where those of the app will, in the terminal's own colours. What is typed meanwhile waits
in the terminal, shown at the cursor in the prompt, and the app reads it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable

from ..data.storage.locations import folder
from ..data.storage.plain_files import read_plain
from .terminal import shows_ascii_only

_ENTER, _LEAVE = "\x1b[?1049h", "\x1b[?1049l"  # the alternate screen, as Textual enters and leaves it
_LEAST = (60, 20)  # columns and rows below which the app says that the window is too small
_PANELS = ((160, 56), (100, 40))  # columns from which panels stand beside the text, and their width
_HEADER = " minigpt   1 write  2 train  3 inside"


def paint() -> Callable[[], None]:
    """Paint the empty desk; what is returned brings the terminal back as it was."""
    painted = painting()
    if not painted:
        return lambda: None
    _write(_ENTER + painted)
    return lambda: _write(_LEAVE)


def painting() -> str:
    """What paints the empty desk; empty where it would not look like it."""
    keyboard, terminal = sys.__stdin__, sys.__stderr__
    if not (keyboard and keyboard.isatty() and terminal and terminal.isatty()):
        return ""
    if shows_ascii_only(terminal) or _ascii_is_set():
        return ""
    try:
        width, height = os.get_terminal_size(terminal.fileno())
    except OSError:
        return ""
    if width < _LEAST[0] or height < _LEAST[1] or os.environ.get("TERM") in (None, "dumb"):
        return ""
    rows = "\r\n".join(frame(width, height))
    return f"\x1b[H\x1b[2m{rows}\x1b[m\x1b[{height - 2};2H"  # dim, and the cursor in the prompt


def _ascii_is_set() -> bool:
    """Whether the settings may ask for ASCII: reading them as the app does would take longer than painting."""
    try:
        return (
            re.search(rb"^\s*ascii\s*=\s*true", read_plain(folder("config") / "settings.toml"), re.MULTILINE)
            is not None
        )
    except OSError:
        return False


def frame(width: int, height: int) -> list[str]:
    """The rows of the empty desk in a window of that size, without the blanks at their ends and the footer."""
    text_width = width - next((panels for least, panels in _PANELS if width >= least), 0)
    return [_HEADER, *_box(text_width, height - 5), *_box(text_width, 3)]


def _box(width: int, height: int) -> list[str]:
    line, blank = "─" * (width - 2), " " * (width - 2)
    return [f"╭{line}╮", *[f"│{blank}│"] * (height - 2), f"╰{line}╯"]


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # the terminal is gone: the app finds that out
        assert sys.__stderr__ is not None
        sys.__stderr__.write(text)
        sys.__stderr__.flush()
