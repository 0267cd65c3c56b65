"""What the verbs draw with: tables on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from types import FrameType

import rich.console
from rich import box
from rich.console import ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ...data.storage.printable import visible, visible_lines
from .exit_codes import BY_SIGNAL
from .streams import filter_terminals

_SHOW_CURSOR, _HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
_UNBOUNDED = 1 << 12  # columns
LEAVE_SECONDS = 30.0  # that a verb may take to end after a signal: it may have a half-written file to remove


class Console(rich.console.Console):
    """rich's console, except that a terminal obeys nothing of the text that is drawn.

    Where the reader of a pipe has gone rich would exit the program at once.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(file=getattr(stream, "rich_proxied_file", stream), width=width)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The pieces of `renderable`; in those that are text, each control character is a symbol."""
        for piece in super().render(renderable, options):
            yield piece if piece.control else Segment(visible_lines(piece.text), piece.style)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, as print does."""
        raise BrokenPipeError


class TextTable(Table):
    """A table of plain texts: a line break or another control within one is a symbol."""

    def add_texts(self, *texts: str) -> None:
        self.add_row(*(Text(visible(text)) for text in texts))


def table_of(*columns: str, whole: Collection[str] = ()) -> TextTable:
    """An empty table. The columns named in `whole` are never wrapped: names to copy, figures."""
    table = TextTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    return table


def show(table: Table) -> None:
    """Print the table: on a terminal as wide as that is; elsewhere each row on its line, for a program to read."""
    console = Console()
    if console.is_terminal:
        console.print(table)
    else:
        Console(width=_UNBOUNDED).print(table, crop=False)


def progress_bar(*columns: ProgressColumn, console: Console, transient: bool = False, show: bool = True) -> Progress:
    """Rich's progress on `console`; nothing is drawn where that is no terminal.

    rich would send what is printed meanwhile to the same place, also where standard output is a file or a pipe.
    """
    return _Progress(
        *columns, console=console, transient=transient, disable=not (show and console.is_terminal),
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )  # fmt: skip


class _Progress(Progress):
    """For as long as it is drawn, rich has its own streams in the place of ours, and they obey what is printed."""

    def start(self) -> None:
        super().start()
        if not self.disable:
            filter_terminals()


@contextlib.contextmanager
def progress(doing: str, show: bool = True) -> Iterator[Callable[[float, str], None]]:
    """A line of progress on standard error, where that is a terminal; it is removed at the end, also by an exception.

    Yields a function that takes the fraction that is done, and what is being done where that is not `doing`.
    """
    console = Console(stderr=True)
    bar = progress_bar(
        TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f}%"),
        console=console, transient=True, show=show,
    )  # fmt: skip
    task = bar.add_task(doing, total=1.0)

    def update(fraction: float, part: str = "") -> None:
        bar.update(task, completed=fraction, description=part or doing)

    with cursor_restored(bar), bar:
        yield update


@contextlib.contextmanager
def cursor_restored(bar: Progress, farewell: str = "") -> Iterator[None]:
    """Let no signal that ends or suspends this process leave the terminal without its cursor, which `bar` hides.

    SIGTERM and SIGHUP, unless it is ignored, raise SystemExit within; where that ends nothing for LEAVE_SECONDS, say
    because it came while a lock was held, the process ends all the same. Before a suspension `farewell` is said.
    """
    last_resort: list[threading.Timer] = []

    def leave(number: int, frame: FrameType | None) -> None:
        timer = threading.Timer(LEAVE_SECONDS, end_now, (BY_SIGNAL + number,))
        timer.daemon = True
        timer.start()
        last_resort.append(timer)
        sys.exit(BY_SIGNAL + number)

    def end_now(code: int) -> None:
        _write(bar, _SHOW_CURSOR)
        os._exit(code)

    def suspend(number: int, frame: FrameType | None) -> None:
        _write(bar, _SHOW_CURSOR + (f"\r\n{visible(farewell)}\r\n" if farewell else ""))
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # and here it stays until it is continued
        signal.signal(number, suspend)
        if _in_foreground(bar):
            _write(bar, _HIDE_CURSOR)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {"SIGTERM": leave, "SIGHUP": leave, "SIGTSTP": suspend}
    numbers = {getattr(signal, name): handler for name, handler in handlers.items() if hasattr(signal, name)}
    before = {
        number: signal.signal(number, handler)
        for number, handler in numbers.items()
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    except BaseException:
        _write(bar, _SHOW_CURSOR)  # a signal may have come while it began to draw, and then it does not end that
        raise
    finally:
        for timer in last_resort:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(bar: Progress, text: str) -> None:
    """Write to the terminal of `bar` at once, whatever waits to be drawn; nothing where it draws nothing."""
    if not bar.disable:
        with contextlib.suppress(OSError):  # the terminal is gone
            os.write(bar.console.file.fileno(), text.encode(bar.console.encoding, "replace"))


def _in_foreground(bar: Progress) -> bool:
    """Whether the terminal is this process's, and not the shell's that runs it in the background."""
    try:
        return os.tcgetpgrp(bar.console.file.fileno()) == os.getpgrp()
    except OSError:
        return False
