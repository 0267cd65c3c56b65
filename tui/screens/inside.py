"""The inside desk: what the model is made of, and why the tokens of a reply were chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.getters import query_one
from textual.signal import Signal
from textual.widget import Widget
from textual.widgets import Static

from ...engine.requests import TokenDetail
from .. import keymap
from ..bridge import Bridge
from ..messages import ExplainNoMore
from ..widgets.architecture import Architecture
from ..widgets.heat_text import HeatText
from ..widgets.token_panel import TokenPanel, TokenPlace
from .desk import Desk

Replies = Sequence[Sequence[TokenDetail]]

_ABOUT = (
    "The more a token stands out, the less likely the model found it. p: its probability under the model. drawn: what "
    "the penalties, the temperature and the filters made of that. entropy: how undecided the model was."
)
_NO_TOKENS = "no tokens came of this sample"


class InsideDesk(Desk):
    """The architecture, and beside it, where there are any, the tokens of the last replies with their figures.

    Of several samples one is shown at a time, the last one first.
    """

    NAME = "inside"
    SCOPE = "inside"
    BINDINGS = [*keymap.bindings("inside"), *keymap.bindings("desk")]
    CSS_PATH = "../styles/inside.tcss"
    AUTO_FOCUS = "#tokens-text"

    architecture = query_one("#architecture", Architecture)
    text = query_one("#tokens-text", HeatText)
    panel = query_one("#tokens-panel", TokenPanel)

    def __init__(
        self, bridge: Bridge, figures_changed: Signal[None] | None, corpus: str | None, replies: Callable[[], Replies]
    ) -> None:
        """`replies` gives the explained tokens of each of the last replies."""
        super().__init__(bridge, figures_changed, corpus)
        self._source = replies
        self._replies: Replies = ()
        self._sample = 0
        self._model_alone = False  # in a narrow window

    def parts(self) -> Iterable[Widget]:
        """The architecture and the tokens; which stands where depends on the width."""
        with Horizontal(id="inside"):
            yield Architecture(id="architecture")
            with Vertical(id="tokens"):
                with VerticalScroll(id="tokens-box", can_focus=False):
                    yield HeatText(id="tokens-text")
                yield TokenPanel(takes=False, id="tokens-panel")
                yield Static(_ABOUT, id="tokens-about", markup=False)

    def on_screen_resume(self) -> None:
        """Show the tokens that there are now; those that come later wait until the desk is left and seen again."""
        replies = self._source()
        if replies != self._replies:
            self._replies, self._sample = replies, len(replies) - 1
            self._model_alone = False
            self._show_reply()
        self._arrange()

    def show_figures(self) -> None:
        """Header and architecture."""
        super().show_figures()
        self.architecture.show(self.bridge.model)

    def _arrange(self) -> None:
        """The model beside the tokens; in a narrow window one of them."""
        self.query_one("#tokens").display = bool(self._replies) and (self.wide or not self._model_alone)
        self.architecture.display = self.wide or not self._replies or self._model_alone

    def on_resize(self) -> None:
        self._arrange()

    def _show_reply(self) -> None:
        box = self.query_one("#tokens-box")
        number = f" · sample {self._sample + 1} of {len(self._replies)}" if len(self._replies) > 1 else ""
        box.border_title = f"tokens{number}"
        tokens = self._replies[self._sample] if self._replies else ()
        self.text.show(tokens)
        if not tokens:
            self.panel.show(None, _NO_TOKENS)
        self.refresh_bindings()

    @on(HeatText.Chosen)
    def _token_chosen(self, event: HeatText.Chosen) -> None:
        event.stop()
        tokens = self._replies[self._sample] if self._replies else ()
        if event.index < len(tokens):  # else of the sample before
            self.panel.border_title = f"token {event.index + 1:,} of {len(tokens):,}"
            self.panel.show(TokenPlace.of(tokens[event.index]))

    # --- actions --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer names the samples only where there are several."""
        if action in ("next_sample", "previous_sample"):
            return len(self._replies) > 1
        if action == "explain_no_more":
            return bool(self._replies)
        if action == "panels":
            return bool(self._replies) and not self.wide
        return super().check_action(action, parameters)

    def action_next_sample(self) -> None:
        self._turn(1)

    def action_previous_sample(self) -> None:
        self._turn(-1)

    def _turn(self, step: int) -> None:
        self._sample = (self._sample + step) % len(self._replies)
        self._show_reply()

    def action_panels(self) -> None:
        """In a narrow window, turn from the tokens to the model and back."""
        self._model_alone = not self._model_alone
        self._arrange()
        (self.architecture if self._model_alone else self.text).focus()

    def action_explain_no_more(self) -> None:
        self.post_message(ExplainNoMore())
        self.action_close()

    def action_close(self) -> None:
        self.app.switch_mode("write")
