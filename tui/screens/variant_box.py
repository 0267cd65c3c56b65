"""A box with what a column could be written by instead: a field finds it, the arrows choose, Enter takes it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Input, OptionList

from ...data.storage.printable import visible
from ..comparison.variants import Choice, Variant, seed_choice, typed_seed
from ..widgets.text_input import TextInput
from .box import Box

_MOST_LISTED = 200


class VariantBox(Box[Variant | None]):
    """Dismissed with the variant that is chosen, or None."""

    BINDINGS = [
        Binding("escape", "cancel", "Cancel"),
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
        Binding("pageup", "step(-10)", show=False),
        Binding("pagedown", "step(10)", show=False),
    ]
    CSS_PATH = "../styles/variant_box.tcss"
    AUTO_FOCUS = "#variant-words"

    rows = query_one(OptionList)

    def __init__(self, title: str, variant: Variant, choices: list[Choice]) -> None:
        super().__init__()
        self._title, self._variant, self._choices = title, variant, choices
        self._listed: list[Choice] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="variant") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "Enter takes it · Esc cancels"
            yield TextInput(
                placeholder="a step, a run, a set, or any number as a seed", id="variant-words", compact=True
            )
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Show all of them; the field has the focus and the list follows it."""
        self.rows.can_focus = False
        self._show("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    def _show(self, words: str) -> None:
        """The choices in which all words stand, and what is typed as a seed."""
        wanted = words.casefold().replace(",", "").split()
        found = [one for one in self._choices if all(word in one.words.casefold().replace(",", "") for word in wanted)]
        seed = typed_seed(words)
        if seed is not None and seed != self._variant.seed and all(one.variant.seed != seed for one in found):
            found.append(seed_choice(self._variant, seed))
        self._listed = found[:_MOST_LISTED]
        self.rows.clear_options()
        self.rows.add_options(Content(visible(one.words)) for one in self._listed)
        self.rows.highlighted = 0 if self._listed else None

    def action_step(self, step: int) -> None:
        """Go to another row; from the last one to the first and back by single steps."""
        if self._listed:
            at, last = self.rows.highlighted or 0, len(self._listed) - 1
            to = (at + step) % (last + 1) if abs(step) == 1 else max(0, min(last, at + step))
            self.rows.highlighted = to

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self.rows.highlighted is not None:
            self.dismiss(self._listed[self.rows.highlighted].variant)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._listed[event.option_index].variant)

    def action_cancel(self) -> None:
        self.dismiss(None)
