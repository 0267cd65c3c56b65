"""The app that document_pane.py measures: nothing but a document, coloured by probability.

Its text consists of tokens of four characters. F5 lets more of them stream to its end, for some seconds at some rate;
one in fifty shows at what millisecond it was made, on the clock that all processes of a machine share.
"""

from __future__ import annotations

import argparse
import random
import time
from itertools import accumulate

from minigpt_tui.tui.text.document_text import ColouredToken, TextSpan
from minigpt_tui.tui.themes import THEMES
from minigpt_tui.tui.widgets.document_pane import DocumentPane
from textual.app import App, ComposeResult

WORDS: tuple[str, ...] = (" the", " sun", " had", " not", " yet", " set", " and", " all", " was", " dim", " or\n")
STAMPED = 50


class DocumentApp(App[None]):
    BINDINGS = [("f5", "stream", "Stream")]

    def __init__(self, tokens: int, rate: int, seconds: float) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self._random = random.Random(1)
        self._probabilities = [self._random.random() for _ in range(tokens)]
        self._tokens, self._rate, self._seconds = tokens, rate, seconds
        self._began = self._sent = 0.0

    def compose(self) -> ComposeResult:
        yield DocumentPane()

    def on_mount(self) -> None:
        """Show a text in which person and model took turns, with a probability for each token."""
        pane = self.query_one(DocumentPane)
        text, tokens = self._more(self._tokens - 1)
        text += " #0#"
        pane.load(text, [TextSpan(start, start + 400, "model") for start in range(100, len(text), 500)])
        pane.set_probabilities(tokens)
        pane.coloured = True
        pane.focus()

    def _more(self, count: int) -> tuple[str, list[ColouredToken]]:
        words: list[str] = self._random.choices(WORDS, k=count)
        words[STAMPED - 1 :: STAMPED] = [f" #{time.perf_counter() * 1000:.0f}#"] * (count // STAMPED)
        ends = list(accumulate(map(len, words)))
        return "".join(words), list(map(ColouredToken, [0, *ends], ends, self._probabilities))

    def action_stream(self) -> None:
        self._began = time.perf_counter()
        self._sent = 0
        self._timer = self.set_interval(0.01, self._stream)

    def _stream(self) -> None:
        passed = time.perf_counter() - self._began
        due = int(min(passed, self._seconds) * self._rate)
        if due > self._sent:
            text, tokens = self._more(due - int(self._sent))
            self.query_one(DocumentPane).stream(text, "model", tokens)
            self._sent = due
        if passed > self._seconds:
            self._timer.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=25_000)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    DocumentApp(arguments.tokens, arguments.rate, arguments.seconds).run()
