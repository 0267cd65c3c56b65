"""The top line: the app's name, the model that answers, and the state of the run."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from ..run_words import STATE_STYLES, stage
from ..state import ModelView, TrainingView
from ..text import formatting

_NAME = ("minigpt", "bold $primary")


class HeaderLine(Widget):
    """Model at the left, run at the right; the model's facts are cut where both do not fit."""

    DEFAULT_CSS = """
    HeaderLine { height: 1; width: 1fr; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left = Content.assemble(_NAME)
        self._right = Content()

    def show(self, model: ModelView, training: TrainingView) -> None:
        """Show what is known; the rest is left out."""
        facts = [formatting.one_line(model.name)]
        if model.parameters:
            facts.append(formatting.parameters(model.parameters))
        facts.append(model.device or training.device)
        left = Content.assemble(_NAME, ("   " + " · ".join(filter(None, facts)), "$foreground-muted"))
        right = _run(training)
        if not (left.is_same(self._left) and right.is_same(self._right)):
            self._left, self._right = left, right
            self.refresh()

    def render(self) -> Content:
        room = self.size.width - self._right.cell_length - 2
        left = self._left.truncate(max(0, room), ellipsis=True)
        gap = self.size.width - left.cell_length - self._right.cell_length
        return Content.assemble(left, " " * max(0, gap), self._right)


def _run(training: TrainingView) -> Content:
    state = training.state
    if state is None:
        return Content.styled(f"○ {training.idle}", "$foreground-muted")
    style, preparing = STATE_STYLES[state], training.preparing
    parts = [(f"{style.glyph} {stage(preparing)}" if preparing else style.label, f"${style.colour}")]
    if training.step:
        total = "" if training.total_steps is None else f"/{training.total_steps}"
        parts.append((f"  step {training.step}{total}", "$foreground-muted"))
    if training.validation_loss is not None:
        parts.append((f"  val {formatting.loss(training.validation_loss)}", "$text"))
    return Content.assemble(*parts)
