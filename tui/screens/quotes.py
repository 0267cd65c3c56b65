"""A box with the quotes in a text: each passage where it stands in it, and where it stands in the training text."""

from __future__ import annotations

import asyncio

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Static

from ...data.quotes.quotes import Occurrences, Quotes
from ...engine.quotes.finder import Indexing, NotIndexed, QuoteFinder, QuotesAnswer, QuotesFailed
from ..quote_words import progress, shares, size, where
from ..text import formatting
from ..training_texts import QUICKLY_INDEXED, Quotable, TrainingTexts
from ..widgets.border_words import set_subtitle, set_title
from ..widgets.facts import DIM
from ..widgets.marked_text import MarkedText, Range
from .box import Box

_AROUND = 2000  # characters of the corpus on each side of a passage


class QuotesBox(Box[None]):
    """The longest passage first; the keys go to the next longest, and to other places where a passage stands."""

    BINDINGS = [
        Binding("escape,q", "dismiss", "Close"),
        Binding("right,n", "passage(1)", "Next passage", show=False),
        Binding("left,p", "passage(-1)", "Previous passage", show=False),
        Binding("down", "place(1)", "Next place", show=False),
        Binding("up", "place(-1)", "Previous place", show=False),
        Binding("pagedown", "scroll(1)", "Page down", show=False),
        Binding("pageup", "scroll(-1)", "Page up", show=False),
        Binding("enter", "build", "Index the text", show=False),
    ]
    CSS_PATH = "../styles/quotes.tcss"
    AUTO_FOCUS = ""

    words = query_one("#quotes-words", Static)
    own = query_one("#quotes-own", MarkedText)
    place = query_one("#quotes-place", Static)
    corpus = query_one("#quotes-corpus", MarkedText)

    def __init__(self, texts: TrainingTexts, about: Quotable) -> None:
        super().__init__()
        self._texts, self._about = texts, about
        self._offers_to_build = False
        self._looking: asyncio.Task[None] | None = None
        self._quotes: Quotes | None = None
        self._passages: list[Range] = []  # the longest first
        self._marked: list[Range] = []  # the parts of the text that lie in any of them
        self._passage = self._place = 0  # which of them, and which of its places
        self._found: Occurrences | None = None  # where that passage stands

    def compose(self) -> ComposeResult:
        with Vertical(id="quotes") as box:
            box.border_title = "quotes"
            box.border_subtitle = "Esc closes"
            yield Static(id="quotes-words", markup=False)
            yield MarkedText(id="quotes-own")
            yield Static(id="quotes-place", markup=False)
            yield MarkedText(id="quotes-corpus")

    def on_mount(self) -> None:
        """Look at the text."""
        self._say("looking for quotes ...")
        self._look(build=False)

    def on_unmount(self) -> None:
        """Take the question back; an index that is being built goes on."""
        if self._looking is not None:
            self._looking.cancel()

    # --- the answer -----------------------------------------------------------------------------

    def _look(self, *, build: bool) -> None:
        self._offers_to_build = False
        self._looking = self._texts.look(
            self._about.text, self._about.model, self._take, build="now" if build else "never", anew=True
        )

    def _take(self, answer: QuotesAnswer) -> None:
        if not self.is_attached:
            return
        match answer:
            case Quotes():
                self._show(answer)
            case Indexing():
                self._say(f"{progress(answer)} ... It goes on when this box is closed.")
            case NotIndexed(n_bytes=n_bytes) if n_bytes <= QUICKLY_INDEXED:
                self._look(build=True)
            case NotIndexed(n_bytes=n_bytes):
                self._offers_to_build = True
                self._say(f"The training text has no index of quotes yet. It takes {size(n_bytes)}: Enter makes it.")
            case QuotesFailed(message=sentence):
                self._say(formatting.one_line(sentence), "$text-warning")

    def _say(self, sentence: str, style: str = "") -> None:
        self.words.update(Content.styled(sentence, style))

    def action_build(self) -> None:
        """Have the index built that takes a while."""
        if self._offers_to_build:
            self._look(build=True)

    def _show(self, quotes: Quotes) -> None:
        self._quotes = quotes
        longest = quotes.longest
        if longest is None:
            self._say("Nothing is quoted: not one character of it stands in the training text.")
            return
        others = sorted(quotes.passages, key=lambda passage: passage[0] - passage[1])
        first = (longest.start, longest.end)
        self._passages = [first, *(passage for passage in others if passage != first)]
        self._marked = joined(quotes.passages)
        self._say(f"Of {self._about.what} {shares(quotes)}")
        self.query_one("#quotes").add_class("-found")
        self._show_passage()

    # --- passages and places --------------------------------------------------------------------

    @property
    def _finder(self) -> QuoteFinder | None:
        return self._texts.finder(self._about.model)

    @work(exclusive=True)
    async def _show_passage(self) -> None:
        """Go to a passage: where it stands in the text at once, and in the corpus as soon as that is known."""
        start, end = passage = self._passages[self._passage]
        self.own.show(self._about.text, passage, self._marked)
        number = f" · {self._passage + 1} of {len(self._passages)}" if len(self._passages) > 1 else ""
        set_title(self.query_one("#quotes"), f"quote of {end - start:,} characters{number}")
        if self._finder is None:
            return
        self._found = await self._finder.occurrences(self._about.text[start:end])
        longest = self._quotes.longest if self._quotes else None
        known = longest.place if longest is not None and passage == (longest.start, longest.end) else None
        self._place = self._found.places.index(known) if known in self._found.places else 0
        self._show_place()

    def _show_place(self) -> None:
        if self._found is None or self._finder is None or not self._found.places:
            return
        place, count = self._found.places[self._place], len(self._found.places)
        start, end = self._passages[self._passage]
        before, quoted, after = self._finder.around(place, end - start, _AROUND, _AROUND)
        self.corpus.show(before + quoted + after, (len(before), len(before) + len(quoted)))
        more = "" if self._found.complete else "+"
        several = f"  {self._place + 1:,} of {count:,}{more} places" if count > 1 else "  its only place"
        self.place.update(Content.assemble(where(place), (several, DIM)))
        keys = (["← → passage"] if len(self._passages) > 1 else []) + (["↑ ↓ place"] if count > 1 else [])
        set_subtitle(self.query_one("#quotes"), " · ".join([*keys, "Esc closes"]))

    def action_passage(self, step: int) -> None:
        """Go to the next longest passage, or the one before."""
        if len(self._passages) > 1:
            self._passage = (self._passage + step) % len(self._passages)
            self._show_passage()

    def action_place(self, step: int) -> None:
        """Go to the next place of the passage, or the one before."""
        if self._found is not None and len(self._found.places) > 1:
            self._place = (self._place + step) % len(self._found.places)
            self._show_place()

    def action_scroll(self, step: int) -> None:
        """Read on in the corpus, or back."""
        self.corpus.scroll_relative(y=step * max(1, self.corpus.size.height - 1), animate=False)

    def on_click(self, event: events.Click) -> None:
        """A click beside the box closes it."""
        if event.widget is self:
            self.dismiss()


def joined(ranges: tuple[Range, ...]) -> list[Range]:
    """The parts that lie in any of the ranges, which are in order and may overlap."""
    result = list[Range]()
    for start, end in ranges:
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result
