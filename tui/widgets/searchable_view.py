"""A view in which words can be searched for, also while text arrives: find_bar.py has the field for them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from textual.actions import SkipAction
from textual.message import Message
from textual.reactive import reactive

from ..text.found_words import FoundWords
from .following_scroll import FollowingScroll


class SearchableView(FollowingScroll):
    """Marks the hits. A subclass says where they are, paints them, and goes to one."""

    TAKES_TEXT = False
    """Whether letters are typed text here, so that they cannot be keys."""

    found: reactive[tuple[int, int]] = reactive((0, 0))
    """Which hit is the current one, counted from 1, and how many there are."""

    class FindWanted(Message):
        """The person wants to search this view."""

        def __init__(self, view: SearchableView) -> None:
            super().__init__()
            self.view = view

    class SearchEnded(Message):
        """No hits are marked any more."""

        def __init__(self, view: SearchableView) -> None:
            super().__init__()
            self.view = view

    hits: Any
    """The FoundWords of the subclass, with its kind of places."""
    hit: Any = None
    """The place of the current hit."""

    # --- what a subclass has --------------------------------------------------------------------

    @abstractmethod
    def search_anew(self, words: str) -> FoundWords[Any]:
        """The hits of these words in all of the text."""

    @abstractmethod
    def search_place(self) -> Any:
        """The place before that from which the next hit is looked for."""

    @abstractmethod
    def show_hit(self, place: Any) -> None:
        """Scroll to a hit, so that it is in view."""

    def go_to_hit(self, place: Any) -> None:
        """Go to a hit that was asked for."""
        self.show_hit(place)

    # --- searching ------------------------------------------------------------------------------

    def find(self, words: str) -> int:
        """Mark these words wherever they stand, and in what still comes; return how often. No words end the search.

        The first hit from here on is the current one, and comes into view.
        """
        self.lay_out_queue()
        self.hits = self.search_anew(words)
        self.hit = self.hits.next_to(self.search_place(), 1)
        if self.hit is not None:
            self.show_hit(self.hit)
        self.show_found()
        return len(self.hits.places)

    def next_found(self, step: int = 1) -> None:
        """Go to the next hit, behind the last one to the first."""
        self.hit = self.hits.next_to(self.search_place() if self.hit is None else self.hit, step)
        if self.hit is not None:
            self.go_to_hit(self.hit)
        self.show_found()

    def previous_found(self) -> None:
        """Go to the hit before, before the first one to the last."""
        self.next_found(-1)

    def end_search(self) -> None:
        """Go to the current hit, and mark none any more."""
        if self.hit is not None:
            self.go_to_hit(self.hit)
        self.find("")
        self.post_message(self.SearchEnded(self))

    def show_found(self) -> None:
        """Paint the hits, after some were added or have gone."""
        number = self.hits.number_of(self.hit)
        if not number:
            self.hit = None
        self.found = (number, len(self.hits.places))
        self.refresh()

    def action_find(self) -> None:
        self.post_message(self.FindWanted(self))

    def action_end_search(self) -> None:
        """Mark no hits any more; where none are searched for, leave the key to the screen."""
        if not self.hits.words:
            raise SkipAction()
        self.end_search()

    def action_next_found(self) -> None:
        self.next_found()

    def action_previous_found(self) -> None:
        self.previous_found()
