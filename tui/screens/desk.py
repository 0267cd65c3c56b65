"""What the three desks have in common: the header that names them, the footer, and the actions that work on each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from textual.app import ComposeResult
from textual.dom import DOMNode
from textual.getters import query_one
from textual.signal import Signal
from textual.widget import Widget

from ...data.storage.errors import EXPECTED
from ...engine.events import CommandName
from ...engine.runs import Run
from .. import keymap
from ..bridge import Bridge
from ..messages import SessionsWanted
from ..training_offer import BUILT_IN
from ..widgets.footer_line import FooterLine
from ..widgets.header_line import DeskName, HeaderLine
from .action_screen import ActionScreen
from .sizes import WIDE


class Desk(ActionScreen):
    """A screen at the bottom of a stack of its own; boxes lie above it, and the other desks are one key away."""

    NAME: DeskName

    header = query_one("#header", HeaderLine)

    def __init__(self, bridge: Bridge, figures_changed: Signal[None] | None = None, corpus: str | None = None) -> None:
        """`figures_changed` says that the bridge has new figures; `corpus` is the text that the command line names."""
        super().__init__()
        self.bridge = bridge
        self._figures_changed = figures_changed
        self._corpus = corpus

    def compose(self) -> ComposeResult:
        yield HeaderLine(self.NAME, id="header")
        yield from self.parts()
        yield FooterLine()

    @property
    def scopes(self) -> dict[keymap.Scope, DOMNode]:
        """Whose actions work here, and what carries them out."""
        return {"desk": self, self.SCOPE: self}

    @abstractmethod
    def parts(self) -> Iterable[Widget]:
        """What stands between header and footer."""

    def on_mount(self) -> None:
        """Follow the figures from now on."""
        if self._figures_changed is not None:
            self._figures_changed.subscribe(self, lambda _: self._show_if_seen())

    def on_screen_resume(self) -> None:
        """Show what has changed while another desk was on the screen."""
        self._show_if_seen()

    def _show_if_seen(self) -> None:
        if self.is_mounted and self in self.app.screen_stack:
            self.show_figures()

    def show_figures(self) -> None:
        """Write the bridge's present figures into the header and the panels."""
        self.header.show(self.bridge.model, self.bridge.training)

    @property
    def wide(self) -> bool:
        """Whether panels stand side by side."""
        return self.app.size.width >= WIDE

    # --- actions --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer shows only the actions that would do something now."""
        return self.bridge.is_training if action in ("pause_run", "stop_run") else True

    def action_new_run(self) -> None:
        from .new_run import NewRunScreen

        self.app.push_screen(NewRunScreen(self.bridge, corpus=self._corpus or BUILT_IN))

    def action_open_model(self) -> None:
        from .open_model import OpenModelScreen

        self.app.push_screen(OpenModelScreen(self.bridge))

    def action_train_further(self) -> None:
        """The form of a new run that begins with the weights of the model on screen."""
        from .new_run import NewRunScreen

        bridge = self.bridge
        if bridge.opened is not None:
            self.app.push_screen(NewRunScreen(self.bridge, str(bridge.opened.path)))
        elif bridge.run is not None and bridge.run.checkpoint() is not None:
            self.app.push_screen(NewRunScreen(self.bridge, bridge.run.name))
        else:
            self.notify("There is no model on screen that could be trained further.", markup=False)

    def action_sessions(self) -> None:
        """Ask the app for the list of all sessions, which lies above the write desk."""
        self.post_message(SessionsWanted())

    def action_pause_run(self) -> None:
        self.send_command("resume" if self.bridge.state == "paused" else "pause")

    def action_save_run(self) -> None:
        """Ask for a checkpoint now."""
        self.send_command("save")

    def action_stop_run(self) -> None:
        """End the training, with a checkpoint."""
        if self.send_command("stop"):
            self.notify("The training stops after this step and is saved.", markup=False)

    def send_command(self, name: CommandName, run: Run | None = None) -> bool:
        """Send a command to `run`, or to the run on screen; whether that could be done."""
        try:
            self.bridge.send_command(name, run)
        except EXPECTED as error:
            self.refuse(error)
            return False
        return True
