"""A column of facts beside a form, which scrolls by itself."""

from __future__ import annotations

from textual.containers import VerticalScroll


class FactsColumn(VerticalScroll):
    """Can be focused to scroll it, where there is more than is seen."""

    def allow_focus(self) -> bool:
        """Only where a key would do something."""
        return self.allow_vertical_scroll
