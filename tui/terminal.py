"""Notices that a terminal is gone, whoever stands between it and the app.

The kernel sends SIGHUP to the leader of the terminal's session alone. Under make, sudo or a script that is not the app,
and a leader that waits for the app, or ignores the signal, passes nothing on: the app's own descriptors must be asked.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Collection

_INTERVAL = 0.5  # seconds between two looks at what no poll reports, as on macOS
_HUNG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL if hasattr(select, "poll") else 0


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
