"""What a line says of the quotes in one text at a time: in what is marked, or in the continuation at the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from .training_texts import Build, Quotable, TrainingTexts

if TYPE_CHECKING:
    from ..engine.quotes.finder import QuotesAnswer


class QuotesLine:
    """Looks for quotes in the text that the line is about now; what was asked about the text before is taken back."""

    def __init__(self, texts: TrainingTexts, changed: Callable[[], object]) -> None:
        """`changed` is called when there is more to say."""
        self._texts, self._changed = texts, changed
        self._about: Quotable | None = None
        self._words = ""
        self._looking: asyncio.Task[None] | None = None

    def words(self, about: Quotable | None, build: Build) -> str:
        """What is known of it by now; with "never" nothing is said of an index that is not there."""
        if about != self._about:
            self._about, self._words = about, ""
            if self._looking is not None:
                self._looking.cancel()
            if about is not None and about.text:
                self._looking = self._texts.look(
                    about.text, about.model, lambda answer: self._take(answer, about, build), build=build
                )
        return self._words

    def look_again(self) -> None:
        """Look for the same once more when the words are next asked for; by now there may be an index."""
        self._about = None

    def _take(self, answer: QuotesAnswer, about: Quotable, build: Build) -> None:
        from ..data.quotes.quotes import Quotes
        from .quote_words import on_line

        words = on_line(answer) if build != "never" or isinstance(answer, Quotes) else ""
        if about is self._about and words != self._words:
            self._words = words
            self._changed()
