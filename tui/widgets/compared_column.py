"""One column of a comparison: by what it is written in the border, its text, and the figures of the text below."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Static

from ..text.token_probabilities import ColouredToken
from .border_words import set_subtitle, set_title
from .document_painting import Marks, Range
from .document_view import DocumentView

_BORDER = 6  # cells of the lower border that are none of its words


class ComparedText(DocumentView, can_focus=True):
    """The text of a column, which may be marked where it differs from another one."""

    _differing: Sequence[Range] = ()

    def begin(self) -> None:
        """Show nothing, and follow what comes."""
        self._differing = ()
        self.load("", cursor=0)
        self.begin_anew()

    def mark(self, differing: Sequence[Range]) -> None:
        """Mark these stretches, and no others."""
        if differing != self._differing:
            self._differing = differing
            self._repaint()

    def _marks(self) -> Marks:
        """No cursor: nobody writes here."""
        return Marks(differing=self._differing)


class ComparedColumn(Vertical):
    """A column of the comparison. It is told what to show."""

    DEFAULT_CSS = """
    ComparedColumn {
        width: 1fr;
        height: 1fr;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        &:focus-within { border: round $border; border-title-color: $text; border-subtitle-color: $text; }
        & > .column--how { height: 1; padding: 0 2; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & > .column--words { height: auto; max-height: 50%; padding: 0 2; color: $text-muted; display: none; }
        & > .column--words.-problem { color: $text-error; }
        & > ComparedText { height: 1fr; }
    }
    """

    text = query_one(ComparedText)

    def __init__(self) -> None:
        super().__init__()
        self._how = Static(markup=False, classes="column--how")
        self._words = Static(markup=False, classes="column--words")
        self._shown = ("", "", False)
        self._figures: list[list[str]] = [[]]  # in several forms, the longest first

    def compose(self) -> ComposeResult:
        yield self._how
        yield self._words
        yield ComparedText()

    def show(
        self,
        title: str,
        how: str,
        figures: Sequence[str],
        notices: Sequence[str] = (),
        *,
        words: str = "",
        problem: bool = False,
    ) -> None:
        """Title and figures stand in the border; `words` say what the column waits for, or what is wrong.

        Where not all of them fit the notices are left out, and then the second of the figures.
        """
        set_title(self, title)
        if (how, words, problem) != self._shown:  # an update lays the screen out
            self._shown = (how, words, problem)
            self._how.update(Content(how))
            self._words.update(Content(words))
            self._words.display = bool(words)
            self._words.set_class(problem, "-problem")
        self._figures = [[*figures, *notices], [*figures], [*figures[:1], *figures[2:]]]
        self._show_figures()

    def stream(self, text: str, tokens: Sequence[ColouredToken] = ()) -> None:
        """Put a piece of the reply at its end."""
        self.text.stream(text, "model", tokens)

    def on_resize(self) -> None:
        """Show the figures that fit."""
        self._show_figures()

    def _show_figures(self) -> None:
        forms = [" · ".join(figures) for figures in self._figures]
        set_subtitle(self, next((form for form in forms if len(form) <= self.outer_size.width - _BORDER), forms[-1]))
