"""All sessions in a list: open, search, name, tag, copy, export, delete and restore them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.getters import query_one
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static

from ...data.storage.atomic import complete_file
from ...data.storage.errors import EXPECTED, sentence_of
from ...engine.sessions.documents import export
from ...engine.sessions.store import Session, SessionStore
from .. import keymap
from ..text import formatting
from ..widgets.text_input import TextInput
from .sizes import WIDE

_COLUMNS = {"title": "session", "changed": "changed", "size": "characters", "model": "model", "tags": "tags"}
_TITLE = 60  # cells at most
_NONE_YET = "Nothing was written yet. What you write in the chat is kept here as you write it."


class SessionsScreen(Screen[int | None]):
    """Dismissed with the number of the session that comes on screen, or None."""

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
        self._shown: dict[int, Session] = {}

    def compose(self) -> ComposeResult:
        with Vertical(id="sessions") as box:
            box.border_title = "sessions"
            yield TextInput(id="sessions-field", compact=True)
            yield DataTable(id="sessions-table", cursor_type="row", zebra_stripes=False)
            yield Static(_NONE_YET, id="sessions-empty", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Show the list; the field comes when it is asked for."""
        self.field.display = False

    def on_resize(self) -> None:
        """Build the list with the columns that fit."""
        self.fill()

    def fill(self) -> None:
        """Read the list again; the cursor stays on its session."""
        selected = self._selected()
        try:
            sessions, places = self._read()
        except EXPECTED as error:
            self._refuse(error)
            return
        self._shown = {session.id: session for session in sessions}
        wide = self.app.size.width >= WIDE
        self.table.clear(columns=True)
        columns = _COLUMNS if wide else {key: _COLUMNS[key] for key in ("title", "changed", "size")}
        for key, label in columns.items():
            self.table.add_column(label, key=key)
        for session in sessions:
            cells = self._cells(session, places.get(session.id, ""))
            self.table.add_row(*(cells[key] for key in columns), key=str(session.id))
        numbers = list(self._shown)
        wanted = selected.id if selected else self._on_screen
        if wanted in numbers:
            self.table.move_cursor(row=numbers.index(wanted))
        self._show_state(bool(sessions))

    def _read(self) -> tuple[list[Session], dict[int, str]]:
        """The sessions of the list, and for those that a search has found, what stands there."""
        if not self._words:
            return self._store.sessions(deleted=self._trash), {}
        places: dict[int, str] = {}
        for found in self._store.search(self._words):
            places.setdefault(found.session, found.text)
        return [self._store.session(number) for number in places], places

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

    def _cells(self, session: Session, place: str) -> dict[str, Text]:
        style = self.app.theme_variables["text-primary"] if session.id == self._on_screen else ""
        title = Text(formatting.one_line(place.strip() or session.title), style)
        title.truncate(_TITLE if self.app.size.width >= WIDE else self.app.size.width - 36, overflow="ellipsis")
        return {
            "title": title,
            "changed": Text(f"{formatting.duration(max(0.0, time.time() - session.changed))} ago"),
            "size": Text(f"{session.characters:,}", justify="right"),
            "model": Text(formatting.one_line(Path(session.model).name)),
            "tags": Text(formatting.one_line(" ".join(f"#{tag}" for tag in session.tags))),
        }

    # --- actions --------------------------------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        if session := self._selected():
            if self._trash:
                self.notify("This session is in the trash; d brings it back.", markup=False)
            else:
                self.dismiss(session.id)

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
            self.notify("This session is on screen; ^L begins another, then it can be deleted.", markup=False)
        elif not self._act(lambda: self._store.claim(session.id)):
            self.notify("This session is open in another window; close it there.", markup=False)
        else:
            self._act(lambda: self._store.set_deleted(session.id, not session.deleted))
            self._store.release(session.id)

    @work(group="export", exclusive=True)
    async def action_export(self) -> None:
        """Write the session as JSON into the current folder, under a name that is free."""
        if session := self._selected():
            path, number = Path(f"session-{session.id}.json"), 1
            while path.exists():
                number += 1
                path = Path(f"session-{session.id}-{number}.json")
            try:
                with complete_file(path) as temporary:
                    temporary.write_text(export(self._store, session.id, "json"), encoding="utf-8")
            except EXPECTED as error:
                self._refuse(error)
            else:
                self.notify(f"The session is in {path.absolute()}", markup=False)

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
        elif session is not None and self._doing == "rename":
            self._act(lambda: self._store.set_name(session.id, value))
        elif session is not None:
            self._act(lambda: self._store.set_tags(session.id, value.split()))

    # --- what is selected -----------------------------------------------------------------------------

    def _selected(self) -> Session | None:
        if not self.table.is_valid_coordinate(self.table.cursor_coordinate):
            return None
        key = self.table.coordinate_to_cell_key(self.table.cursor_coordinate).row_key.value
        return self._shown.get(int(key or 0))

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
