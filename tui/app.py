"""The app: its three desks, the palette, and window sizes."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textual import events, work
from textual._compositor import CompositorUpdate
from textual.app import SystemCommand
from textual.dom import DOMNode
from textual.geometry import Size
from textual.screen import Screen

from ..data.storage.errors import UserError, sentence_of
from ..data.storage.printable import printable
from ..engine import paths
from ..engine.locks import check_locks
from ..engine.run_summary import RunSummaries
from . import keymap, keys
from .bridge import POLL_INTERVAL
from .keyed_node import KeyedNode
from .leaving import LeavingApp
from .messages import ExportWanted, RepliesEnded
from .opening import painting
from .placed_rows import placed
from .run_notices import RunNotices, sentence
from .run_watch import RunWatch
from .screens.desk import Desk
from .screens.sizes import BREAKPOINTS, is_too_small
from .screens.too_small import TooSmallScreen
from .screens.write import WriteDesk
from .settings import SettingsStore, where
from .terminal import has_job_control, shows_ascii_only
from .typed_bytes import read_any_bytes
from .widgets.header_line import DeskName, HeaderLine
from .window_title import WindowTitle

if TYPE_CHECKING:
    from .found_models import FoundModel

_MOST_NOTICES = 4  # that fit above each other in a small window
WATCH_SECONDS = 2.0  # between two looks at the runs that train


class MinigptApp(KeyedNode, LeavingApp):
    """Three desks, each with a stack of screens of its own: boxes lie above a desk for a while."""

    TITLE = "minigpt"
    CSS_PATH = [
        "styles/app.tcss",
        "styles/write.tcss",
        "styles/new_run.tcss",
        "styles/lists.tcss",
        "styles/boxes.tcss",
    ]
    BINDINGS = [*keymap.bindings("app")]
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    DEFAULT_MODE = "write"
    AUTO_FOCUS = None  # each screen says what it begins with

    def __init__(
        self,
        corpus: str | None = None,
        *,
        model: FoundModel | None = None,
        model_path: str | None = None,
        ascii_only: bool = False,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        store = SettingsStore(self._warn)
        super().__init__(store, ascii_only=ascii_only)
        self._set_keys()
        self._model_path = model_path
        self._last_size: Size | None = None
        self.window_title = WindowTitle(self._write_to_terminal)
        self._summaries = RunSummaries()
        self._run_watch = RunWatch(self._summaries)
        self._run_notices = RunNotices(self._write_to_terminal, self.bell, self.window_title, self._warn)
        self._typed_early: list[events.Event] | None = []  # None once there is something to type into
        self._write = WriteDesk(self.store, corpus, model, poll_interval)
        self.bridge = self._write.bridge
        self._corpus = corpus
        self.add_mode("train", self._train_desk)
        self.add_mode("inside", self._inside_desk)

    def get_default_screen(self) -> Screen[Any]:
        """The app begins with the write desk, as its default screen: a mode's would have all styles computed twice."""
        self.add_mode("write", lambda: self._write)
        if self._driver is not None and not self.is_headless:
            self._driver.write(painting())  # again: the terminal has cleared it for Textual
        return self._write

    def _train_desk(self) -> Screen[Any]:
        from .screens.train import TrainDesk

        return TrainDesk(self.bridge, self._write.figures_changed, self._corpus, self._summaries)

    def _inside_desk(self) -> Screen[Any]:
        from .screens.inside import InsideDesk

        return InsideDesk(self.bridge, self._write.figures_changed, self._corpus, self._write.explained)

    def on_mount(self) -> None:
        """Start the generate process once the first frame is painted."""
        self.remember_theme()
        self.end_with_the_terminal()
        self._tell_of_problems()
        if self._model_path is not None:
            from .screens.open_model import OpenModelScreen

            self.push_screen(OpenModelScreen(self.bridge, self._model_path))
        self.call_after_refresh(self.bridge.generator.start)
        self.call_after_refresh(self._tell_of_missing_locks)
        self.call_after_refresh(self._started)
        self.set_interval(WATCH_SECONDS, self.look_at_runs)

    def _started(self) -> None:
        """Take what was typed before the first frame stood, and collect no garbage that is none.

        What the start has made stays: a collection that looks through all of it takes longer than a key may wait.
        """
        early, self._typed_early = self._typed_early or [], None
        for event in early:
            self.post_message(event)
        if not self.is_headless:  # the tests' process makes many apps
            gc.freeze()
            gc.enable()
            self.run_worker(self._prepare_train_desk(), group="prepare", exit_on_error=False)
            if self._write.turns.conversation.offer is not None:
                self.bridge.prepare_training()

    async def _prepare_train_desk(self) -> None:
        """Read what the train desk needs while nobody waits for it: its modules and the folders of all runs."""
        await asyncio.to_thread(importlib.import_module, ".screens.train", __package__)
        for _ in self._summaries.each():
            await asyncio.sleep(0)  # keys come first

    async def on_event(self, event: events.Event) -> None:
        """Keep what is typed before there is something to type into."""
        early = self._typed_early
        if early is not None and isinstance(event, (events.Key, events.Paste)) and not self.is_headless:
            early.append(event)
        else:
            if isinstance(event, (events.Key, events.MouseDown, events.AppFocus)):  # somebody is here again
                self.window_title.take_back()
            await super().on_event(event)

    def _tell_of_problems(self) -> None:
        """Say what of the settings cannot be used; where that is much, the settings screen has all of it."""
        shown = self.problems
        if len(shown) > _MOST_NOTICES:
            shown = shown[: _MOST_NOTICES - 1]
            more = len(self.problems) - len(shown)
            shown.append(f"{more} more lines of the settings cannot be used; {keys.spoken('settings')} lists them.")
        for problem in shown:
            self.notify(problem, severity="warning", timeout=10, markup=False)

    def _tell_of_missing_locks(self) -> None:
        """Say so where nothing can be trained in this home; its models can be used all the same."""
        try:
            check_locks(paths.runs_dir())
        except UserError as error:
            self.notify(str(error), severity="warning", timeout=15, markup=False)
        except OSError:  # not made yet, or not to be written: a training says so
            return

    def _set_keys(self) -> None:
        """Take the person's keys, and name those that cannot be used."""
        for name, reason in keys.use(self.store.settings.keys).items():
            otherwise = "its usual key stays" if name in keymap.BY_ID else "it is ignored"
            self.problems.append(
                f"{where('keys', name)}: 'keys.{printable(name)}' cannot be used ({reason}); {otherwise}"
            )

    def on_replies_ended(self, message: RepliesEnded) -> None:
        """Tell of the end of a long reply, where the person wants that."""
        settings = self.store.settings
        if message.seconds < settings.reply_end_seconds:
            return
        if settings.reply_end in ("bell", "both"):
            self.bell()
        if settings.reply_end in ("title", "both"):
            self.window_title.show(f"minigpt: a reply is complete, after {message.seconds:.0f} s")

    def look_at_runs(self) -> None:
        """Tell of each run that has ended, diverged or stalled since the last look."""
        for news in self._run_watch.look():
            if news.run != self.bridge.run or self.current_mode != "write" or news.what == "stalled":
                good = news.what in ("finished", "stopped")  # of the run on screen the text says how it ended
                self.notify(sentence(news), severity="information" if good else "warning", timeout=15, markup=False)
            self.run_worker(self._run_notices.tell(news, self.store.settings), group="notices", exit_on_error=False)

    def _warn(self, sentence: str) -> None:
        self.notify(sentence, severity="warning", markup=False)

    def _write_to_terminal(self, text: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(text)

    async def on_unmount(self) -> None:
        self.window_title.take_back()
        await self._write.texts.close()
        self.bridge.cancel_training()
        await self.bridge.generator.close()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Send what has changed to the terminal; Textual has no other place to say how."""
        if isinstance(renderable, CompositorUpdate) and not self.is_headless:
            renderable = placed(renderable, screen._compositor)  # pyright: ignore[reportPrivateUsage]
        super()._display(screen, renderable)  # pyright: ignore[reportArgumentType]

    # --- sizes ----------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Cover everything with a sentence while the window is too small.

        A size that has not changed is told when the app goes on after a suspension: nothing is on the screen any more.
        """
        if event.size == self._last_size:
            self.refresh()
        self._last_size = event.size
        covered = isinstance(self.screen, TooSmallScreen)
        if is_too_small(event.size):
            if isinstance(self.screen, TooSmallScreen):
                self.screen.show(event.size)
            else:
                self.push_screen(TooSmallScreen())
        elif covered:
            self.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only leaving works while the window is too small."""
        if action == "suspend":
            return self._driver is not None and self._driver.can_suspend and has_job_control()
        if isinstance(self.screen, TooSmallScreen):
            return action == "quit"
        if getattr(self.screen, "TAKES_ALL_KEYS", False):
            return False
        return action not in ("train", "inside") or action != self.current_mode  # the footer names the other desks

    # --- actions --------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action that this screen and the app know, and the list of themes."""
        targets: dict[str, DOMNode] = {getattr(screen, "SCOPE", ""): screen, "app": self}
        if isinstance(screen, Desk):
            targets |= screen.scopes
        for action in keymap.ACTIONS:
            target = targets.get(action.scope)
            if target is not None and action.palette and hasattr(target, f"action_{action.method}"):
                key = keys.shown(action)
                yield SystemCommand(
                    f"{action.title}  ({key})" if key else action.title,
                    action.help,
                    lambda target=target, method=action.method: self.run_action(method, target),
                )
        yield SystemCommand(
            "Export to GGUF", "Write the model on screen as one file for llama.cpp.", self.action_export
        )
        yield SystemCommand("Themes", "Choose one of all themes.", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save a picture (SVG) of the screen.", self.deliver_screenshot)

    def action_write(self) -> None:
        """Go to the write desk, and there to the text."""
        self._turn_to("write")
        if self.screen is self._write:
            self._write.focus_text()

    def action_train(self) -> None:
        self._turn_to("train")

    def action_inside(self) -> None:
        self._turn_to("inside")

    def on_header_line_chosen(self, message: HeaderLine.Chosen) -> None:
        self._turn_to(message.desk)

    def _turn_to(self, desk: DeskName) -> None:
        """Bring a desk on the screen as it was left; it is made when it is first wanted."""
        self.switch_mode(desk)
        self.screen.refresh_bindings()

    def on_sessions_wanted(self) -> None:
        """The list of sessions lies above the write desk, where the chosen one is shown."""
        self._turn_to("write")
        if self.screen is self._write:
            self._write.open_sessions()

    def on_settings_changed(self) -> None:
        """Take over the settings."""
        keys.use(self.store.settings.keys)
        self.show_chosen_theme()
        self._write.show_settings()
        self.screen.refresh_bindings()

    def on_explain_no_more(self) -> None:
        self._write.set_explain(False)

    def action_help(self) -> None:
        """Show the keys and how the parts work together, or no more."""
        from .screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
        else:
            self.push_screen(HelpScreen())

    def action_settings(self) -> None:
        """Show all settings."""
        from .screens.settings import SettingsScreen

        if not any(isinstance(screen, SettingsScreen) for screen in self.screen_stack):
            self.clear_notifications()  # which would cover what they are about
            self.push_screen(SettingsScreen(self.store, sorted(self.available_themes), self.problems))

    def action_export(self) -> None:
        if self.bridge.opened is not None:
            self.export(str(self.bridge.opened.path))
        elif self.bridge.run is not None:
            self.export(self.bridge.run.name)
        else:
            self.notify("There is no model on screen that could be exported.", markup=False)

    def on_export_wanted(self, message: ExportWanted) -> None:
        self.export(message.model)

    @work(group="export")
    async def export(self, model: str) -> None:
        """Export the model of that name or path, and say where it lies or why it does not."""
        from .export import export_gguf

        self.notify(f"{model} is being exported ...", markup=False)
        try:
            exported = await export_gguf(model)
        except OSError as error:
            self.notify(sentence_of(error), title="Nothing was exported", severity="error", timeout=15, markup=False)
            return
        title, severity = ("Exported", "information") if exported.done else ("Nothing was exported", "error")
        self.notify(exported.sentence, title=title, severity=severity, timeout=15, markup=False)


def run_app(corpus: str | None = None, *, model: FoundModel | None = None, model_path: str | None = None) -> int:
    """Open the app; returns the exit code.

    With a `corpus` it offers to train on that, with a `model_path` to open that; a `model` is opened at once.
    """
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stderr__ and sys.__stderr__.isatty()):
        print(
            "minigpt-tui: the app needs a terminal; without one, see minigpt-tui --help for train and generate",
            file=sys.stderr,
        )
        return 2
    read_any_bytes(sys.__stdin__.encoding)
    app = MinigptApp(corpus, model=model, model_path=model_path, ascii_only=shows_ascii_only(sys.__stderr__))
    result = app.run()
    return result if result is not None else app.return_code or 0
