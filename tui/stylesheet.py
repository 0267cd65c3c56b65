"""Textual's stylesheet, which reads each source once for as long as the theme stays.

Textual parses all sources anew whenever a screen brings one of its own and when a desk is shown for the first time,
and it keeps fewer sources than this app has. That is a quarter of the time in which the train desk opens.
"""

from __future__ import annotations

from textual.cache import LRUCache
from textual.css.stylesheet import Stylesheet

_SOURCES = 1024  # files, and the styles that classes of widgets bring


class CachedStylesheet(Stylesheet):
    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parse_cache = LRUCache(_SOURCES)

    def set_variables(self, variables: dict[str, str]) -> None:
        """Set the variables that the sources name; nothing is parsed anew where they are as before."""
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        """Parse what has not been parsed with the present variables. Raises StylesheetError and leaves the rules."""
        self.parse()
