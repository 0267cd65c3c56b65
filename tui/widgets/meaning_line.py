"""One line of plain words: what the figures of a run mean, and what to try."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from ...engine.diagnosis.rules import Finding, Severity
from .facts import DIM

COLOURS: dict[Severity, str] = {
    "good": "$text-success", "information": "$text-secondary", "warning": "$text-warning", "error": "$text-error",
}  # fmt: skip
SIGNS: dict[Severity, str] = {"good": "↘", "information": "·", "warning": "!", "error": "✗"}


class MeaningLine(Static):
    """The most important finding, as much of it as fits; empty where nothing can be said."""

    DEFAULT_CSS = """
    MeaningLine { height: 1; padding: 0 2; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._shown: tuple[Sequence[Finding], str, int] = ((), "", 0)

    def show(self, findings: Sequence[Finding], key: str = "") -> None:
        """Show the first; where there are more, or it does not fit, end with the key that shows all of them."""
        wanted = (findings, key, self.content_size.width)
        if wanted != self._shown:
            self._shown = wanted
            self.update(_line(findings, key, self.content_size.width))

    def on_resize(self) -> None:
        """Fit the words to the new width."""
        findings, key, _ = self._shown
        self.show(findings, key)


def _line(findings: Sequence[Finding], key: str, width: int) -> Content:
    if not findings:
        return Content()
    first = findings[0]
    sign = Content.styled(f"{SIGNS[first.severity]} ", COLOURS[first.severity])
    words = Content(first.text)
    advice = Content.assemble(words, (f"; {first.advice}", DIM)) if first.advice else words
    more = f"  {key} says more" if key and (len(findings) > 1 or advice.cell_length + 2 > width) else ""
    room = max(0, width - 2 - len(more))
    fitting = advice if advice.cell_length <= room else words
    return Content.assemble(sign, fitting.truncate(room, ellipsis=True), (more, DIM))
