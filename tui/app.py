"""The app: what is composed, the themes, the palette, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from textual import events, work
from textual.app import App, SystemCommand
from textual.message import Message
from textual.screen import Screen

from ..data.storage.errors import EXPECTED, sentence_of
from ..engine.events import ENDED_STATES
from ..engine.runs import Run, list_runs
from . import keymap
from .bridge import POLL_INTERVAL, Bridge
from .found_models import FoundModel
from .screens.chat import ChatScreen
from .screens.open_model import OpenModelScreen
from .screens.too_small import TooSmallScreen
from .settings import load_settings, save_settings
from .sizes import BREAKPOINTS, is_too_small
from .themes import DARK, THEMES, other_side

STOP_PATIENCE = 60.0  # seconds that quitting waits for a run to stop and save
END_PATIENCE = 3.0  # seconds that ending in order may take after a signal


class MinigptApp(App[int]):
    """One chat screen at the bottom, everything else above it for a while."""

    TITLE = "minigpt"
    CSS_PATH = ["styles/app.tcss", "styles/chat.tcss", "styles/new_run.tcss", "styles/runs.tcss", "styles/boxes.tcss"]
    BINDINGS = [*keymap.bindings("app")]
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS = None  # each screen says what it begins with

    def __init__(
        self,
        corpus: str | None = None,
        *,
        model: FoundModel | None = None,
        model_path: str | None = None,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        super().__init__()
        self.poll_interval = poll_interval
        self.settings, self._notices = load_settings()
        self._set_theme()
        self.bridge = Bridge(self._tell_chat)
        self._model_path = model_path
        self._chat = ChatScreen(corpus, model)

    def _tell_chat(self, message: Message) -> None:
        self._chat.post_message(message)

    def get_default_screen(self) -> Screen[Any]:
        """The chat stands at the bottom of the stack."""
        return self._chat

    def on_mount(self) -> None:
        """Start the generate process once the first frame is painted."""
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))
        self._end_on_signals()
        for notice in self._notices:
            self.notify(notice, severity="warning", timeout=10, markup=False)
        if self._model_path is not None:
            self.push_screen(OpenModelScreen(self._model_path))
        self.call_after_refresh(self.bridge.generator.start)

    def _set_theme(self) -> None:
        """Before anything is composed: a theme that changes later lays every style out anew."""
        for theme in THEMES:
            self.register_theme(theme)
        if self.settings.theme not in self.available_themes:
            self._notices.append(f"there is no theme '{self.settings.theme}'; {DARK.name} is used")
            self.settings = replace(self.settings, theme=DARK.name)
        self.set_reactive(App.theme, self.settings.theme)
        self.stylesheet.set_variables(self.get_css_variables())

    def _end_on_signals(self) -> None:
        """A terminal that closes, or a polite kill: leave in order. Trainings are processes of their own and stay."""
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            with contextlib.suppress(NotImplementedError, AttributeError, ValueError, RuntimeError):
                loop.add_signal_handler(getattr(signal, name), self._end)

    def _end(self) -> None:
        # Textual's output thread dies with the terminal, and the rest may then wait for it for ever. Nothing is lost by
        # going without farewell: settings are written when they change, and the generate process ends with our pipe.
        last_resort = threading.Timer(END_PATIENCE, os._exit, (0,))
        last_resort.daemon = True
        last_resort.start()
        self.exit(0)

    async def on_unmount(self) -> None:
        """The generate process ends with the app."""
        await self.bridge.generator.close()

    def remember(self, **changes: Any) -> None:
        """Keep a choice for the next start."""
        settings = replace(self.settings, **changes)
        if settings == self.settings:
            return
        self.settings = settings
        try:
            save_settings(settings)
        except OSError as error:
            self.notify(f"The settings cannot be saved: {sentence_of(error)}", severity="warning", markup=False)

    # --- sizes ----------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Below the smallest size a sentence covers everything; above it, it goes."""
        covered = isinstance(self.screen, TooSmallScreen)
        if is_too_small(event.size):
            if isinstance(self.screen, TooSmallScreen):
                self.screen.show(event.size)
            else:
                self.push_screen(TooSmallScreen())
        elif covered:
            self.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing but quitting where nothing can be shown."""
        return not isinstance(self.screen, TooSmallScreen) or action == "quit"

    # --- commands -------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every command that this screen and the app know, and the list of themes."""
        for command in keymap.COMMANDS:
            target = self if command.place == "app" else screen
            if (
                command.palette
                and hasattr(target, f"action_{command.action}")
                and command.place in self._places(screen)
            ):
                yield SystemCommand(
                    f"{command.title}  ({keymap.shown_key(command)})",
                    command.help,
                    lambda target=target, action=command.action: self.run_action(action, target),
                )
        yield SystemCommand(
            "Export to GGUF", "Write the model on screen as one file for llama.cpp.", self.action_export
        )
        yield SystemCommand("Themes", "Choose one of all themes.", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save a picture (SVG) of the screen.", self.deliver_screenshot)

    @staticmethod
    def _places(screen: Screen[Any]) -> tuple[str, ...]:
        return ("app", getattr(screen, "PLACE", ""))

    def action_help(self) -> None:
        """The keys, and what this is."""
        from .screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def action_toggle_theme(self) -> None:
        """From dark to light and back."""
        self.theme = other_side(self.current_theme.dark)

    def action_export(self) -> None:
        """The model on screen as a GGUF file."""
        if self.bridge.opened is not None:
            self.export(str(self.bridge.opened.path))
        elif self.bridge.run is not None:
            self.export(self.bridge.run.name)
        else:
            self.notify("There is no model on screen that could be exported.", markup=False)

    @work(group="export")
    async def export(self, model: str) -> None:
        """Export the model of that name or path, and say where it lies or why it does not."""
        from .exports import export_gguf

        self.notify(f"{model} is being exported ...", markup=False)
        try:
            exported = await export_gguf(model)
        except OSError as error:
            self.notify(sentence_of(error), title="Nothing was exported", severity="error", timeout=15, markup=False)
            return
        title, severity = ("Exported", "information") if exported.done else ("Nothing was exported", "error")
        self.notify(exported.sentence, title=title, severity=severity, timeout=15, markup=False)

    # --- leaving --------------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """Leave; while anything trains, ask what becomes of it."""
        self._leave()

    @work(group="leave")
    async def _leave(self) -> None:
        from .screens.questions import Answer, Question, Waiting

        if isinstance(self.screen, (Question, Waiting)):
            return
        alive = [run for run in list_runs() if run.is_alive()]
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
        """Stop and save; back when all have ended, or patience has."""
        for run in runs:
            with contextlib.suppress(*EXPECTED):  # it ended by itself meanwhile
                self.bridge.order("stop", run)
        loop = asyncio.get_running_loop()
        until = loop.time() + STOP_PATIENCE
        while any(run.is_alive() and run.state() not in ENDED_STATES for run in runs) and loop.time() < until:
            await asyncio.sleep(0.1)


def run_app(corpus: str | None = None, *, model: FoundModel | None = None, model_path: str | None = None) -> int:
    """Open the app; returns the exit code.

    With a `corpus` it offers to train on that; a `model` speaks at once; a `model_path` it offers to open.
    """
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stderr__ and sys.__stderr__.isatty()):
        print(
            "minigpt-tui: the app needs a terminal; without one, see minigpt-tui --help for train and generate",
            file=sys.stderr,
        )
        return 2
    app = MinigptApp(corpus, model=model, model_path=model_path)
    result = app.run()
    return result if result is not None else app.return_code or 0
