"""How the app is left: by the person, who is asked about runs that train; by a signal; when its terminal closes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading

from textual import work

from ..data.storage.errors import EXPECTED
from ..engine.events import ENDED_STATES
from ..engine.runs import Run, list_runs
from .bridge import Bridge
from .terminal import call_when_hung_up
from .themed_app import ThemedApp
from .window_title import WindowTitle

STOP_SECONDS = 60.0  # that quitting waits for runs to stop and save
EXIT_SECONDS = 3.0  # that a clean exit may take after a signal
HUNG_UP_SECONDS = 1.5  # that it may take when the terminal is gone, and nothing is left to be put right there


class LeavingApp(ThemedApp):
    """An app that sends commands to runs and has a window title."""

    bridge: Bridge
    window_title: WindowTitle

    def end_with_the_terminal(self) -> None:
        """Exit cleanly when the terminal closes or SIGTERM comes. Trainings are processes of their own and go on."""
        loop = asyncio.get_running_loop()

        def leave(seconds: float) -> None:
            # Textual's output thread dies with the terminal, and the exit, or the loop, may then wait for it for ever.
            # Nothing is lost by a hard exit: settings are written when they change, and the generate process ends when
            # our end of its pipe is closed.
            last_resort = threading.Timer(seconds, os._exit, (0,))
            last_resort.daemon = True
            last_resort.start()
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(self.exit, 0)

        for name in ("SIGTERM", "SIGHUP"):
            with contextlib.suppress(NotImplementedError, AttributeError, ValueError, RuntimeError):
                loop.add_signal_handler(getattr(signal, name), leave, EXIT_SECONDS)
        if not self.is_headless and sys.__stdin__ and sys.__stderr__:
            call_when_hung_up((sys.__stdin__.fileno(), sys.__stderr__.fileno()), lambda: leave(HUNG_UP_SECONDS))

    def action_suspend(self) -> None:
        """Stop all processes of the shell's job, as Ctrl-Z does in other programs; the shell's fg lets them go on.

        The terminal is given back first: once another process of the job has stopped, the shell writes to it.
        """
        self.window_title.take_back()
        with self.suspend():
            os.kill(0, signal.SIGTSTP)

    async def action_quit(self) -> None:
        """Quit; while runs train, ask first whether to leave them running or to stop them."""
        self._leave()

    @work(group="leave")
    async def _leave(self) -> None:
        from .screens.questions import Answer, Question, Waiting

        if isinstance(self.screen, (Question, Waiting)):
            return
        alive = [run for run in list_runs() if run.seems_alive()]
        if not alive:
            self.exit(0)
            return
        which = f"'{alive[0].name}'" + (f" and {len(alive) - 1} more" if len(alive) > 1 else "")
        answer = await self.push_screen_wait(
            Question(
                "quit",
                f"In training: {which}. It can go on without this window; the next start shows it again.",
                [Answer("leave", "leave it running", "l"), Answer("stop", "stop and save", "s")],
            )
        )
        if answer == "stop":
            self.push_screen(Waiting(f"Stopping after this step and saving: {which} ..."))
            await self._stop(alive)
        if answer is not None:
            self.exit(0)

    async def _stop(self, runs: list[Run]) -> None:
        """Stop and save all of them; wait until they have ended, but no longer than STOP_SECONDS."""
        for run in runs:
            with contextlib.suppress(*EXPECTED):  # it has ended meanwhile
                self.bridge.send_command("stop", run)
        loop = asyncio.get_running_loop()
        until = loop.time() + STOP_SECONDS
        while any(run.seems_alive() and run.shown_state() not in ENDED_STATES for run in runs) and loop.time() < until:
            await asyncio.sleep(0.1)
