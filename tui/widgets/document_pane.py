"""The editor of a text that person and model write together: keys, mouse and clipboard.

What the person does changes the text at once and is posted as Edited; undo, redo and what lets the model go on are the
matter of the screen, which keeps the text's history and loads what comes of it.
"""

from __future__ import annotations

from textual import events
from textual.actions import SkipAction, parse
from textual.binding import Binding
from textual.message import Message

from ...data.storage.printable import without_controls
from ..text.cursor_places import column_of, glyph_after, glyph_before, offset_at, word_after, word_before
from .document_painting import MARGIN
from .document_view import DocumentView
from .text_input import unprintable_text


def _moving(keys: str, move: str, name: str) -> list[Binding]:
    """A movement of the cursor, and with Shift the selection of what it passes."""
    shifted = ",".join(
        key.replace("ctrl+", "ctrl+shift+") if key.startswith("ctrl+") else f"shift+{key}" for key in keys.split(",")
    )
    return [
        Binding(keys, f"move('{move}')", name, show=False),
        Binding(shifted, f"move('{move}', True)", f"Select: {name}", show=False),
    ]


_KEYS = [
    *_moving("left", "left", "Left"),
    *_moving("right", "right", "Right"),
    *_moving("up", "up", "Up"),
    *_moving("down", "down", "Down"),
    *_moving("ctrl+left", "word_left", "Word left"),
    *_moving("ctrl+right", "word_right", "Word right"),
    *_moving("home", "row_start", "Start of the row"),
    *_moving("end", "row_end", "End of the row"),
    *_moving("pageup", "page_up", "Page up"),
    *_moving("pagedown", "page_down", "Page down"),
    *_moving("ctrl+home", "start", "Start of the text"),
    *_moving("ctrl+end", "end", "End of the text"),
    Binding("backspace,shift+backspace,ctrl+h", "delete('left')", "Delete left", show=False),
    Binding("delete,ctrl+d", "delete('right')", "Delete right", show=False),
    Binding("ctrl+backspace,alt+backspace", "delete('word_left')", "Delete word left", show=False),
    Binding("ctrl+delete,alt+delete,alt+d", "delete('word_right')", "Delete word right", show=False),
    Binding("enter,shift+enter,alt+enter", "break_line", "New line", show=False),
    Binding("ctrl+f", "find", "Find", show=False),
    Binding("escape", "end_search", "End the search", show=False),
    Binding("ctrl+a", "select_all", "Select all", show=False),
    Binding("ctrl+c,super+c,ctrl+insert", "copy", "Copy", show=False),
    Binding("super+x,shift+delete", "cut", "Cut", show=False),
    Binding("ctrl+v,super+v,shift+insert", "paste", "Paste", show=False),
]

_ACTIONS = {key: parse(binding.action) for binding in _KEYS for key in binding.key.split(",")}


