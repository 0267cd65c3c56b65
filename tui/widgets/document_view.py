"""The view of a text that person and model write together: what it shows, and the text that streams into it.

Offsets are characters of the text. A change comes as an edit of a stretch, so that all that is laid out, coloured or
found elsewhere stays as it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.style import Style
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.style import Style as VisualStyle

from ...data.storage.printable import visible
from ..text.cursor_places import glyph_start
from ..text.difference import difference
from ..text.document_text import Author, ColouredToken, DocumentText, TextSpan
from ..text.found_words import FoundInText
from ..text.token_probabilities import shifted
from ..text.wrapped_text import ChangedRows
from .document_painting import MARGIN, Marks, Range, paint_placeholder, paint_row
from .following_scroll import SLICE
from .probability_colours import probability_styles
from .searchable_view import SearchableView

_MOST_STRIPS = 1024


class _Piece(NamedTuple):
    text: str
    author: Author
    tokens: Sequence[ColouredToken]


class DocumentView(SearchableView):
    """One text in soft rows. Shown as it is: never markup, control characters as symbols."""

    ALLOW_SELECT = False  # the selection is the document's own, so that keys and edits know it

    DEFAULT_CSS = """
    DocumentView {
        color: $foreground;

        & > .document--person { color: $text-secondary; }
        & > .document--model { color: $foreground; }
        & > .document--margin { color: $secondary; }
        & > .document--token { text-style: underline; background: $panel; }
        & > .document--cursor { text-style: reverse; }
        & > .document--cursor-blurred { background: $primary-muted; color: $foreground; text-style: underline; }
        & > .document--differing { background: $secondary 30%; color: $foreground; }
        & > .document--hit { background: $accent 35%; color: $foreground; }
        & > .document--hit-current { background: $accent; color: $background; }
        & > .document--below { color: $text-primary; background: $primary-muted; text-style: bold; }
        & > .document--placeholder { color: $text-muted; }
    }

    DocumentView:nocolor {
        & > .document--person { text-style: bold; }
        & > .document--token { text-style: reverse; }
        & > .document--cursor { text-style: bold underline reverse; }
        & > .document--differing { text-style: underline; }
        & > .document--hit { text-style: underline; }
        & > .document--hit-current { text-style: underline reverse; }
    }
    """

    COMPONENT_CLASSES = {
        "document--person",
        "document--model",
        "document--margin",
        "document--token",
        "document--differing",
        "document--cursor",
        "document--cursor-blurred",
        "document--hit",
        "document--hit-current",
        "document--below",
        "document--placeholder",
    }

    coloured: reactive[bool] = reactive(False)
    """Whether tokens are coloured by their probability, and that under the cursor is marked."""

    placeholder: reactive[str] = reactive("")
    """What an empty document shows behind its cursor."""

    class CursorMoved(Message):
        """The cursor is at `offset`; `token` is that of the probabilities it is on, None where there is none."""

        def __init__(self, offset: int, token: ColouredToken | None) -> None:
            super().__init__()
            self.offset = offset
            self.token = token

        def can_replace(self, message: Message) -> bool:
            """Only the newest place matters."""
            return isinstance(message, DocumentView.CursorMoved)

    def __init__(
        self, *, placeholder: str = "", name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.document = DocumentText(width=80)
        self._queue: deque[_Piece] = deque()
        self._cursor = self._anchor = 0
        self.hits: FoundInText = FoundInText()
        self._cursor_in_view = True
        self._strips: dict[int, Strip] = {}
        """Rows without marks as they were painted last."""
        self._shades: list[Style] = []
        self.set_reactive(DocumentView.placeholder, placeholder)

    # --- the text -------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """All of it, with what is still to be laid out."""
        return self.document.text + "".join(piece.text for piece in self._queue)

    def load(self, text: str, spans: Iterable[TextSpan] = (), *, cursor: int | None = None) -> None:
        """Show this text, written by the authors of `spans`; only what differs from the text before is laid out.

        Probabilities stay where nothing changed. Without `cursor`, the cursor goes behind what is different, and stays
        where nothing is.
        """
        self.lay_out_queue()
        changed = self.document.text != text
        start, end, end_of_new = difference(self.document.text, text)
        if changed:
            self._changed(self.document.replace(start, end, text[start:end_of_new]))
        self.set_spans(spans)
        if cursor is not None or changed:
            self.move_cursor(end_of_new if cursor is None else cursor)

    def set_spans(self, spans: Iterable[TextSpan]) -> None:
        """Say anew who wrote what; what lies in no span was the person."""
        self.lay_out_queue()
        self.document.set_authors(spans)
        self._repaint()

    def set_probabilities(self, tokens: Sequence[ColouredToken]) -> None:
        """Say anew which tokens the text consists of and how probable they were; an edit forgets those it cuts."""
        self.lay_out_queue()
        self.document.set_probabilities(tokens)
        self._repaint()
        self._post_cursor()

    def stream(self, text: str, author: Author = "model", probabilities: Sequence[ColouredToken] = ()) -> None:
        """Put text at the end, soon. Offsets of the tokens count from the beginning of `text`."""
        if text:
            self._queue.append(_Piece(text, author, probabilities))
            self.run_while_queued()

    # --- the queue ------------------------------------------------------------------------------

    @property
    def is_queued(self) -> bool:
        """Whether text waits, or an edit has left something to be laid out."""
        return bool(self._queue) or not self.document.rows.is_settled

    def lay_out(self, seconds: float) -> int:
        """Append what is queued, then settle what edits left; return the first row that changed."""
        document, deadline = self.document, self._clock() + seconds
        first, length = document.rows.row_count, len(document)
        at_end = self._cursor == self._anchor == length
        while self._queue and (first == document.rows.row_count or self._clock() < deadline):
            piece = self._next_piece()
            first = min(first, document.append(*piece).first)
        if not document.rows.is_settled:
            first = min(first, self._settle(deadline))
        self._forget_strips(first, document.rows.row_count)
        if self.hits.search(document.text, length):
            self.show_found()
        if self.placeholder and not length:
            self.refresh()
        if at_end and len(document) > length:
            self._cursor = self._anchor = len(document)
            self._post_cursor()
        return first

    def _settle(self, deadline: float) -> int:
        """Settle what edits left, with the same text at the top of the view; return the first row that changed."""
        rows = self.document.rows
        first, top = rows.row_count, self.scroll_offset.y
        reading = rows.starts[min(top, rows.row_count - 1)]
        while not rows.is_settled and self._clock() < deadline:
            first = min(first, rows.settle().first)
        if first < top and rows.row_of(reading) != top:
            self.scroll_to_row(rows.row_of(reading))
        return first

    def _next_piece(self) -> _Piece:
        """What was streamed first, and next by the same author, up to a slice: a hundred tokens cost as much as one."""
        text, author, tokens = self._queue.popleft()
        if len(text) > SLICE:
            self._queue.appendleft(_Piece(text[SLICE:], author, shifted(tokens, -SLICE)))
            return _Piece(text[:SLICE], author, tokens)
        pieces, size, together = [text], len(text), list(tokens)
        while self._queue and self._queue[0].author == author and size + len(self._queue[0].text) <= SLICE:
            piece = self._queue.popleft()
            pieces.append(piece.text)
            together += shifted(piece.tokens, size)
            size += len(piece.text)
        return _Piece("".join(pieces), author, together)

    def _changed(self, rows: ChangedRows, unchanged: int = 0) -> None:
        """Show an edit of these rows; all characters before `unchanged` are as they were."""
        self._forget_strips(*rows)
        self._cursor, self._anchor = min(self._cursor, len(self.document)), min(self._anchor, len(self.document))
        if self.hits.search(self.document.text, unchanged):
            self.show_found()
        if self.is_attached:
            self.show_rows(*rows)
        if self.placeholder and unchanged == 0:  # its rows are no rows of the text
            self.refresh()
        self.run_while_queued()

    # --- the view -------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return self.document.rows.row_count

    @property
    def margin(self) -> int:
        return MARGIN

    @property
    def wrapped_width(self) -> int:
        return self.document.rows.width

    def rewrap(self, width: int) -> None:
        self.document.rows.rewrap(width)
        self._strips.clear()

    def fit_to_size(self) -> None:
        """Wrap at the present width; a cursor that was in view stays there."""
        was_in_view = self._cursor_in_view
        super().fit_to_size()
        if was_in_view:
            self.reveal(self._cursor)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Note whether the cursor is in view."""
        super().watch_scroll_y(old_value, new_value)
        row = self.document.rows.row_of(self._cursor) - self.scroll_offset.y
        self._cursor_in_view = 0 <= row < self.container_size.height

    def position_of(self, row: int) -> int:
        return self.document.rows.starts[row]

    def row_at(self, position: int) -> int:
        return self.document.rows.row_of(position)

    @property
    def has_selection(self) -> bool:
        """Whether something is selected or searched for, or the cursor is not at the end: there somebody writes."""
        return self.hit is not None or not self._cursor == self._anchor == len(self.document)

    # --- the cursor -----------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The offset at which it stands."""
        return self._cursor

    @cursor.setter
    def cursor(self, offset: int) -> None:
        self.move_cursor(offset)

    @property
    def selection(self) -> Range:
        """The characters that are selected, from the first offset up to the second."""
        return min(self._anchor, self._cursor), max(self._anchor, self._cursor)

    @property
    def selected_text(self) -> str:
        """As it was written: no breaks from wrapping."""
        start, end = self.selection
        return self.document.text[start:end]

    def move_cursor(self, offset: int, *, select: bool = False) -> None:
        """Put the cursor before the glyph at `offset`, and that place into view; `select` what lies between."""
        self._put_cursor(glyph_start(self.document.rows, offset), select=select)

    def _put_cursor(self, offset: int, *, select: bool = False) -> None:
        """Put the cursor there, also between the parts of a glyph, as while one is typed."""
        before = self._marks()
        self._cursor = offset
        if not select:
            self._anchor = offset
        self._repaint_marks(before, self._marks())
        self.reveal(offset)
        self._cursor_in_view = True
        self._post_cursor()

    def reveal(self, offset: int) -> None:
        """Scroll as little as shows the row of `offset`."""
        row, top, height = self.document.rows.row_of(offset), self.scroll_offset.y, self.container_size.height
        if height and not top <= row < top + height:
            self.scroll_to_row(row if row < top else row - height + 1)

    def token_at(self, offset: int) -> ColouredToken | None:
        """The token with the character at `offset`; None where it has no probability."""
        return self.document.probabilities.token_at(offset)

    def _post_cursor(self) -> None:
        self.post_message(self.CursorMoved(self._cursor, self.token_at(self._cursor)))

    # --- search ---------------------------------------------------------------------------------

    def search_anew(self, words: str) -> FoundInText:
        hits = FoundInText(words)
        hits.search(self.document.text)
        return hits

    def search_place(self) -> int:
        return self._cursor - 1

    def show_hit(self, place: int) -> None:
        self.reveal(place)

    def go_to_hit(self, place: int) -> None:
        """Put the cursor there."""
        self.move_cursor(place)

    # --- painting -------------------------------------------------------------------------------

    def watch_coloured(self) -> None:
        """Paint all rows again."""
        self._repaint()

    def notify_style_update(self) -> None:
        """Paint all rows again after a change of theme."""
        super().notify_style_update()
        self._shades = []
        self._repaint()

    def _repaint(self) -> None:
        self._strips.clear()
        self.refresh()

    def _forget_strips(self, first: int, end: int) -> None:
        self._strips = {row: strip for row, strip in self._strips.items() if not first <= row < end}

    def _marks(self) -> Marks:
        token = self.token_at(self._cursor) if self.coloured else None
        return Marks(
            self.selection, self._cursor, (token.start, token.end) if token else (0, 0),
            self.hits.places, len(self.hits.words), self.hit,
        )  # fmt: skip

    def _repaint_marks(self, before: Marks, after: Marks) -> None:
        """Paint the rows again in which something else is marked than before."""
        row_of = self.document.rows.row_of
        for one, other in ((before.selection, after.selection), (before.token, after.token)):
            if one != other and (one[0] < one[1] or other[0] < other[1]):
                places = [place for start, end in (one, other) if start < end for place in (start, end)]
                first, last = row_of(min(places)), row_of(max(places))
                self.refresh_lines(first, last - first + 1)
        for cursor in (before.cursor, after.cursor):
            if cursor is not None:
                self.refresh_lines(row_of(cursor))

    def paint_line(self, y: int, width: int) -> Strip:
        """Paint one line of the view, from the cache where nothing is marked in it."""
        row, rows = self.scroll_offset.y + y, self.document.rows
        if self.placeholder and not rows.text:
            return paint_placeholder(visible(self.placeholder), row, width, self.component_style)
        if row >= rows.row_count:
            return Strip.blank(width, self.component_style("model"))
        if self.coloured and not self._shades:
            self._shades = [self.component_style("model") + shade for shade in probability_styles(self.app)]
        shades, marks = self._shades if self.coloured else None, self._marks()
        if marks.touch(rows.starts[row], rows.row_end(row)):
            return paint_row(self.document, row, width, self.component_style, shades, marks)
        strip = self._strips.get(row)
        if strip is None or strip.cell_length != width:
            if len(self._strips) >= _MOST_STRIPS:
                self._strips.clear()
            strip = paint_row(self.document, row, width, self.component_style, shades, Marks())
            self._strips[row] = strip
        return strip

    def component_style(self, name: str) -> Style:
        """The style of a part of the view; `selection` is the screen's."""
        if name == "selection":
            selection = VisualStyle.from_styles(self.screen.get_component_styles("screen--selection"))
            return (self.get_visual_style("document--model") + selection).rich_style
        if name == "cursor" and not self.has_focus:
            name = "cursor-blurred"
        # These are added to the colours of the words, and say nothing of what they do not change.
        partial = name in ("token", "cursor", "cursor-blurred")
        return self.get_component_rich_style(f"document--{name}", partial=partial)
