"""The field for prompts: Enter sends, the field grows with the text, up and down step through earlier prompts."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding
from textual.content import Content
from textual.document._document import Document, EditResult, Location
from textual.document._document_navigator import DocumentNavigator
from textual.document._wrapped_document import WrappedDocument
from textual.events import Key, Paste
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import TextArea

from ...data.storage.printable import visible, without_controls
from ..text.wrapping import most_cells
from .text_input import unprintable_text

TALLEST = 8
"""Rows the field grows to before it scrolls."""

_DOT = " · "  # between the parts of a hint
_MEASURED = 4096  # characters by which the width is chosen


class Prompt(TextArea):
    """A plain text field of one to eight rows. Escape is left to the screen."""

    DEFAULT_CSS = """
    Prompt {
        height: auto;
        border: none;
        padding: 0;
        background: transparent;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;

        &:focus { border: none; }
        &.-busy { color: $text-muted; }
    }
    """

    BINDINGS = [
        Binding("shift+enter,ctrl+j,alt+enter", "break_line", "New line", show=False),
        Binding("ctrl+w", "leave_key", "Left to the screen", show=False),
        Binding("ctrl+underscore,ctrl+z", "undo", "Undo", show=False),  # the app suspends with ctrl+z where it can
    ]

    busy = reactive(False, toggle_class="-busy")
    """Whether a reply is streaming: the field looks dimmed, and one may go on typing."""

    class Submitted(Message):
        """A prompt was sent; its text may be empty. The owner decides what that means."""

        def __init__(self, prompt: Prompt, text: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.text = text

        @property
        def control(self) -> Prompt:
            return self.prompt

    def __init__(
        self,
        *,
        placeholder: str = "",
        earlier: list[str] | None = None,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(
            placeholder=Content(placeholder), highlight_cursor_line=False, name=name, id=id, classes=classes
        )
        self._hint = placeholder
        self.cursor_blink = False
        self.match_cursor_bracket = False
        self.earlier = earlier if earlier is not None else []
        """Prompts sent before, oldest first; what is sent is added. (TextArea's `history` is that of its edits.)"""
        self._steps_back = 0
        """How many prompts back the text shown is; 0 is the draft."""
        self._draft = ""

    def show_hint(self, hint: str) -> None:
        """Say this while the field is empty; where it is too narrow, without the last of the parts between the dots."""
        self._hint = hint
        self._fit_hint()

    def on_resize(self) -> None:
        self._fit_hint()

    def _fit_hint(self) -> None:
        parts = self._hint.split(_DOT)
        while len(parts) > 1 and self.size.width and cell_len(_DOT.join(parts)) >= self.size.width:
            parts.pop()
        self.placeholder = Content(_DOT.join(parts))

    def restore(self, text: str) -> None:
        """Put `text` back into the field as the draft, with the cursor behind it."""
        self._steps_back = 0
        self._show(text)

    def _show(self, text: str) -> None:
        self.load_text(without_controls(text))
        self.move_cursor(self.document.end)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys with which a text area would do something, and which are left to the screen, like Escape."""
        if action == "leave_key" or (action == "delete_to_end_of_line_or_delete_line" and not self.text):
            return False  # in the empty field there is nothing that Ctrl+K could delete
        return super().check_action(action, parameters)

    # Sending and writing

    def on_key(self, event: Key) -> None:
        """Send on Enter, and insert what Textual takes for no text: no-break spaces, joiners, new emoji ..."""
        if event.key == "enter":
            self._submit()
        elif event.key == "ctrl+w" and event.character is None:  # how Textual reads Alt+Backspace
            self.action_delete_word_left()
        elif event.key.startswith("alt+"):  # a letter to Textual's text area, and perhaps an action to the desk
            event.prevent_default()
            return
        elif typed := unprintable_text(event):
            self.replace(typed, *self.selection, maintain_selection_offset=False)
        else:
            return
        event.stop()
        event.prevent_default()

    def _submit(self) -> None:
        text = self.text
        if text and self.earlier[-1:] != [text]:
            self.earlier.append(text)
        self.restore("")
        self.post_message(self.Submitted(self, text))

    def action_break_line(self) -> None:
        self.replace("\n", *self.selection, maintain_selection_offset=False)

    def on_paste(self, event: Paste) -> None:
        """Insert what was pasted, lines and all, without its control characters."""
        event.stop()
        event.prevent_default()
        self.replace(without_controls(event.text), *self.selection, maintain_selection_offset=False)

    def get_line(self, line_index: int) -> Text:
        """A line as it is drawn: line separators and what reorders text are symbols."""
        return Text(visible(self.document.get_line(line_index)), end="", no_wrap=True)

    def _set_document(self, text: str, language: str | None) -> None:
        """Hold the text in a document of our kind; Textual has no other place to say so."""
        super()._set_document("", language)
        self.document = LineFeedDocument(text)
        self.wrapped_document = WrappedDocument(self.document, tab_width=self.indent_width)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self._rewrap_and_refresh_virtual_size()

    @property
    def wrap_width(self) -> int:
        """Less where some terminals need more cells for the text than others; else its ends would be cut off there."""
        width, shown = super().wrap_width, self.text[:_MEASURED]
        return width if shown.isascii() else width * cell_len(shown) // max(1, most_cells(shown))

    def on_text_area_changed(self) -> None:
        """Wrap anew where the text needs another width now."""
        if self.wrapped_document._width != self.wrap_width:  # pyright: ignore[reportPrivateUsage]
            self._rewrap_and_refresh_virtual_size()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As tall as the wrapped text, up to a limit."""
        return min(TALLEST, super().get_content_height(container, viewport, width))

    # Earlier prompts

    def action_cursor_up(self, select: bool = False) -> None:
        """One row up; on the first row, to the prompt before."""
        if not select and self.navigator.is_first_wrapped_line(self.cursor_location):
            self._step_to(self._steps_back + 1)
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """One row down; on the last row, to the prompt after, and at last back to the draft."""
        if not select and self.navigator.is_last_wrapped_line(self.cursor_location):
            self._step_to(self._steps_back - 1)
        else:
            super().action_cursor_down(select)

    def _step_to(self, back: int) -> None:
        if not 0 <= back <= len(self.earlier):
            return
        if self._steps_back == 0:
            self._draft = self.text
        self._steps_back = back
        self._show(self.earlier[-back] if back else self._draft)


class LineFeedDocument(Document):
    r"""A document whose lines end at \n alone. Textual's own also breaks at U+2028 and others, and loses them."""

    def __init__(self, text: str) -> None:
        super().__init__("")
        self._lines = text.split("\n")

    def replace_range(self, start: Location, end: Location, text: str) -> EditResult:
        (top_row, top_column), (bottom_row, bottom_column) = top, bottom = sorted((start, end))
        replaced = self.get_text_range(top, bottom)
        before, after = self._lines[top_row][:top_column], self._lines[bottom_row][bottom_column:]
        inserted = (before + text).split("\n")
        end_location = (top_row + len(inserted) - 1, len(inserted[-1]))
        inserted[-1] += after
        self._lines[top_row : bottom_row + 1] = inserted
        return EditResult(end_location, replaced)