class DocumentPane(DocumentView, can_focus=True):
    """One text to write in. Posts Edited for what the person changes, and CursorMoved wherever the cursor goes."""

    BINDINGS = [*_KEYS]

    END_KEY = "Ctrl+End"
    TAKES_TEXT = True

    class Edited(Message):
        """The person put `text` in the place of the characters from `start` up to `end`."""

        def __init__(self, start: int, end: int, text: str) -> None:
            super().__init__()
            self.start = start
            self.end = end
            self.text = text

    def __init__(
        self, *, placeholder: str = "", name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(placeholder=placeholder, name=name, id=id, classes=classes)
        self._column: int | None = None
        """The cell that going up and down keeps to."""
        self._mouse_selects = False

    # --- editing --------------------------------------------------------------------------------

    def edit(self, start: int, end: int, text: str) -> None:
        """Change the text as the person: what stands from `start` up to `end` becomes `text`, the cursor behind it."""
        if start == end and not text:
            return
        rows = self.document.replace(start, end, text)
        self._cursor = self._anchor = start + len(text)
        self._column = None
        self._changed(rows, start)
        self._put_cursor(self._cursor)
        self.post_message(self.Edited(start, end, text))

    def insert(self, text: str) -> None:
        """Put text in the place of the selection, or at the cursor."""
        self.edit(*self.selection, text)

    def on_key(self, event: events.Key) -> None:
        """Insert what is typed, also what Textual takes for no text: no-break spaces, joiners, new emoji ...

        The bound keys act here as well: by way of the app, the letters typed after one would overtake it.
        """
        try:
            if not self._acts(event):
                typed = event.character if event.is_printable else unprintable_text(event)
                if not typed or event.key.startswith("alt+"):  # of an older terminal: Alt and a letter
                    return
                self.insert(typed)
        except SkipAction:
            return
        event.stop()
        event.prevent_default()

    def _acts(self, event: events.Key) -> bool:
        """Do what the key is bound to; whether it is bound to anything here."""
        # Textual gives Alt+Backspace the name of ^W, which has a character.
        key = "alt+backspace" if event.key == "ctrl+w" and event.character is None else event.key
        if key not in _ACTIONS:
            return False
        _, name, parameters = _ACTIONS[key]
        getattr(self, f"action_{name}")(*parameters)
        return True

    def on_paste(self, event: events.Paste) -> None:
        """Insert what was pasted, lines and all, without its control characters."""
        event.stop()
        event.prevent_default()
        self.insert(without_controls(event.text))

    def action_break_line(self) -> None:
        self.insert("\n")

    def action_delete(self, move: str) -> None:
        """Delete the selection; without one, what lies between the cursor and where this movement leads."""
        start, end = self.selection
        if start == end:
            start, end = sorted((self._cursor, self._target(move)))
        self.edit(start, end, "")

    # --- the clipboard --------------------------------------------------------------------------

    def action_copy(self) -> None:
        """Copy the selection exactly; without one, leave the key to the screen."""
        if not self.selected_text:
            raise SkipAction()
        self.app.copy_to_clipboard(self.selected_text)

    def action_cut(self) -> None:
        self.action_copy()
        self.insert("")

    def action_paste(self) -> None:
        """Insert what this app copied last; what a terminal pastes comes by itself."""
        self.insert(without_controls(self.app.clipboard))

    def action_select_all(self) -> None:
        self.move_cursor(0)
        self.move_cursor(len(self.document), select=True)

    # --- the cursor by key ----------------------------------------------------------------------

    def action_move(self, move: str, select: bool = False) -> None:
        """Move the cursor, and select what it passes; without selecting, left and right first leave a selection."""
        start, end = self.selection
        vertical = move in ("up", "down", "page_up", "page_down")
        column = self._column if vertical and self._column is not None else column_of(self.document.rows, self._cursor)
        if start < end and not select and move in ("left", "right"):
            target = start if move == "left" else end
        else:
            target = self._target(move, column)
        self.move_cursor(target, select=select)
        self._column = column if vertical else None
        if move == "end":
            self.follow()

    def _target(self, move: str, column: int = 0) -> int:
        """Where a movement leads from the cursor."""
        rows, cursor = self.document.rows, self._cursor
        row, page = rows.row_of(cursor), max(1, self.container_size.height - 1)
        match move:
            case "left":
                return glyph_before(rows, cursor)
            case "right":
                return glyph_after(rows, cursor)
            case "word_left":
                return word_before(rows.text, cursor)
            case "word_right":
                return word_after(rows.text, cursor)
            case "row_start":
                return rows.starts[row]
            case "row_end":
                return offset_at(rows, row, rows.width + 1)
            case "start":
                return 0
            case "end":
                return len(rows.text)
            case _:
                to = row + {"up": -1, "down": 1, "page_up": -page, "page_down": page}[move]
                if move.startswith("page") and 0 < row < rows.row_count - 1:
                    to = max(0, min(to, rows.row_count - 1))
                return offset_at(rows, to, column)

    # --- the mouse ------------------------------------------------------------------------------

    def _offset_under(self, event: events.MouseEvent) -> int:
        place = event.get_content_offset_capture(self)
        row = max(0, min(self.scroll_offset.y + place.y, self.row_count - 1))
        return offset_at(self.document.rows, row, max(0, place.x - MARGIN))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Put the cursor where the mouse is; with Shift, select up to there."""
        if event.button == 1 and "@click" not in event.style.meta:
            self._column = None
            self.move_cursor(self._offset_under(event), select=event.shift)
            self._mouse_selects = True
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Select what the mouse passes while its button is held; beyond an edge the text scrolls."""
        if self._mouse_selects and (offset := self._offset_under(event)) != self._cursor:
            self.move_cursor(offset, select=True)

    def on_mouse_up(self) -> None:
        self._end_mouse_selection()

    def on_hide(self) -> None:
        self._end_mouse_selection()

    def _end_mouse_selection(self) -> None:
        if self._mouse_selects:
            self._mouse_selects = False
            self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """Twice selects a word, three times a paragraph."""
        text, offset = self.document.text, self._offset_under(event)
        if event.chain == 2:
            end = word_after(text, offset)
            self.move_cursor(word_before(text, end))
            self.move_cursor(end, select=True)
        elif event.chain == 3:
            end = text.find("\n", offset)
            self.move_cursor(text.rfind("\n", 0, offset) + 1)
            self.move_cursor(len(text) if end < 0 else end, select=True)

    def action_scroll_end(self) -> None:
        """To the end of the text with the cursor, and follow: a click on the badge."""
        self.action_move("end")
