"""All sessions in a list: open, search, name, tag, copy, export, import, delete and restore them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.getters import query_one
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.typed_path import typed_path
from ...engine.sessions.documents import export_file, import_file
from ...engine.sessions.store import Found, Session, SessionStore
from .. import keymap, keys
from ..keyed_node import KeyedNode
from ..text import formatting
from ..widgets.footer_line import FooterLine
from ..widgets.text_input import TextInput
from .questions import Answer, Question
from .sizes import WIDE

_COLUMNS = {"title": "session", "changed": "changed", "size": "size", "way": "way", "model": "model", "tags": "tags"}
_PAGE = 200  # rows that are added at once
_LONGEST = {"model": 22, "tags": 24}  # cells
_FRAME = 7  # cells of borders, padding and scrollbar
_BEFORE = 12  # characters that are shown before what was found
_FORMS = [
    Answer("json", "JSON, with the whole tree", "j"),
    Answer("markdown", "Markdown, with who wrote what", "m"),
    Answer("text", "plain text", "t"),
]
_NONE_YET = "Nothing was written yet. What you write in the chat is kept here as you write it."


@dataclass(frozen=True)
class ChosenSession:
    """A session that comes on screen: where it was left, or at the place that a search has found in it."""

    number: int
    found: Found | None = None
    other_model: bool = False  # it is gone on with another model than its own, which is asked for


@dataclass(frozen=True)
class _Row:
    session: Session
    found: Found | None = None


class SessionsScreen(KeyedNode, Screen[ChosenSession | None]):
    """Dismissed with the session that comes on screen, or None."""

    SCOPE = "sessions"
    BINDINGS = [*keymap.bindings("sessions")]
    AUTO_FOCUS = "#sessions-table"

    table = query_one("#sessions-table", DataTable)
    field = query_one("#sessions-field", Input)

    def __init__(self, store: SessionStore, on_screen: int | None) -> None:
        super().__init__()
        self._store = store
        self._on_screen = on_screen
        self._trash = False
        self._words = ""  # that are searched
        self._doing = ""  # what the field is for: search, rename, tag
        self._rows: list[_Row] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="sessions") as box:
            box.border_title = "sessions"
            yield TextInput(id="sessions-field", compact=True)
            yield DataTable(id="sessions-table", cursor_type="row", zebra_stripes=False)
            yield Static(_NONE_YET, id="sessions-empty", markup=False)
        yield FooterLine()

    def on_mount(self) -> None:
        """Show the list; the field comes when it is asked for."""
        self.field.display = False

    def on_resize(self) -> None:
        """Build the list with the columns that fit."""
        self.fill()

    def fill(self) -> None:
        """Read the list again; the cursor stays on its session."""
        selected, row, shown = self._selected(), self.table.cursor_row, self.table.row_count
        try:
            self._rows = self._read()
        except EXPECTED as error:
            self._refuse(error)
            return
        self.table.clear(columns=True)
        for key, width in self._columns().items():
            self.table.add_column(_COLUMNS[key], key=key, width=width)
        wanted = selected.id if selected else self._on_screen
        same = [number for number, one in enumerate(self._rows) if one.session.id == wanted]
        at = row if row in same else same[0] if same and same[0] < max(shown, 5 * _PAGE) else 0
        self._show_rows(at + _PAGE)
        self.table.move_cursor(row=at)
        self._show_state(bool(self._rows))

    def _columns(self) -> dict[str, int]:
        """The columns for which the window is wide enough, with their cells; the title takes what the others leave."""
        keys = list(_COLUMNS)[1 : 6 if self.app.size.width >= WIDE else 4]
        rows = [self._cells(row) for row in self._rows[:_PAGE]]
        others = {key: max([len(_COLUMNS[key]), *(row[key].cell_len for row in rows)]) for key in keys}
        return {"title": max(8, self.app.size.width - _FRAME - sum(others.values()) - 2 * (1 + len(keys))), **others}

    def _show_rows(self, count: int) -> None:
        """Add rows up to that number: thousands of them take seconds."""
        columns = self.table.columns
        for row in self._rows[self.table.row_count : count]:
            cells = self._cells(row)
            for key, column in columns.items():
                cells[str(key.value)].truncate(column.width, overflow="ellipsis")
            self.table.add_row(*(cells[str(key.value)] for key in columns))

    @on(DataTable.RowHighlighted)
    def _row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Add the next rows when the cursor comes near the last one."""
        if self.table.row_count - event.cursor_row < _PAGE // 4 and self.table.row_count < len(self._rows):
            self._show_rows(self.table.row_count + _PAGE)

    def _read(self) -> list[_Row]:
        """The sessions, or each place that a search has found."""
        if not self._words:
            return [_Row(session) for session in self._store.sessions(deleted=self._trash)]
        places = list(self._store.search(self._words))
        sessions = {number: self._store.session(number) for number in {place.session for place in places}}
        return [_Row(sessions[place.session], place) for place in places]

    def _show_state(self, something: bool) -> None:
        self.table.display = something
        empty = self.query_one("#sessions-empty", Static)
        empty.display = not something
        if self._words:
            empty.update(f"Nothing was found for '{formatting.one_line(self._words)}'. Press Esc for all sessions.")
        else:
            empty.update("The trash is empty." if self._trash else _NONE_YET)
        found = f" · found: {formatting.one_line(self._words)}" if self._words else ""
        self.query_one("#sessions").border_title = Text("trash" if self._trash else f"sessions{found}")

    def _cells(self, row: _Row) -> dict[str, Text]:
        session = row.session
        style = "bold" if session.id == self._on_screen else ""
        cells = {
            "title": Text(_excerpt(row.found) if row.found else formatting.one_line(session.title), style),
            "changed": Text(f"{formatting.duration(max(0.0, time.time() - session.changed))} ago"),
            "size": Text(f"{session.characters:,}", justify="right"),
            "way": Text(formatting.one_line(session.way)),
            "model": Text(formatting.one_line(Path(session.model).name)),
            "tags": Text(formatting.one_line(" ".join(f"#{tag}" for tag in session.tags))),
        }
        for key, longest in _LONGEST.items():
            cells[key].truncate(longest, overflow="ellipsis")
        return cells

    # --- actions --------------------------------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        self._open()

    def action_open_other(self) -> None:
        """Go on with the session, and with a model that is asked for."""
        self._open(other_model=True)

    def _open(self, *, other_model: bool = False) -> None:
        if row := self._selected_row():
            if row.session.deleted:
                self.notify("This session is in the trash; d brings it back.", markup=False)
            else:
                self.dismiss(ChosenSession(row.session.id, row.found, other_model))

    def action_close(self) -> None:
        """Close the field, else leave the search or the trash, else the list."""
        if self.field.display:
            self._close_field()
        elif self._words or self._trash:
            self._words, self._trash = "", False
            self.fill()
            self.table.focus()
        else:
            self.dismiss(None)

    def action_search(self) -> None:
        self._open_field("search", "search in all sessions", self._words)

    def action_rename(self) -> None:
        if session := self._selected():
            self._open_field("rename", "name", session.name)

    def action_tag(self) -> None:
        if session := self._selected():
            self._open_field("tag", "tags, with blanks between them", " ".join(session.tags))

    def action_trash(self) -> None:
        """Turn between the sessions and those in the trash."""
        self._trash, self._words = not self._trash, ""
        self.fill()

    def action_copy(self) -> None:
        if session := self._selected():
            self._act(lambda: self._store.duplicate(session.id))

    def action_delete(self) -> None:
        """Move the session to the trash, or back; one that is on screen or open elsewhere stays."""
        session = self._selected()
        if session is None:
            return
        if session.id == self._on_screen:
            self.notify(
                f"This session is on screen; {keys.spoken('session.new')} begins another, then it can be deleted.",
                markup=False,
            )
        elif not self._act(lambda: self._store.claim(session.id)):
            self.notify("This session is open in another window; close it there.", markup=False)
        else:
            self._act(lambda: self._store.set_deleted(session.id, not session.deleted))
            self._store.release(session.id)

    @work(group="export", exclusive=True)
    async def action_export(self) -> None:
        """Write the session into the current folder, in a form that is asked for, under a name that is free."""
        if (session := self._selected()) is None:
            return
        sentence = f"'{formatting.one_line(session.title)[:80]}' becomes a file in the current folder."
        form = await self.app.push_screen_wait(Question("export", sentence, _FORMS))
        if form not in ("json", "markdown", "text"):
            return
        try:
            path = export_file(self._store, session.id, form, Path())
        except EXPECTED as error:
            self._refuse(error)
        else:
            self.notify(f"The session is in {path.absolute()}", markup=False)

    def action_import(self) -> None:
        self._open_field("import", "path of a session that was exported as JSON", "")

    # --- the field ------------------------------------------------------------------------------------

    def _open_field(self, doing: str, placeholder: str, value: str) -> None:
        self._doing = doing
        self.field.placeholder, self.field.value = placeholder, value
        self.field.display = True
        self.field.focus()

    def _close_field(self) -> None:
        self.field.display = False
        self.table.focus()

    @on(Input.Submitted, "#sessions-field")
    def _field_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        session, value = self._selected(), event.value.strip()
        self._close_field()
        if self._doing == "search":
            self._words, self._trash = value, False
            self.fill()
            self.table.move_cursor(row=0)
        elif self._doing == "import":
            self._import(value)
        elif session is not None and self._doing == "rename":
            self._act(lambda: self._store.set_name(session.id, value))
        elif session is not None:
            self._act(lambda: self._store.set_tags(session.id, value.split()))

    def _import(self, path: str) -> None:
        if not path:
            return
        self._words, self._trash = "", False
        added: list[int] = []
        if self._act(lambda: added.append(import_file(self._store, typed_path(path)))):
            for number in added:
                self._store.release(number)
            self.table.move_cursor(row=0)

    # --- what is selected -----------------------------------------------------------------------------

    def _selected_row(self) -> _Row | None:
        row = self.table.cursor_row
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def _selected(self) -> Session | None:
        row = self._selected_row()
        return row and row.session

    def _act(self, change: Callable[[], object]) -> bool:
        """Carry out a change and show the list after it; whether it was done."""
        try:
            done = change()
        except EXPECTED as error:
            self._refuse(error)
            return False
        self.fill()
        return done is not False

    def _refuse(self, error: BaseException) -> None:
        self.notify(sentence_of(error), severity="warning", markup=False)


def _excerpt(found: Found) -> str:
    """What was found, with a little of what stands before it."""
    before = found.text[: found.offset]
    lead = before if len(before) <= _BEFORE else f"…{before[-_BEFORE:]}"
    return formatting.one_line(f"{lead}{found.text[found.offset :]}")
