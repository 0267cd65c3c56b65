"""Side by side: one prompt, continued in two to four columns that stream together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.printable import visible_lines, without_controls
from ...engine.requests import SamplingSettings
from .. import keymap
from ..comparison.prompts import ComparedPrompt
from ..comparison.variants import Variant, choices, other_seeds
from ..comparison.writer import ColumnWriter, WrittenReply
from ..keyed_node import KeyedNode
from ..placed_tokens import coloured
from ..text import formatting
from ..text.difference import differing_words
from ..text.wrapping import wrap
from ..widgets.border_words import set_subtitle, set_title
from ..widgets.compared_column import ComparedColumn
from ..widgets.footer_line import FooterLine
from ..widgets.prompt import Prompt

FEWEST, MOST = 2, 4  # columns
NARROWEST = 30  # cells of a column: as many stand beside each other as fit
PROGRESS_SECONDS = 0.2  # between two looks at the figures of what is being written
_GIVEN_ROWS = 2  # of a text that is continued
_GIVEN_CHARACTERS = 1000  # of its end, that are laid out for them


@dataclass(frozen=True)
class GoOn:
    """The reply that the session goes on with, and the prompt that it continues."""

    prompt: str
    reply: WrittenReply


class _Column:
    """A column on the screen, and who writes it."""

    def __init__(self, variant: Variant, changed: Callable[[_Column], None]) -> None:
        self.widget = ComparedColumn()
        self.writer = ColumnWriter(
            variant,
            lambda text, details: self.widget.stream(text, coloured(details)),
            lambda: changed(self),
        )

    def show(self, number: int, own: Mapping[str, SamplingSettings]) -> None:
        """Write title, figures, and what it waits for or what is wrong."""
        writer = self.writer
        words = writer.problem
        if not words and writer.is_loading:
            words = "the model is being loaded ..."
        title = f"{number} · {writer.variant.title(writer.step)}"
        ended = writer.reply.ended if writer.reply else None
        self.widget.show(
            title, writer.variant.how(own), _figures(writer.reply), ended.notices if ended else (),
            words=formatting.one_line(words), problem=bool(writer.problem),
        )  # fmt: skip


class CompareScreen(KeyedNode, Screen[GoOn | None]):
    """Dismissed with the reply that the session goes on with, or None. Its processes end with it."""

    SCOPE = "compare"
    BINDINGS = [
        *keymap.bindings("compare"),
        *(Binding(str(number + 1), f"go({number})", f"Column {number + 1}", show=False) for number in range(MOST)),
    ]
    CSS_PATH = "../styles/compare.tcss"
    AUTO_FOCUS = ""

    def __init__(
        self, prompt: ComparedPrompt, variants: list[Variant], own_sets: Mapping[str, SamplingSettings]
    ) -> None:
        super().__init__()
        self._prompt, self._own_sets = prompt, own_sets
        self._text = prompt.text
        self._has_begun = False
        self._marks = False  # whether what differs is marked
        self._at = 0  # the column in focus
        self._shown = range(len(variants))  # the columns in view
        self._wanted: _Column | None = None  # which the session goes on with when it has ended
        self._columns = [_Column(variant, self._changed) for variant in variants]
        self._field = Prompt(placeholder="write how a text begins and press Enter", id="compared-field")
        self._given = Static(markup=False, id="compared-given")

    def compose(self) -> ComposeResult:
        with Vertical(id="compared-prompt"):
            yield self._field if self._prompt.is_editable else self._given
        with Horizontal(id="compared-columns"):
            for column in self._columns:
                yield column.widget
        yield FooterLine()

    def on_mount(self) -> None:
        """Load the models, and begin where there is something to be continued."""
        self._field.restore(self._text)
        self.set_interval(PROGRESS_SECONDS, self._show_progress)
        for column in self._columns:
            column.writer.start()
        if self._prompt.is_given:
            self._write(self._columns)
        self.arrange_columns()
        if self._prompt.is_given:
            self._focus_column()
        else:
            self._field.focus()

    async def on_unmount(self) -> None:
        """End the processes."""
        await asyncio.gather(*(column.writer.close() for column in self._columns))

    # --- writing --------------------------------------------------------------------------------

    def _write(self, columns: list[_Column]) -> None:
        """Let these columns write, all at once."""
        self._has_begun = True
        for column in columns:
            column.widget.text.begin()
            column.writer.write(self._prompt.asked(self._text, column.writer.variant.model))
        self._mark()

    def _changed(self, column: _Column) -> None:
        """Show what a column says now."""
        if not self.is_mounted or column not in self._columns:
            return
        column.show(self._columns.index(column) + 1, self._own_sets)
        if column.writer.is_writing:
            return
        self._mark()
        if column is self._wanted:
            self._wanted = None
            self._go_on_with(column)

    def _show_progress(self) -> None:
        for number, column in enumerate(self._columns):
            if column.writer.is_writing:
                column.show(number + 1, self._own_sets)

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        event.stop()
        self._text = event.text
        self._field.restore(self._text)
        self._write(self._columns)
        self._focus_column()

    def _take_text(self) -> None:
        """Continue what stands in the field, where that was changed."""
        if self._prompt.is_editable and self._field.text != without_controls(self._text):
            self._text = self._field.text

    def action_write_all(self) -> None:
        """Let all columns write again: with the same seeds the same, unless a model has learned meanwhile."""
        self._take_text()
        self._write(self._columns)

    def action_seeds(self) -> None:
        """Let all columns write with new seeds."""
        self._take_text()
        variants = other_seeds([column.writer.variant for column in self._columns])
        for column, variant in zip(self._columns, variants, strict=True):
            column.writer.change(variant)
        self._write(self._columns)

    def action_close(self) -> None:
        """Stop what is written; else go from the field to the columns; else close."""
        writing = [column for column in self._columns if column.writer.can_stop]
        for column in writing:
            column.writer.stop()
        if writing:
            for column in writing:
                self._changed(column)
        elif self._field.has_focus and self._has_begun:
            self._focus_column()
        else:
            self.dismiss(None)

    def action_go_on(self) -> None:
        """Go on with the column in focus: at once, or as soon as it has stopped."""
        column = self._columns[self._at]
        column.writer.stop()
        if column.writer.is_writing:
            self._wanted = column
        else:
            self._go_on_with(column)

    def _go_on_with(self, column: _Column) -> None:
        reply = column.writer.reply
        if reply is None or reply.ended is None:
            self.notify("There is no reply in this column yet that could be gone on with.", markup=False)
        else:
            self.dismiss(GoOn(self._text, reply))

    def action_copy(self) -> None:
        """Copy the reply of the column in focus, as generated."""
        if words := _text(self._columns[self._at]):
            self.app.copy_to_clipboard(words)
            self.notify(f"{len(words):,} characters are copied.", markup=False)

    # --- columns --------------------------------------------------------------------------------

    @work(group="variant", exclusive=True)
    async def action_add(self) -> None:
        """Add a column that differs in one thing from the one in focus."""
        variant = await self._chosen("another column, like this one but with")
        if variant is None or len(self._columns) >= MOST:
            return
        column = _Column(variant, self._changed)
        self._columns.append(column)
        self._at = len(self._columns) - 1
        await self.query_one("#compared-columns").mount(column.widget)
        column.writer.start()
        self._begin_column(column)

    @work(group="variant", exclusive=True)
    async def action_change(self) -> None:
        """Change one thing of the column in focus."""
        column = self._columns[self._at]
        variant = await self._chosen(f"write column {self._at + 1} with")
        if variant is None:
            return
        column.writer.change(variant)
        column.widget.text.begin()
        self._begin_column(column)

    async def _chosen(self, title: str) -> Variant | None:
        from .variant_box import VariantBox

        variant = self._columns[self._at].writer.variant
        columns = [column.writer.variant for column in self._columns]
        try:
            found = await asyncio.to_thread(choices, variant, self._own_sets, columns)
        except EXPECTED as error:
            self.notify(sentence_of(error), severity="warning", markup=False)
            return None
        return await self.app.push_screen_wait(VariantBox(title, variant, found))

    def _begin_column(self, column: _Column) -> None:
        if self._has_begun:
            self._write([column])
        self.arrange_columns()
        self._focus_column()

    @work(group="variant", exclusive=True)
    async def action_remove(self) -> None:
        """Take the column in focus away."""
        if len(self._columns) <= FEWEST:
            return
        column = self._columns.pop(self._at)
        self._at = min(self._at, len(self._columns) - 1)
        await column.writer.close()
        await column.widget.remove()
        self.arrange_columns()
        self._focus_column()
        self._mark()

    def action_next(self) -> None:
        self.action_go(self._at + 1)

    def action_previous(self) -> None:
        self.action_go(self._at - 1)

    def action_go(self, number: int) -> None:
        """Go to this column."""
        if 0 <= number < len(self._columns):
            self._at = number
            self.arrange_columns()
            self._focus_column()
            self._mark()

    def action_edit(self) -> None:
        """Go to the field of the prompt."""
        self._field.focus()

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        """Tab or the mouse went to another column."""
        for number, column in enumerate(self._columns):
            if event.widget is column.widget.text and number != self._at:
                self._at = number
                self._mark()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer shows only the actions that would do something now."""
        if action == "edit":
            return self._prompt.is_editable
        if action == "add":
            return len(self._columns) < MOST
        return len(self._columns) > FEWEST if action == "remove" else True

    # --- what differs ---------------------------------------------------------------------------

    def action_differences(self) -> None:
        """Mark in the other columns what differs from the one in focus, or nothing any more."""
        self._marks = not self._marks
        self._mark()

    def _mark(self) -> None:
        """Mark what differs in the columns that are written; what still comes is not compared."""
        reference = self._columns[self._at]
        for column in self._columns:
            compares = self._marks and column is not reference
            if compares and not (column.writer.is_writing or reference.writer.is_writing):
                column.widget.text.mark(differing_words(_text(column), _text(reference)))
            else:
                column.widget.text.mark(())
        self._show_place()

    # --- what is shown --------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Show as many columns as fit."""
        self.arrange_columns()

    def arrange_columns(self) -> None:
        """Show the column in focus with as many others as have room."""
        fitting = max(1, min(len(self._columns), self.app.size.width // NARROWEST))
        shown = [column.widget.display for column in self._columns]
        first = shown.index(True) if True in shown else 0
        first = max(min(first, self._at, len(self._columns) - fitting), self._at - fitting + 1)
        for number, column in enumerate(self._columns):
            column.widget.display = first <= number < first + fitting
            column.show(number + 1, self._own_sets)
        self._shown = range(first, first + fitting)
        self._show_place()
        self._given.update(_last_rows(self._text, max(1, self.app.size.width - 6)))
        self.refresh_bindings()

    def _show_place(self) -> None:
        """Which columns are in view, and what the marks mean."""
        box, shown, count = self.query_one("#compared-prompt"), self._shown, len(self._columns)
        title = "prompt" if self._prompt.is_editable else "the text up to the cursor"
        set_title(
            box, title + (f" · columns {shown.start + 1} to {shown.stop} of {count}" if len(shown) < count else "")
        )
        set_subtitle(box, f"marked: what differs from column {self._at + 1}" if self._marks else "")

    def _focus_column(self) -> None:
        self._columns[self._at].widget.text.focus()


def _last_rows(text: str, width: int) -> str:
    """The end of a text, as a few rows of that many cells."""
    lines = visible_lines(text[-_GIVEN_CHARACTERS:]).split("\n")
    rows = [row.strip() for line in lines for row in wrap(line, width) or [""]]
    return "\n".join(rows[-_GIVEN_ROWS:])


def _text(column: _Column) -> str:
    reply = column.writer.reply
    return reply.text if reply else ""


def _figures(reply: WrittenReply | None) -> list[str]:
    """Tokens, speed and mean loss, and whether it was stopped."""
    if reply is None:
        return []
    ended = reply.ended
    tokens = f"{ended.tokens if ended else len(reply.details):,} tokens"
    speed = f"{formatting.compact(ended.tokens_per_second)}/s" if ended else "…"
    loss = [f"loss {formatting.loss(reply.mean_loss)}"] if reply.details else []
    stopped = ["stopped"] if ended and ended.reason == "cancelled" else []
    return [tokens, speed, *loss, *stopped]
