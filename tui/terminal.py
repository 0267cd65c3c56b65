"""The terminal that the program runs in: what may be written to it, and whether it is still there."""

from __future__ import annotations

import functools
import os
import select
import sys
import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any, TextIO

from ..data.storage.printable import visible_lines

_INTERVAL = 0.5  # seconds between two looks at what no poll reports, as on macOS
_REMEDY = "set PYTHONUTF8=1, or LANG to a locale with UTF-8"
_HUNG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL if hasattr(select, "poll") else 0


# --- writing to it ------------------------------------------------------------------------------------


class TerminalStream:
    """A stream to a terminal for all that is printed: whatever text that is, nothing of it is obeyed.

    What draws, as rich does, writes to `rich_proxied_file`, which is the stream itself.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def rich_proxied_file(self) -> TextIO:
        """The stream below, and below what rich has put between for as long as it draws a line of progress."""
        stream = self._stream
        while (below := getattr(stream, "rich_proxied_file", None)) is not None:
            stream = below
        return stream

    def write(self, text: str) -> int:
        shown, terminal = visible_lines(text), self.rich_proxied_file
        if not (shown.isascii() or is_utf8(terminal)):
            encoding = terminal.encoding
            shown = "".join("?" if _is_c1(character, encoding) else character for character in shown)
        self._stream.write(shown)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def is_utf8(stream: TextIO) -> bool:
    """Whether all characters can be written to `stream`."""
    return "utf" in (getattr(stream, "encoding", None) or "").lower()


def shows_ascii_only(stream: TextIO) -> bool:
    """Whether the terminal behind `stream` is to be shown nothing but ASCII.

    MINIGPT_ASCII says so (1) or not (0). Otherwise the encoding does, and a locale that is set to C or POSIX: Python
    takes UTF-8 for these too, other programs do not. PYTHONUTF8=1 says that the terminal knows UTF-8 all the same.
    """
    wanted = os.environ.get("MINIGPT_ASCII", "")
    if wanted in ("0", "1"):
        return wanted == "1"
    if not is_utf8(stream):
        return True
    # what Python has taken for C, it may have named anew in LC_CTYPE
    named = (os.environ.get(name) for name in ("LC_ALL", "LANG"))
    locale = next(filter(None, named), "")
    return bool(sys.flags.utf8_mode) and os.environ.get("PYTHONUTF8") != "1" and locale in ("C", "POSIX")


def encoding_problem(stream: TextIO) -> str:
    """Say that a terminal is not UTF-8, and what to do."""
    return f"the terminal's encoding is {stream.encoding}, not UTF-8, so many characters would be lost; {_REMEDY}"


@functools.lru_cache(4096)
def _is_c1(character: str, encoding: str) -> bool:
    """Whether a single byte in which a terminal may see a control, as a Latin-1 terminal does, stands for it."""
    encoded = character.encode(encoding, "replace")
    return len(encoded) == 1 and 0x80 <= encoded[0] < 0xA0


# --- its shell ----------------------------------------------------------------------------------------


def has_job_control() -> bool:
    """Whether a shell stands above this process that would let it go on once it is stopped.

    The processes that belong to the leader of the terminal's session have none: nobody would ever continue them.
    """
    return hasattr(os, "getsid") and os.getpgrp() != os.getsid(0)


# --- its end ------------------------------------------------------------------------------------------
# The kernel sends SIGHUP to the leader of the terminal's session alone. Under make, sudo or a script that is not the
# app, and a leader that waits for the app, or ignores the signal, passes nothing on: the app's own descriptors are
# asked.


def call_when_hung_up(descriptors: Collection[int], gone: Callable[[], None]) -> None:
    """Call `gone` once, in a thread of its own, as soon as one of the terminals behind `descriptors` is gone."""
    if not _HUNG_UP:
        return  # Windows ends the programs of a console that closes

    def watch() -> None:
        _wait_until_hung_up(descriptors)
        gone()

    threading.Thread(target=watch, name="wait for the terminal's end", daemon=True).start()


def _wait_until_hung_up(descriptors: Collection[int]) -> None:
    """Return when one of the terminals is gone; what is typed meanwhile stays to be read."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, 0)  # no input and no output: only what is always reported
    while not any(event & _HUNG_UP for _, event in poll.poll(1000 * _INTERVAL)):
        if not all(map(_is_terminal, descriptors)):
            return


def _is_terminal(descriptor: int) -> bool:
    """Whether a terminal still answers behind it: one that was hung up is at the end of its input, and an error."""
    import termios  # only here: Windows has none

    try:
        termios.tcgetattr(descriptor)
    except termios.error:
        return False
    return True
