"""Search in a text: a field of one line below it, open for as long as somebody searches."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from .searchable_view import SearchableView
from .text_input import TextInput


class FindBar(Horizontal):
    """The words that are searched for, and how often they were found. Enter goes on to the next hit, Up back.

    Where letters are no typed text, Enter leads back to the text, in which n and N go from hit to hit.
    """

    DEFAULT_CSS = """
    FindBar {
        height: 1;
        display: none;
        background: $boost;

        & > #find-label { width: auto; padding: 0 1; color: $text-muted; }
        & > #find-words { width: 1fr; height: 1; border: none; padding: 0; background: $boost; }
        & > #find-words:focus { border: none; }
        & > #find-count { width: auto; padding: 0 1; color: $text-muted; }
    }
    """

    BINDINGS = [
        Binding("down", "next", "Next hit", show=False),
        Binding("up,shift+enter", "previous", "Previous hit", show=False),
        Binding("escape", "close", "End the search", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._view: SearchableView | None = None

    def compose(self) -> ComposeResult:
        yield Static("find", id="find-label")
        yield TextInput(id="find-words")
        yield Static("", id="find-count", markup=False)

    @property
    def _field(self) -> Input:
        return self.query_one("#find-words", Input)

    def open(self, view: SearchableView) -> None:
        """Search this view, at first for the words of the last time."""
        if view is not self._view:
            self._view = view
            self.watch(view, "found", self._show_count, init=False)
        self.display = True
        self._field.focus()
        self._field.action_select_all()
        self._find_words(self._field.value)

    def action_close(self) -> None:
        """End the search; the view is where its current hit stands."""
        if self._view is not None:
            self._view.end_search()

    def close(self) -> None:
        """Give the row back to the view, and the keys where the field has them."""
        if self._view is not None and self._field.has_focus:
            self._view.focus()
        self.display = False

    @on(Input.Changed)
    def _words_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self._find_words(event.value)

    def _find_words(self, words: str) -> None:
        if self._view is not None:
            self._view.find(words)
            self._show_count(self._view.found)

    @on(Input.Submitted)
    def _go_on(self, event: Input.Submitted) -> None:
        event.stop()
        if self._view is None or not event.value:
            self.action_close()
        elif self._view.TAKES_TEXT:
            self._view.next_found()
        else:
            self.close()

    def action_next(self) -> None:
        if self._view is not None:
            self._view.next_found()

    def action_previous(self) -> None:
        if self._view is not None:
            self._view.previous_found()

    def _show_count(self, found: tuple[int, int]) -> None:
        number, count = found
        words = f"{number:,} of {count:,}" if number else f"{count:,} found" if count else "not found"
        self.query_one("#find-count", Static).update(words if self._field.value else "")


class FindArea(Vertical):
    """Views with a field below them, which opens where one of them asks for it."""

    DEFAULT_CSS = """
    FindArea { height: 1fr; width: 1fr; }
    """

    def __init__(self, *views: SearchableView, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(*views, id=id, classes=classes)
        self._bar: FindBar | None = None  # made for the first search, which few starts come to

    @on(SearchableView.FindWanted)
    async def _find(self, event: SearchableView.FindWanted) -> None:
        event.stop()
        if self._bar is None:
            self._bar = FindBar()
            await self.mount(self._bar)
        self._bar.open(event.view)

    @on(SearchableView.SearchEnded)
    def _search_ended(self, event: SearchableView.SearchEnded) -> None:
        event.stop()
        if self._bar is not None:
            self._bar.close()
