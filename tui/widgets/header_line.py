"""The top line: the three desks, the model that answers, and the state of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ..run_words import STATE_STYLES, stage
from ..state import ModelView, TrainingView
from ..text import formatting

DeskName = Literal["write", "train", "inside"]
DESKS: tuple[DeskName, ...] = get_args(DeskName)

_NAME = Content.assemble(("minigpt", "bold $primary"), "   ")
_GAP = "  "
_LEAST_FACTS = 10  # cells, below which the start of a name says nothing


class HeaderLine(Widget):
    """The desks at the left, the run at the right, the model between them.

    Where not all of it fits, the model's facts are cut first, then the name of the program and the run's figures; the
    desks and the state stay. A click on a desk posts `Chosen`.
    """

    DEFAULT_CSS = """
    HeaderLine { height: 1; width: 1fr; padding: 0 1; }
    """

    @dataclass
    class Chosen(Message):
        """A desk was clicked."""

        desk: DeskName

    def __init__(self, desk: DeskName, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._desks = Content(_GAP).join(
            Content.styled(f"{number} {name}", "bold $accent" if name == desk else "$foreground-muted")
            for number, name in enumerate(DESKS, 1)
        )
        self._facts = ""
        self._run = (Content(),)  # the run's state, the longest words first

    def show(self, model: ModelView, training: TrainingView) -> None:
        """Show what is known; the rest is left out."""
        facts = [formatting.one_line(model.name)]
        if model.parameters:
            facts.append(formatting.parameters(model.parameters))
        facts.append(model.device or training.device)
        shown, run = " · ".join(filter(None, facts)), _run(training)
        if shown != self._facts or not all(a.is_same(b) for a, b in zip(run, self._run, strict=False)):
            self._facts, self._run = shown, run
            self.refresh()

    def render(self) -> Content:
        width, desks = self.size.width, self._desks
        room = width - desks.cell_length - len(_GAP)
        run = next((words for words in self._run if words.cell_length <= room), self._run[-1].truncate(max(0, room)))
        if self._name_fits(run):
            desks = _NAME + desks
        room = width - desks.cell_length - run.cell_length - len(_GAP)
        facts = Content.styled(f"   {self._facts}" if self._facts and room >= _LEAST_FACTS else "", "$foreground-muted")
        facts = facts.truncate(max(0, room), ellipsis=True)
        gap = width - desks.cell_length - facts.cell_length - run.cell_length
        return Content.assemble(desks, facts, " " * max(0, gap), run)

    def _name_fits(self, run: Content) -> bool:
        return _NAME.cell_length + self._desks.cell_length + len(_GAP) + run.cell_length <= self.size.width

    def on_click(self, event: events.Click) -> None:
        """Say which desk was clicked."""
        where = event.get_content_offset(self)
        text = self.render().plain
        for number, name in enumerate(DESKS, 1):
            start = text.index(f"{number} {name}")  # before anything that a stranger has named
            if where is not None and start <= where.x < start + len(name) + len(_GAP):
                self.post_message(self.Chosen(name))


def _run(training: TrainingView) -> tuple[Content, ...]:
    state = training.state
    if state is None:
        return (Content.styled(f"○ {training.idle}", "$foreground-muted"),)
    style, preparing = STATE_STYLES[state], training.preparing
    label = (f"{style.glyph} {stage(preparing)}" if preparing else style.label, f"${style.colour}")
    step, loss = ("", ""), ("", "")
    if training.step:
        total = "" if training.total_steps is None else f"/{training.total_steps}"
        step = (f"  step {training.step}{total}", "$foreground-muted")
    if training.validation_loss is not None:
        loss = (f"  val {formatting.loss(training.validation_loss)}", "$text")
    return Content.assemble(label, step, loss), Content.assemble(label, loss), Content.assemble(label)
