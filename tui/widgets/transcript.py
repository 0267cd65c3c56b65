"""The transcript: streams the turns of a conversation without moving what the person reads or has selected."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

from rich.style import Style
from textual.actions import SkipAction
from textual.binding import Binding
from textual.cache import LRUCache
from textual.events import Click
from textual.geometry import Offset
from textual.message import Message
from textual.reactive import reactive
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style as VisualStyle

from ..text.document_text import without_surrogates
from ..text.found_words import FoundInTurns
from ..text.token_probabilities import ColouredToken, shifted
from ..text.transcript_text import Location, Role, RowKind, TranscriptText
from .following_scroll import SLICE, FollowingScroll
from .probability_colours import probability_styles
from .searchable_view import SearchableView
from .transcript_painting import GUTTER, Marks, paint_row, paint_welcome


class _Begin(NamedTuple):
    role: Role
    heading: str
    further: bool


class _End(NamedTuple):
    status: str


class _Addition(NamedTuple):
    turn: int
    words: str


class _Piece(NamedTuple):
    text: str
    tokens: Sequence[ColouredToken]


class Transcript(SearchableView, can_focus=True):
    """A conversation of turns. Text is shown as it is: never markup, control characters as symbols."""

    ALLOW_SELECT = True

    DEFAULT_CSS = """
    Transcript {
        color: $foreground;

        & > .transcript--label-you { color: $text-muted; text-style: bold; }
        & > .transcript--label-model { color: $text-primary; text-style: bold; }
        & > .transcript--label-note { color: $text-muted; }
        & > .transcript--you { color: $text-muted; }
        & > .transcript--model { color: $foreground; }
        & > .transcript--note { color: $text-muted; text-style: italic; }
        & > .transcript--status { color: $text-muted; }
        & > .transcript--cursor { color: $text-primary; }
        & > .transcript--below { color: $text-primary; background: $primary-muted; text-style: bold; }
        & > .transcript--token { text-style: underline; background: $panel; }
        & > .transcript--hit { background: $accent 35%; color: $foreground; }
        & > .transcript--hit-current { background: $accent; color: $background; }
        & > .transcript--welcome { color: $text-muted; }
        & > .transcript--welcome-title { color: $text-primary; text-style: bold; }
        & > .transcript--welcome-key { color: $foreground; text-style: bold; }
    }

    Transcript:nocolor {
        & > .transcript--token { text-style: reverse; }
        & > .transcript--hit { text-style: underline; }
        & > .transcript--hit-current { text-style: underline reverse; }
    }
    """

    COMPONENT_CLASSES = {
        "transcript--label-you",
        "transcript--label-model",
        "transcript--label-note",
        "transcript--you",
        "transcript--model",
        "transcript--note",
        "transcript--status",
        "transcript--cursor",
        "transcript--below",
        "transcript--token",
        "transcript--hit",
        "transcript--hit-current",
        "transcript--welcome",
        "transcript--welcome-title",
        "transcript--welcome-key",
    }

    BINDINGS = [
        Binding("k", "scroll_up", "Up", show=False),
        Binding("j", "scroll_down", "Down", show=False),
        Binding("g", "scroll_home", "Top", show=False),
        Binding("G", "scroll_end", "Bottom", show=False),
        Binding("right", "token(1)", "Next token", show=False),
        Binding("left", "token(-1)", "Previous token", show=False),
        Binding("enter", "enter_token", "Why this token", show=False),
        Binding("slash", "find", "Find", show=False),
        Binding("n", "next_found", "Next hit", show=False),
        Binding("N", "previous_found", "Previous hit", show=False),
        Binding("escape", "end_search", "End the search", show=False),
        Binding("y", "copy", "Copy reply", tooltip="Copy the selection, or the last reply where nothing is selected"),
    ]

    coloured: reactive[bool] = reactive(False)
    """Whether tokens are coloured by their probability; then the arrows left and right go from token to token."""

    class TokenChosen(Message):
        """The person went to a token of turn number `turn`, counted from 0; its offsets count from the turn's start."""

        def __init__(self, turn: int, token: ColouredToken) -> None:
            super().__init__()
            self.turn = turn
            self.token = token

        def can_replace(self, message: Message) -> bool:
            """Only the newest choice matters."""
            return isinstance(message, Transcript.TokenChosen)

    class TokenEntered(Message):
        """The person wants to know more of the token that was chosen in turn number `turn`."""

        def __init__(self, turn: int) -> None:
            super().__init__()
            self.turn = turn

    class Below(FollowingScroll.Below):
        """As of any such view."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = perf_counter,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(clock=clock, name=name, id=id, classes=classes)
        self.turns = TranscriptText(width=80)
        self._queue: deque[_Piece | _Begin | _End | _Addition] = deque()
        self._strips: LRUCache[int, Strip] = LRUCache(1024)
        self._shades: list[Style] = []
        self._token: ColouredToken | None = None
        """The token that was chosen, by its offsets in the probabilities of all turns."""
        self._turns_begun = 0
        self._welcome: list[str] = []
        self._welcome_strips: list[Strip] = []
        self._welcome_size = (0, 0)  # that they were painted for
        self.hits: FoundInTurns = FoundInTurns()

    # Turns

    def begin_turn(self, role: Role, text: str = "", *, heading: str = "", further: bool = False) -> int:
        """Open a turn of `you`, of the `model`, or a `note` of the app; it closes the turn before it.

        A `heading` is a dim line above the text. A `further` turn of the model answers the same prompt as that above.
        Returns the number of the turn, counted from 0 in an empty transcript.
        """
        self._enqueue(_Begin(role, heading, further))
        self.append(text)
        self._turns_begun += 1
        return self._turns_begun - 1

    def append(self, text: str, tokens: Sequence[ColouredToken] = ()) -> None:
        """Add text to the open turn, with the tokens it consists of, whose offsets count from its beginning.

        What comes after the end of its turn, as from a reply just stopped, is dropped.
        """
        text = without_surrogates(text)
        for start in range(0, len(text), SLICE):
            part = text[start : start + SLICE]
            self._enqueue(_Piece(part, tokens if len(part) == len(text) else shifted(tokens, -start)))

    def set_probabilities(self, turn: int, tokens: Sequence[ColouredToken]) -> None:
        """Say anew which tokens the text of a turn consists of; their offsets count from its beginning."""
        self.lay_out_queue()
        self.turns.set_tokens(turn, tokens)
        self._strips.clear()
        self.refresh()

    def show_place(self, turn: int, offset: int) -> None:
        """Scroll to a character of a turn, counted from its beginning."""
        self.lay_out_queue()
        self.show_hit(self.turns.location_of(self.turns.turn_start(turn) + offset))

    def end_turn(self, status: str = "") -> None:
        """Close the open turn, with `status` as a dim line below it."""
        self._enqueue(_End(without_surrogates(status)))

    def add_to_status(self, turn: int, words: str) -> None:
        """Say `words` behind the status line of a turn that has ended, instead of what was said there before."""
        self._enqueue(_Addition(turn, without_surrogates(words)))

    def clear(self) -> None:
        self._queue.clear()
        self.turns.clear()
        self._token, self._turns_begun = None, 0
        self.hits = self.search_anew(self.hits.words)
        self.show_found()
        self.begin_anew()

    def plain_text(self) -> str:
        """All turns as they were generated, an empty line between them, without labels and status lines."""
        self.lay_out_queue()
        return self.turns.plain_text()

    def copy_replies(self) -> list[str]:
        """Copy the replies to the last prompt, an empty line between them, and return them without the empty ones."""
        self.lay_out_queue()
        replies = self.turns.last_replies()
        if replies:
            self.app.copy_to_clipboard("\n\n".join(replies))
        return replies

    def set_welcome(self, lines: list[str] | None) -> None:
        """Show `lines`, the first as a heading, for as long as there is no conversation.

        A line with a gap of two or more blanks is a key and what it does: the key stands out, the rest is a column.
        """
        self._welcome, self._welcome_size = lines or [], (0, 0)
        self.refresh()

    # The queue

    def _enqueue(self, edit: _Piece | _Begin | _End | _Addition) -> None:
        self._queue.append(edit)
        self.run_while_queued()

    @property
    def is_queued(self) -> bool:
        return bool(self._queue)

    def lay_out(self, seconds: float) -> int:
        """Lay out what is queued, as far as `seconds` reach; return the first row that changed."""
        turns, deadline = self.turns, self._clock() + seconds
        first_changed = max(0, len(turns.rows) - 1)
        paragraph = turns.rows[-1].paragraph if turns.rows else 0
        while self._queue:
            match self._queue.popleft():
                case _Begin(role, heading, further):
                    turns.begin_turn(role, heading, further=further)
                case _End(status):
                    turns.end_turn(status)
                case _Addition(turn, words):
                    row, added = turns.add_to_status(turn, words)
                    self._strips.clear()
                    self.rows_added(row, added)
                    first_changed = min(first_changed, row)
                case _Piece() as piece:
                    turns.append(*self._with_following_text(piece))
            if self._clock() >= deadline:
                break
        if self.hits.search(turns, paragraph):
            self.show_found()
        return first_changed

    def _with_following_text(self, piece: _Piece) -> _Piece:
        """`piece` and what was appended next, up to a slice: laying out a hundred tokens costs as much as one."""
        parts, size, tokens = [piece.text], len(piece.text), list(piece.tokens)
        while self._queue and isinstance(following := self._queue[0], _Piece) and size < SLICE:
            parts.append(following.text)
            tokens += shifted(following.tokens, size)
            size += len(following.text)
            self._queue.popleft()
        return _Piece("".join(parts), tokens)

    # The view

    @property
    def row_count(self) -> int:
        return len(self.turns.rows)

    @property
    def margin(self) -> int:
        return GUTTER

    @property
    def wrapped_width(self) -> int:
        return self.turns.width

    def rewrap(self, width: int) -> None:
        self.turns.rewrap(width)
        self._strips.clear()

    def position_of(self, row: int) -> tuple[int, int, int]:
        return self.turns.rows[row].position

    def row_at(self, position: tuple[int, int, int]) -> int:
        return self.turns.find(position)

    @property
    def last_turn_in_view(self) -> int:
        """The number of the turn with the last row in view; -1 where there is none."""
        return self.turns.turn_in_row(min(self.row_count, self.scroll_offset.y + self.size.height) - 1)

    @property
    def selected_text(self) -> str:
        """The selected text as it was generated."""
        selection = self.text_selection if self.is_attached else None
        found = self.get_selection(selection) if selection is not None else None
        return found[0] if found else ""

    @property
    def has_selection(self) -> bool:
        """Whether text, a token or a hit of a search was chosen."""
        return self.text_selection is not None or self._token is not None or self.hit is not None

    # Painting

    def notify_style_update(self) -> None:
        """Paint all rows again after a change of theme."""
        super().notify_style_update()
        self._shades, self._welcome_size = [], (0, 0)
        self._strips.clear()

    def paint_line(self, y: int, width: int) -> Strip:
        """Paint one line of the view: a row, or of the welcome where there is no conversation."""
        if self.turns.rows:
            return self._row(self.scroll_offset.y + y, width)
        if (size := (width, self.size.height)) != self._welcome_size:
            self._welcome_strips = paint_welcome(self._welcome, *size, self.component_style)
            self._welcome_size = size
        welcome = self._welcome_strips
        return welcome[y] if y < len(welcome) else Strip.blank(width, self.component_style("welcome"))

    def _row(self, index: int, width: int) -> Strip:
        """Row `index`, from the cache where it can no longer change and nothing is marked in it."""
        selection, turns = self.text_selection, self.turns
        hits = self.hits.in_row(turns, index) if index < len(turns.rows) else []
        if self.coloured and not self._shades:
            self._shades = probability_styles(self.app)
        marks = Marks(
            None if selection is None else self._locations(selection),
            [(start, end, place == self.hit) for start, end, place in hits],
            self._shades if self.coloured else None,
            (self._token.start, self._token.end) if self._token else (0, 0),
        )
        if selection is not None or hits or index >= len(turns.rows) - 1 or index in self._token_rows():
            return paint_row(turns, index, width, self.component_style, marks)
        strip = self._strips.get(index)
        if strip is None or strip.cell_length != width:
            strip = self._strips[index] = paint_row(turns, index, width, self.component_style, marks)
        return strip

    def component_style(self, name: str) -> Style:
        """The style of a part of the view; `selection` is the screen's."""
        if name == "selection":
            selection = VisualStyle.from_styles(self.screen.get_component_styles("screen--selection"))
            return (self.get_visual_style("transcript--model") + selection).rich_style
        return self.get_component_rich_style(f"transcript--{name}", partial=name == "token")

    # Tokens

    @property
    def has_token(self) -> bool:
        """Whether a token was chosen."""
        return self._token is not None

    def watch_coloured(self) -> None:
        """Paint all rows again."""
        self._strips.clear()
        self._token = self._token if self.coloured else None
        self.refresh()

    def action_token(self, step: int) -> None:
        """Go to the next token, or the one before; at first to one in view."""
        if not self.coloured:
            raise SkipAction()
        if self._token is not None:
            offset = self._token.end if step > 0 else self._token.start
        else:
            row = self.scroll_offset.y if step > 0 else min(self.scroll_offset.y + self.size.height, self.row_count) - 1
            offset = self.turns.offset_of(self.turns.end_of(row)) if self.turns.rows else 0
        if token := self.turns.probabilities.token_beside(offset, step):
            self._choose(token)

    def action_enter_token(self) -> None:
        """Ask for more of the token that was chosen."""
        if self._token is None:
            raise SkipAction()
        self.post_message(self.TokenEntered(self.turns.turn_of(self._token.start)[0]))

    def on_click(self, event: Click) -> None:
        """Go to the token under the mouse."""
        if self.coloured and (at := event.style.meta.get("offset")):
            index, paragraph = at
            if token := self.turns.probabilities.token_at(self.turns.offset_of((paragraph, index))):
                self._choose(token)

    def _choose(self, token: ColouredToken) -> None:
        self._token = token
        self.show_hit(self.turns.location_of(token.start))
        self.refresh()
        turn, start = self.turns.turn_of(token.start)
        moved = ColouredToken(token.start - start, token.end - start, token.probability)
        self.post_message(self.TokenChosen(turn, moved))

    def _token_rows(self) -> range:
        """The rows with the token that was chosen."""
        if self._token is None:
            return range(0)
        first, last = (self._row_with(offset) for offset in (self._token.start, self._token.end - 1))
        return range(first, last + 1)

    def _row_with(self, offset: int) -> int:
        paragraph, index = self.turns.location_of(offset)
        return self.turns.find((paragraph, RowKind.TEXT, index))

    # Searching

    def search_anew(self, words: str) -> FoundInTurns:
        hits = FoundInTurns(words)
        hits.search(self.turns)
        return hits

    def search_place(self) -> Location:
        """From the top of the view on."""
        if not self.turns.rows:
            return 0, -1
        row = self.turns.rows[min(self.scroll_offset.y, len(self.turns.rows) - 1)]
        return row.paragraph, row.offset - 1

    def show_hit(self, place: Location) -> None:
        row, top, height = self.turns.find((place[0], RowKind.TEXT, place[1])), self.scroll_offset.y, self.size.height
        if height and not top <= row < top + height:
            self.scroll_to_row(row - height // 2)

    # Selecting and copying

    def _locations(self, selection: Selection) -> tuple[Location, Location]:
        def location(offset: Offset | None, otherwise: Location) -> Location:
            return otherwise if offset is None else (offset.y, offset.x)

        end = self.turns.end_of(len(self.turns.rows) - 1)
        return location(selection.start, (0, 0)), location(selection.end, end)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as it was generated: no breaks from wrapping, no labels, no status lines."""
        if not self.turns.rows:
            return None
        return self.turns.between(*self._locations(selection)), "\n"

    def action_copy(self) -> None:
        """Copy the selection, or the last reply (all its samples) where nothing is selected."""
        selected = self.screen.get_selected_text()
        if selected:
            self.app.copy_to_clipboard(selected)
        if selected or self.copy_replies():
            self.notify(f"Copied {len(self.app.clipboard):,} characters.", timeout=2, markup=False)
