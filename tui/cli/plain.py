"""The option --plain: the app's conversation line by line, for screen readers and pipes.

Replies and what a command was asked for go to standard output, everything else to standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator

from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.storage.printable import visible_lines, without_controls
from ...engine.requests import Ended, Tokens
from ...engine.runs import run_to_open
from ..found_models import FoundModel, look_up
from ..plain_conversation import PlainConversation, ProcessEndedError
from ..reply_words import status_line
from ..settings import SettingsStore
from . import plain_commands
from .child import say_where_logs_go
from .exit_codes import BY_SIGNAL, DONE, FAILED, INTERRUPTED, USAGE, complain
from .typed_lines import TypedLines

_MARK, _GOES_ON = "> ", ". "  # what a terminal shows before a line


def talk(model: str | None) -> int:
    """Talk to a model, the one that the app would open where none is named; returns the exit code."""
    say_where_logs_go()
    if model is None:
        run = run_to_open()
        if run is None:
            return complain(
                "there is no model yet; train one with: minigpt-tui train tales, or name one: minigpt-tui --plain MODEL"
            )
        model = str(run.path)
    return asyncio.run(_Talk().run(look_up(model)))


class _Talk:
    """Reads lines until they end; a line is a prompt, or a command that begins with a slash."""

    def __init__(self) -> None:
        self._store = SettingsStore(_note)
        self._conversation = PlainConversation(self._store, _note)
        self._lines = TypedLines(sys.stdin)
        self._typed = sys.stdin is not None and sys.stdin.isatty()
        self._code = DONE  # of what failed first
        self._signal = 0  # the one that ends this

    async def run(self, found: FoundModel) -> int:
        """The exit code: through a pipe that of the first failure, for a person only that of the last word."""
        for problem in self._store.problems:
            _note(problem)
        with self._signals():
            try:
                if not await self._begin(found):
                    return self._code
                while (line := await self._next_line()) is not None and await self._take(line):
                    pass
            except asyncio.CancelledError:
                return INTERRUPTED if self._signal == signal.SIGINT else BY_SIGNAL + self._signal
            finally:
                await self._conversation.close()
        return DONE if self._typed else self._code

    async def _begin(self, found: FoundModel) -> bool:
        """Load the model and open the session; whether there is a model."""
        try:
            await self._conversation.open(found)
        except EXPECTED as error:
            self._fail(error)
            return False
        number = self._conversation.go_on()
        if self._typed:
            which = "a new session" if number is None else f"session {number} goes on"
            _note(f"{plain_commands.model_words(self._conversation)}; {which}; /help says what can be typed")
        return True

    # --- lines ----------------------------------------------------------------------------------

    async def _next_line(self) -> str | None:
        r"""The next prompt or command: a line, and those that follow where it ends with \."""
        self._show(_MARK)
        line = await self._lines.next()
        parts = list[str]()
        while line is not None and line.endswith("\\"):
            if line.endswith("\\\\"):
                line = line[:-1]
                break
            parts.append(line[:-1])
            self._show(_GOES_ON)
            line = await self._lines.next()
        if line is not None:
            parts.append(line)
        elif self._typed:
            print(flush=True)  # the terminal shows nothing of Ctrl-D
        return without_controls("\n".join(parts)) if parts else None

    async def _take(self, line: str) -> bool:
        """Answer a prompt or carry out a command; False where that ends the conversation."""
        try:
            if line.startswith("/") and not line.startswith("//"):
                return await plain_commands.carry_out(line, self._conversation, self._store, self._print_replies())
            prompt = line[1:] if line.startswith("//") else line
            await self._conversation.ask(prompt, self._print_replies())
        except BrokenPipeError:  # nobody reads it any more
            raise
        except EXPECTED as error:
            self._fail(error)
        return True

    def _fail(self, error: Exception) -> None:
        broken = isinstance(error, ProcessEndedError) or not isinstance(error, UserError)
        code = complain(sentence_of(error), FAILED if broken else USAGE)
        self._code = self._code or code

    def _show(self, mark: str) -> None:
        if self._typed and sys.stdout.isatty():
            print(mark, end="", flush=True)

    def _print_replies(self) -> Replies:
        return Replies(self._store.settings.samples)

    # --- signals --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Let Ctrl-C stop the reply, and SIGTERM and SIGHUP end the conversation with all of it saved."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def leave(number: int) -> None:
            self._signal = number
            task.cancel()

        def interrupt() -> None:
            if self._conversation.stop():
                return
            if not self._typed or self._conversation.loaded is None:
                leave(signal.SIGINT)
                return
            _note("\nCtrl-D or /quit leaves")
            self._show(_MARK)

        names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        numbers = [number for name in names if signal.getsignal(number := getattr(signal, name)) != signal.SIG_IGN]
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGINT, interrupt)
            for number in numbers:
                loop.add_signal_handler(number, leave, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, *numbers):
                with contextlib.suppress(NotImplementedError):
                    loop.remove_signal_handler(number)


class Replies:
    """Prints the replies to one prompt: the first as it comes, each further one when those before it are complete."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._texts = [""] * count  # that wait
        self._ended = dict[int, Ended]()
        self._shown = -1  # the one that is printed as it comes

    def __call__(self, message: Tokens | Ended) -> None:
        """Take a piece of a reply, or its end."""
        if self._shown < 0:
            self._begin(0)
        if isinstance(message, Tokens):
            if message.sample == self._shown:
                _print(message.text)
            else:
                self._texts[message.sample] += message.text
            return
        self._ended[message.sample] = message
        while ended := self._ended.get(self._shown):
            self._end(ended)
            self._begin(self._shown + 1)

    def _begin(self, sample: int) -> None:
        self._shown = sample
        if sample < self._count:
            if self._count > 1:
                _print(f"--- sample {sample + 1} of {self._count} ---\n")
            _print(self._texts[sample])

    def _end(self, ended: Ended) -> None:
        _print("\n")
        if sys.stderr.isatty():
            _note(status_line(ended, several=self._count > 1))
        else:
            for notice in ended.notices:
                complain(notice)


def _print(text: str) -> None:
    """Print a piece of text at once, of which nothing obeys, also at the end of a pipe."""
    print(visible_lines(text), end="", flush=True)


def _note(sentence: str) -> None:
    print(visible_lines(sentence), file=sys.stderr, flush=True)
