"""How a person who looks elsewhere is told of a run: by the terminal, by the system, by a command of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Mapping

from ..data.storage.printable import printable
from .run_watch import RunNews
from .settings import Settings
from .text import formatting
from .window_title import WindowTitle, has_title

COMMAND_SECONDS = 30.0  # after which a command that hangs is ended
_LONGEST = 200  # characters of a sentence
_URXVT = ("rxvt", "foot", "vte")  # how the names of terminals begin that know OSC 777 and not OSC 9
_APPLE_SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)  # the words are arguments and no part of the script


def sentence(news: RunNews) -> str:
    """What has happened, in one line without any control character."""
    loss = "" if news.loss is None else f", best validation loss {formatting.loss(news.loss)}"
    at = f"at step {news.step:,}"
    words = {
        "finished": f"is trained, {news.step:,} steps{loss}",
        "stopped": f"is stopped {at}{loss}",
        "failed": f"failed {at}",
        "crashed": f"crashed {at}: its process ended without a word",
        "silent": f"is silent {at}",
        "diverged": f"diverged {at}",
        "stalled": f"has stalled {at}",
    }[news.what]
    reason = f": {news.reason}" if news.reason and news.what != "finished" else ""
    return printable(formatting.one_line(f"{news.name} {words}{reason}"), longest=_LONGEST)


class RunNotices:
    """Tells of news by each of the ways that are chosen in the settings."""

    def __init__(
        self,
        write: Callable[[str], object],
        bell: Callable[[], object],
        title: WindowTitle,
        warn: Callable[[str], object],
    ) -> None:
        """`write` writes to the terminal; `warn` shows the person a sentence about a command that failed."""
        self._write, self._bell, self._title, self._warn = write, bell, title, warn

    async def tell(self, news: RunNews, settings: Settings) -> None:
        """By the terminal at once; then by the system and by the person's command, which may take their time."""
        words = sentence(news)
        if settings.notice_bell:
            self._bell()
        if settings.notice_title:
            self._title.show(f"minigpt: {words}")
        command = system_command("minigpt", words) if settings.notice_system else None
        if settings.notice_terminal and command is None:  # one of the two is enough
            self._write(terminal_sequence("minigpt", words))
        if command is not None:
            await _run(command, os.environ)
        if own := shlex.split(settings.notify):
            problem = await _run(own, {**os.environ, **facts(news)})
            if problem:
                self._warn(f"The command of 'notify' in the settings {problem}.")


def facts(news: RunNews) -> dict[str, str]:
    """The environment of the person's command."""
    values = {
        "MINIGPT_EVENT": news.what,
        "MINIGPT_RUN": news.name,
        "MINIGPT_STATE": news.state,
        "MINIGPT_STEP": str(news.step),
        "MINIGPT_LOSS": "" if news.loss is None else f"{news.loss:.4f}",
        "MINIGPT_REASON": news.reason,
        "MINIGPT_TEXT": sentence(news),
    }
    clean = {name: printable(value, longest=len(value) or 1) for name, value in values.items()}
    return {**clean, "MINIGPT_FOLDER": str(news.run.path)}


def terminal_sequence(title: str, text: str) -> str:
    """OSC 777 for the terminals that know it, else OSC 9; through tmux where that lets it pass. Empty where none does.

    iTerm2, WezTerm, kitty, Ghostty and Windows Terminal know OSC 9.
    """
    if not has_title():
        return ""
    title, text = (printable(part, longest=_LONGEST).replace(";", ",") for part in (title, text))
    name = os.environ.get("TERM", "")
    is_urxvt = name.startswith(_URXVT) or "VTE_VERSION" in os.environ
    sequence = f"\x1b]777;notify;{title};{text}\x1b\\" if is_urxvt else f"\x1b]9;{text}\x1b\\"
    if "TMUX" in os.environ:
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


def system_command(title: str, text: str) -> list[str] | None:
    """The command that shows a notification on this machine's desktop; None where there is no desktop or no command."""
    if "SSH_CONNECTION" in os.environ:  # the person sits before another machine
        return None
    if sys.platform == "darwin" and (script := shutil.which("osascript")):
        lines = [part for line in _APPLE_SCRIPT for part in ("-e", line)]
        return [script, *lines, title, text]
    has_desktop = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if has_desktop and (notify_send := shutil.which("notify-send")):
        plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # its text is markup
        return [notify_send, "--app-name=minigpt", "--", title, plain]
    return None


async def _run(command: list[str], environment: Mapping[str, str]) -> str:
    """Run a command without a terminal and return what went wrong; one that hangs is ended with its children."""
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment, start_new_session=True
        )
    except (OSError, ValueError) as error:
        return f"cannot be run ({printable(str(error), longest=_LONGEST)})"
    try:
        code = await asyncio.wait_for(process.wait(), COMMAND_SECONDS)
    except TimeoutError:
        with contextlib.suppress(OSError):
            _end(process)
        await process.wait()
        return f"did not end within {COMMAND_SECONDS:.0f} s and was ended"
    return f"ended with code {code}" if code else ""


def _end(process: asyncio.subprocess.Process) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
