"""What the app looks like: its themes, in the colours and the characters that the terminal has."""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual.app import App
from textual.dom import DOMNode
from textual.filter import LineFilter, Monochrome, NoColor
from textual.theme import Theme

from ..data.storage.printable import visible
from .colour_depth import Depth, depth_of
from .line_filters import AsciiFilter, depth_filter
from .settings import SettingsStore, where
from .stylesheet import CachedStylesheet
from .theme_files import load_theme_files
from .themes import DARK, NO_COLOUR, THEMES, counterpart, painted_depth, painted_theme

_ASCII = AsciiFilter()


class ThemedApp(App[int]):
    """An app with our themes and those of the person's files; the chosen one stands in the settings."""

    def __init__(self, store: SettingsStore, *, ascii_only: bool) -> None:
        super().__init__()
        self.stylesheet = CachedStylesheet(variables=self.get_css_variables())
        self.store = store
        self.ascii_only = ascii_only or store.settings.ascii
        self.problems = list(store.problems)
        """What could not be used of the files in the configuration folder, to be told once there is a screen."""
        self._set_theme()

    def _set_theme(self) -> None:
        """Set the theme before anything is composed: a later change computes every style again."""
        self.depth: Depth = depth_of(self.console.color_system, os.environ)
        self.no_color = self.depth == "none"
        self._painting: dict[str, tuple[Depth, bool]] = {}  # by theme
        from_files, problems = load_theme_files()
        self.problems += problems
        for theme in (*THEMES, *from_files, *[NO_COLOUR] * self.no_color):
            self.register_theme(theme)
        theme = self.store.settings.theme
        if theme not in self.available_themes:
            self.problems.append(f"{where('theme')}: there is no theme '{visible(theme)}'; {DARK.name} is used")
        self.set_reactive(App.theme, painted_theme(self._chosen_theme, self.depth).name)
        self.stylesheet.set_variables(self.get_css_variables())

    def update_styles(self, node: DOMNode, animate: bool = True) -> None:
        """Style a node and what is below it; a widget that is not mounted yet is styled when it is."""
        if node.parent is not None or node is self:
            super().update_styles(node, animate)

    @property
    def _chosen_theme(self) -> Theme:
        """The theme of the settings, whatever is painted in its place on this terminal."""
        return self.available_themes.get(self.store.settings.theme, DARK)

    def show_chosen_theme(self) -> None:
        """Paint in the theme of the settings, or in what stands for it on this terminal."""
        self.theme = painted_theme(self._chosen_theme, self.depth).name

    def remember_theme(self) -> None:
        """Write down from now on which theme is chosen."""
        self.theme_changed_signal.subscribe(self, self._theme_changed)

    def _theme_changed(self, theme: Theme) -> None:
        """Remember a theme that was chosen; one that only stands for it on this terminal was not."""
        if theme.name != painted_theme(self._chosen_theme, self.depth).name:
            self.store.change(theme=theme.name)

    def action_toggle_theme(self) -> None:
        """Turn between dark and light."""
        if self.no_color:
            self.notify("This terminal shows no colours, or NO_COLOR is set: dark and light are its own.", markup=False)
            return
        self.store.change(theme=counterpart(self._chosen_theme, self.available_themes))
        self.show_chosen_theme()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every painted line passes through: Textual's filters, then the depth of colours, then ASCII."""
        filters = [each for each in super().get_line_filters() if not isinstance(each, (Monochrome, NoColor))]
        if self.theme not in self._painting:  # asked for each line: a theme is looked up once
            theme = self.current_theme
            self._painting[self.theme] = painted_depth(theme, self.depth), theme.dark
        depth, dark = self._painting[self.theme]
        if depth != "truecolor":
            filters.append(depth_filter(depth, dark))
        if self.ascii_only:
            filters.append(_ASCII)
        return filters
