"""The token panel: why a token stands where it does, and what else could have stood there, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ...engine.requests import Alternative, TokenDetail
from .border_words import set_subtitle
from .facts import DIM, spread
from .list_panel import ListPanel

_TOKEN = 11  # cells of a token; longer ones are cut
_LEAST = 3  # cells of a bar
_WIDE = 44  # cells from which there is room for the probability after the settings as well


@dataclass(frozen=True)
class TokenPlace:
    """A place in a text: the likeliest tokens there, and the one that stands there, where it is known."""

    alternatives: tuple[Alternative, ...]
    entropy: float  # nats
    rest: float  # the probability of all tokens but `alternatives`
    token: TokenDetail | None = None

    @classmethod
    def of(cls, detail: TokenDetail) -> TokenPlace:
        """The place of a token that was explained."""
        rest = max(0.0, 1 - sum(other.probability for other in detail.alternatives)) if detail.alternatives else 0.0
        return cls(detail.alternatives, detail.entropy, rest, detail)


class TokenPanel(ListPanel):
    """The figures of one token above a list of alternatives. Enter or a click on one posts `Chosen`."""

    DEFAULT_CSS = "TokenPanel > OptionList { max-height: 11; min-height: 1; }"
    BORDER_TITLE = "token"
    least_height: ClassVar[int] = 8

    @dataclass
    class Chosen(Message):
        """The person wants this token instead of the one that stands there."""

        alternative: Alternative

    def __init__(self, *, takes: bool = True, id: str | None = None, classes: str | None = None) -> None:
        """Where nothing is done with a `Chosen` alternative, the panel does not say that Enter takes one."""
        super().__init__(id=id, classes=classes)
        self._takes = takes
        self._place: TokenPlace | None = None
        self._sentence = ""

    def show(self, place: TokenPlace | None, sentence: str = "") -> None:
        """Show a place; where there is none, the `sentence`."""
        if place != self._place or sentence != self._sentence:
            self._place, self._sentence = place, sentence
            self.write()

    def write(self) -> None:
        place, width = self._place, self.row_width
        self.list.display = place is not None and bool(place.alternatives)
        set_subtitle(self, "Enter goes on from it" if self._takes and self.list.display else "")
        if place is None or width <= 0:
            self.words.update(Content.styled(self._sentence, DIM))
            return
        self.words.update(_figures(place, width))
        marked = self.list.highlighted
        self.list.clear_options()
        self.list.add_options([Option(row, id=str(number)) for number, row in enumerate(rows(place, width))])
        if place.alternatives:
            self.list.highlighted = min(marked or 0, len(place.alternatives) - 1)

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self._place is not None and event.option_index < len(self._place.alternatives):
            self.post_message(self.Chosen(self._place.alternatives[event.option_index]))


def _figures(place: TokenPlace, width: int) -> Content:
    """The token, its probabilities and rank; the entropy of the whole distribution.

    Where no token stands, the distribution is that of the next one.
    """
    entropy = Content.assemble(("entropy ", DIM), f"{place.entropy:.2f}", (" nats", DIM))
    detail = place.token
    if detail is None:
        return spread(Content.styled("next token", "bold"), entropy, width)
    token = Content.styled(shown(detail.text), "bold")
    probability = Content.assemble(
        ("p ", DIM), f"{detail.probability:.4f}", (" → drawn ", DIM), f"{detail.drawn_probability:.4f}"
    )
    rank = Content.assemble(("rank ", DIM), f"{detail.rank:,}")
    return Content("\n").join([spread(token, rank, width), probability, entropy])


def rows(place: TokenPlace, width: int) -> Sequence[Content]:
    """The alternatives as bars, `width` cells wide, and one row for the rest of the vocabulary."""
    likeliest = max([place.rest, *(other.probability for other in place.alternatives)], default=0) or 1.0
    drawn_too = width >= _WIDE
    room = max(_LEAST, width - 2 - _TOKEN - 2 - 6 - (9 if drawn_too else 0))
    here = place.token.token if place.token else None
    found = []
    for other in place.alternatives:
        numbers = f" {other.probability:.4f}" + (f" → {other.drawn_probability:.4f}" if drawn_too else "")
        style = "bold" if other.token == here else "" if other.drawn_probability else DIM
        found.append(
            _row(
                "▸ " if other.token == here else "  ",
                shown(other.text),
                style,
                other.probability / likeliest,
                room,
                numbers,
            )
        )
    if place.alternatives and place.rest >= 0.00005:
        found.append(_row("  ", "the rest", DIM, place.rest / likeliest, room, f" {place.rest:.4f}"))
    return found


def _row(mark: str, token: str, style: str, fraction: float, room: int, numbers: str) -> Content:
    name = Content(token).truncate(_TOKEN, ellipsis=True)
    bar = "━" * int(fraction * room + 0.25) + "╸" * (0.25 <= fraction * room % 1 < 0.75)
    return Content.assemble(
        mark,
        (name.plain, style),
        " " * (_TOKEN + 1 - name.cell_length),
        (bar.ljust(room), "$primary"),
        (numbers, style),
    )


def shown(text: str) -> str:
    """A token as it may stand in a cell: quoted, so that blanks are seen, and with no control characters."""
    return repr(text)
