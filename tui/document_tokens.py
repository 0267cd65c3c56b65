"""What the model says of the tokens of a document: of the one at the cursor in a panel, of all of them by colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..engine.requests import Alternative, Failed, Place, SamplingSettings, Scored, ScoreProgress, TokenDetail
from ..engine.sessions.records import TokenRecord
from ..engine.sessions.session_text import SessionText
from .generator import Generator
from .placed_tokens import PlacedToken, ScoredToken, colours, first_gap, scored_tokens, token_at
from .widgets.document_pane import DocumentPane
from .widgets.token_panel import TokenPanel, TokenPlace

_NO_TOKEN = "Here the model says what it finds likely at the cursor."
_BYTES = re.compile(r"(<[0-9A-F]{2}>)+")  # how a token is named that is no whole character


@dataclass(frozen=True)
class Taken:
    """An alternative that is taken instead of what stands at a place."""

    offset: int
    token: PlacedToken | None  # that stands there, where one was recorded
    record: TokenRecord
    words: str  # none where it is a part of a character


@dataclass(frozen=True)
class _Asked:
    """The place in the text that the panel shows."""

    offset: int
    token: PlacedToken | None


class DocumentTokens:
    """Asks the model about what stands in the text. Whoever wants it to write may cancel that."""

    def __init__(
        self,
        generator: Generator,
        pane: DocumentPane,
        panel: TokenPanel,
        settings: Callable[[], SamplingSettings],
        answered: Callable[[], None],  # the model has nothing more to say about what it was asked
    ) -> None:
        self._generator, self._pane, self._panel = generator, pane, panel
        self._settings, self._answered = settings, answered
        self.asking = False  # the model is asked about a place or about the whole text
        self.must_look = False  # the model could not be asked about the cursor's place
        self._asked: _Asked | None = None
        self._place: Place | None = None  # what the model answered last
        self._scored: list[ScoredToken] = []
        self._asked_about: tuple[str, object] | None = None  # the text that was scored last, and by which model

    def forget(self, start: int = 0) -> None:
        """Forget what was scored from a place of the text on: other words stand there or before it."""
        self._scored = [token for token in self._scored if token.end <= start]
        self._asked_about = None

    # --- the token at the cursor ----------------------------------------------------------------

    def look(self, text: SessionText | None) -> None:
        """Show the token at the cursor, and ask the model what else could stand there."""
        if text is None:
            self._asked = None
            self._panel.show(None, _NO_TOKEN)
        if text is None or not self._panel.is_on_screen:
            return
        offset = self._pane.cursor
        token = token_at(text, offset)
        asked = self._asked = _Asked(token.start if token else offset, token)
        detail = self._detail(text, asked)
        self._panel.show(TokenPlace.of(detail) if detail else None, _NO_TOKEN)
        prompt, then = text.parts(asked.offset, self._generator.path)
        asks = self._generator.explain_place(
            prompt, then, self._settings(), lambda event: self._take_place(event, asked, detail)
        )
        self.asking, self.must_look = self.asking or asks, not asks

    def _take_place(self, event: Place | Failed, asked: _Asked, detail: TokenDetail | None) -> None:
        self.asking = False
        if asked is self._asked and isinstance(event, Place):
            self._place = event
            self._panel.show(TokenPlace(event.alternatives, event.entropy, event.rest, detail))
        self._answered()

    def _detail(self, text: SessionText, asked: _Asked) -> TokenDetail | None:
        """The figures of the token that stands there: recorded when it was drawn, or scored afterwards."""
        if token := asked.token:
            record, words = token.record, text.between(token.start, token.end)
            return TokenDetail(
                record.token, words, record.probability, record.drawn_probability, record.rank, record.entropy, ()
            )
        return next((token.detail for token in self._scored if token.start == asked.offset), None)

    def taken(self, alternative: Alternative) -> Taken | None:
        """What it means to take one of the alternatives that the panel shows; None where it shows others by now."""
        asked, place = self._asked, self._place
        if asked is None or place is None or alternative not in place.alternatives:
            return None
        words = "" if _BYTES.fullmatch(alternative.text) else alternative.text
        record = TokenRecord(
            alternative.token, alternative.probability, alternative.drawn_probability,
            place.alternatives.index(alternative) + 1, place.entropy, len(words),
        )  # fmt: skip
        return Taken(asked.offset, asked.token, record, words)

    # --- colours --------------------------------------------------------------------------------

    def colour(self, text: SessionText | None) -> None:
        """Show what is known of all tokens, and ask the model about those that it has not written."""
        if text is None or not self._pane.coloured:
            return
        known = colours(text, self._scored)
        self._pane.set_probabilities(known)
        start = first_gap(known, len(text))
        if start is None or (text.text, self._generator.loaded) == self._asked_about:
            return  # of the first token of a text some models say nothing
        words, details = text.text, list[TokenDetail]()
        if self._generator.score(
            words, lambda event: self._take_score(event, text, words, details), alternatives=0, start=start
        ):
            self.asking = True

    def _take_score(
        self, event: ScoreProgress | Scored | Failed, text: SessionText, words: str, details: list[TokenDetail]
    ) -> None:
        if isinstance(event, ScoreProgress):
            details += event.details
            return
        self.asking = False
        if isinstance(event, Scored) and text.text == words == self._pane.text:
            self._asked_about = words, self._generator.loaded
            self._scored = scored_tokens(words, details)
            self._pane.set_probabilities(colours(text, self._scored))
        self._answered()
