"""All fields of a recipe, group by group behind titles that unfold, and a field that finds them by words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.message import Message
from textual.widgets import Input, Static

from ..recipe_fields import FIELDS, FIELDS_BY_GROUP, RecipeField
from .facts import DIM
from .recipe_row import RecipeRow, RowState
from .text_input import TextInput

_MOST_FOUND = 12  # rows that a search shows


class FoldTitle(Static, can_focus=True):
    """The title of a group; Enter, the space bar or a click unfolds it."""

    DEFAULT_CSS = """
    FoldTitle { height: 1; &:focus { background: $block-cursor-background; color: $block-cursor-foreground; } }
    """

    @dataclass
    class Chosen(Message):
        """The group is to be unfolded, or folded again."""

        group: str

    def __init__(self, group: str) -> None:
        super().__init__(markup=False)
        self.group = group

    def show(self, changed: int, *, open: bool) -> None:
        """Say how many fields of the group differ from the preset."""
        count = f"  {changed} changed" if changed else ""
        self.update(Content.assemble("▾ " if open else "▸ ", self.group, (count, "bold" if changed else DIM)))

    def on_key(self, event: events.Key) -> None:
        """Enter and the space bar do what a click does."""
        if event.key in ("enter", "space"):
            event.stop()
            self.post_message(self.Chosen(self.group))

    def on_click(self) -> None:
        """Unfold or fold."""
        self.post_message(self.Chosen(self.group))


class RecipeFieldsView(Vertical):
    """The rows of a group are made when it is unfolded first; they post RecipeRow.Typed."""

    DEFAULT_CSS = """
    RecipeFieldsView {
        height: auto;
        & > Vertical { height: auto; padding: 0 0 0 2; }
        & > #found-fields { padding: 0; display: none; }
        & > .found-none { color: $text-muted; }
        &.-searching > .group, &.-searching > FoldTitle { display: none; }
        &.-searching > #found-fields { display: block; }
    }
    """

    search = query_one("#field-search", Input)
    found = query_one("#found-fields", Vertical)

    def __init__(self, state_of: Callable[[str], RowState]) -> None:
        """`state_of` says what the row of a field shows now."""
        super().__init__()
        self._state_of = state_of

    def compose(self) -> ComposeResult:
        yield TextInput(placeholder="find a field by words", compact=True, id="field-search")
        yield Vertical(id="found-fields")
        for number, group in enumerate(FIELDS_BY_GROUP):
            yield FoldTitle(group)
            box = Vertical(id=f"group-{number}", classes="group", name=group)
            box.display = False
            yield box

    def on_mount(self) -> None:
        """Show the titles."""
        self.show()

    def show(self) -> None:
        """Show what the fields are now."""
        states = {name: self._state_of(name) for name in FIELDS}
        for row in self.query(RecipeRow):
            row.show(states[row.field.name])
        for title in self.query(FoldTitle):
            changed = sum(states[field.name].differs for field in FIELDS_BY_GROUP[title.group])
            title.show(changed, open=self._box(title.group).display)

    def begin_search(self) -> None:
        """Go to the field for words, with room for what is found below it."""
        self.search.focus(scroll_visible=False)
        self.scroll_visible(top=True, animate=False)

    def _box(self, group: str) -> Vertical:
        return next(box for box in self.query(".group").results(Vertical) if box.name == group)

    def _rows(self, fields: Iterable[RecipeField]) -> list[RecipeRow]:
        return [RecipeRow(field, self._state_of(field.name)) for field in fields]

    @on(FoldTitle.Chosen)
    async def _fold(self, event: FoldTitle.Chosen) -> None:
        event.stop()
        box = self._box(event.group)
        box.display = not box.display
        if not box.children:
            await box.mount_all(self._rows(FIELDS_BY_GROUP[event.group]))
        self.show()

    @on(Input.Changed, "#field-search")
    def _search(self, event: Input.Changed) -> None:
        event.stop()
        self._find(event.value)

    @on(Input.Submitted, "#field-search")
    def _to_the_first(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    @work(exclusive=True, group="find")
    async def _find(self, words: str) -> None:
        """Show the fields that are meant, those first of which the name has the words."""
        self.set_class(bool(words.strip()), "-searching")
        meant = [field for field in FIELDS.values() if field.matches(words)] if words.strip() else []
        spelled = "_".join(words.lower().split())
        meant.sort(key=lambda field: spelled not in field.name)
        await self.found.remove_children()
        rest = len(meant) - _MOST_FOUND
        note = f"{rest} more; more words find fewer" if rest > 0 else "" if meant else "no field has these words"
        await self.found.mount_all(
            [*self._rows(meant[:_MOST_FOUND]), *([Static(note, markup=False, classes="found-none")] if note else [])]
        )
        self.call_after_refresh(self.scroll_visible, top=True, animate=False)
