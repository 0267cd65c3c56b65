"""The app's own themes: dark and light ones, each in four kinds, and one for terminals without colour.

Teal (primary) is for focus, progress and the model's label, amber (accent) for keys and the validation loss, blue
(secondary) for the training loss; the others keep these parts with colours of their own. Text has a contrast of at
least 4.5 on every ground it stands on, of at least 7 with high contrast, and nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from textual.theme import Theme

from .colour_depth import Depth


@dataclass(frozen=True)
class Palette:
    """All colours of a theme, as #rrggbb; files of themes name them by these words."""

    dark: bool  # whether text is lighter than its ground
    foreground: str  # text
    muted: str  # labels, and what is said beside the point
    disabled: str  # what does nothing now
    background: str  # the page
    surface: str  # the ground of a box
    panel: str  # of a notice
    boost: str  # of a field
    primary: str
    secondary: str
    accent: str
    success: str
    warning: str
    error: str
    border: str  # the frame with the focus
    border_blurred: str  # all other frames
    cursor: str  # the ground of the chosen row, in the list with the focus
    cursor_text: str
    cursor_blurred: str  # in all other lists
    cursor_blurred_text: str
    selection: str  # the ground of marked text
    selection_text: str
    scrollbar: str
    scrollbar_hover: str

    def theme(self, name: str) -> Theme:
        """The theme that Textual knows by `name`."""
        return Theme(
            name=name,
            dark=self.dark,
            primary=self.primary,
            secondary=self.secondary,
            accent=self.accent,
            success=self.success,
            warning=self.warning,
            error=self.error,
            foreground=self.foreground,
            background=self.background,
            surface=self.surface,
            panel=self.panel,
            boost=self.boost,
            variables={
                # fixed colours, because "auto" is lost in rendered Content
                "text-muted": self.muted,
                "text-disabled": self.disabled,
                "foreground-muted": self.muted,
                "foreground-disabled": self.disabled,
                "border": self.border,
                "border-blurred": self.border_blurred,
                "block-cursor-background": self.cursor,
                "block-cursor-foreground": self.cursor_text,
                "block-cursor-text-style": "none",
                "block-cursor-blurred-background": self.cursor_blurred,
                "block-cursor-blurred-foreground": self.cursor_blurred_text,
                "footer-background": self.background,
                "footer-foreground": self.muted,
                "footer-description-foreground": self.muted,
                "footer-key-foreground": self.primary,
                "input-selection-background": self.selection,
                "input-selection-foreground": self.selection_text,
                "screen-selection-background": self.selection,
                "screen-selection-foreground": self.selection_text,
                "scrollbar": self.scrollbar,
                "scrollbar-hover": self.scrollbar_hover,
                "scrollbar-active": self.primary,
                "scrollbar-background": self.background,
                "scrollbar-background-hover": self.background,
                "scrollbar-background-active": self.background,
                "scrollbar-corner-color": self.background,
            },
        )


_DARK = Palette(
    dark=True, foreground="#d7dce2", muted="#97a2b0", disabled="#8b96a5",
    background="#12161c", surface="#171c24", panel="#1d242e", boost="#222a35",
    primary="#5fb8a5", secondary="#86a7dc", accent="#e5b567", success="#8fc27f", warning="#e0a458", error="#e07a72",
    border="#3f8578", border_blurred="#2b3541", selection="#2d4f4d", selection_text="#d7dce2",
    cursor="#2b4a49", cursor_text="#eef2f5", cursor_blurred="#222a35", cursor_blurred_text="#d7dce2",
    scrollbar="#2b3541", scrollbar_hover="#3b4858",
)  # fmt: skip
_LIGHT = Palette(
    dark=False, foreground="#2b302f", muted="#5d5c53", disabled="#65645a",
    background="#f7f4ed", surface="#f1ede3", panel="#e9e4d7", boost="#e2dccd",
    primary="#1c7566", secondary="#355f9e", accent="#86500d", success="#2f6b22", warning="#865000", error="#a8332a",
    border="#4e9285", border_blurred="#cfc8b8", selection="#b5cec4", selection_text="#2b302f",
    cursor="#cfe3dc", cursor_text="#1d2423", cursor_blurred="#e2dccd", cursor_blurred_text="#2b302f",
    scrollbar="#d6cfbf", scrollbar_hover="#c3bba8",
)  # fmt: skip
_HIGH_CONTRAST_DARK = Palette(
    dark=True, foreground="#ffffff", muted="#d4d4d4", disabled="#bcbcbc",
    background="#000000", surface="#000000", panel="#1c1c1c", boost="#262626",
    primary="#5fffd7", secondary="#afd7ff", accent="#ffd75f", success="#87ff87", warning="#ffaf5f", error="#ffafaf",
    border="#ffffff", border_blurred="#8a8a8a", selection="#afd7ff", selection_text="#000000",
    cursor="#ffd75f", cursor_text="#000000", cursor_blurred="#444444", cursor_blurred_text="#ffffff",
    scrollbar="#8a8a8a", scrollbar_hover="#bcbcbc",
)  # fmt: skip
_HIGH_CONTRAST_LIGHT = Palette(
    dark=False, foreground="#000000", muted="#303030", disabled="#3a3a3a",
    background="#ffffff", surface="#ffffff", panel="#eeeeee", boost="#e4e4e4",
    primary="#004b43", secondary="#00357a", accent="#5f2f00", success="#004d00", warning="#5f3500", error="#870000",
    border="#000000", border_blurred="#767676", selection="#00357a", selection_text="#ffffff",
    cursor="#00005f", cursor_text="#ffffff", cursor_blurred="#d0d0d0", cursor_blurred_text="#000000",
    scrollbar="#767676", scrollbar_hover="#4e4e4e",
)  # fmt: skip
# After Okabe and Ito (2008): blue against orange, and steps of lightness; every kind of colour vision tells them apart.
_COLOUR_BLIND_DARK = Palette(
    dark=True, foreground="#d7dce2", muted="#97a2b0", disabled="#8a95a3",
    background="#12161c", surface="#171c24", panel="#1d242e", boost="#222a35",
    primary="#56b4e9", secondary="#7fb2e5", accent="#e69f00", success="#5ac8fa", warning="#f0e442", error="#f5814a",
    border="#3b82ad", border_blurred="#2b3541", selection="#27506e", selection_text="#eef2f5",
    cursor="#274a63", cursor_text="#eef2f5", cursor_blurred="#222a35", cursor_blurred_text="#d7dce2",
    scrollbar="#2b3541", scrollbar_hover="#3b4858",
)  # fmt: skip
_COLOUR_BLIND_LIGHT = Palette(
    dark=False, foreground="#2b302f", muted="#5a5b58", disabled="#636460",
    background="#f7f6f2", surface="#f0efea", panel="#e8e7e1", boost="#e1e0d9",
    primary="#005f96", secondary="#0a5c9e", accent="#8a4b00", success="#00588c", warning="#3f3000", error="#a63a00",
    border="#3f8dbd", border_blurred="#cbcac4", selection="#b2d1e6", selection_text="#1d2326",
    cursor="#c9dfee", cursor_text="#1d2326", cursor_blurred="#e1e0d9", cursor_blurred_text="#2b302f",
    scrollbar="#d2d1cb", scrollbar_hover="#bdbcb5",
)  # fmt: skip
# VGA's sixteen colours: each is shown as the terminal's own of that number, the page as the terminal's ground.
_ANSI_DARK = Palette(
    dark=True, foreground="#ffffff", muted="#aaaaaa", disabled="#aaaaaa",
    background="#000000", surface="#000000", panel="#000000", boost="#000000",
    primary="#55ffff", secondary="#55ff55", accent="#ffff55", success="#55ff55", warning="#ffff55", error="#ff5555",
    border="#55ffff", border_blurred="#555555", selection="#00aaaa", selection_text="#000000",
    cursor="#0000aa", cursor_text="#ffffff", cursor_blurred="#0000aa", cursor_blurred_text="#ffffff",
    scrollbar="#555555", scrollbar_hover="#aaaaaa",
)  # fmt: skip
_ANSI_LIGHT = Palette(
    dark=False, foreground="#000000", muted="#000000", disabled="#000000",
    background="#ffffff", surface="#ffffff", panel="#ffffff", boost="#ffffff",
    primary="#0000aa", secondary="#0000aa", accent="#aa00aa", success="#0000aa", warning="#aa00aa", error="#aa0000",
    border="#0000aa", border_blurred="#aaaaaa", selection="#0000aa", selection_text="#ffffff",
    cursor="#00aaaa", cursor_text="#000000", cursor_blurred="#00aaaa", cursor_blurred_text="#000000",
    scrollbar="#aaaaaa", scrollbar_hover="#555555",
)  # fmt: skip
_NO_COLOUR = Palette(
    dark=True, foreground="#ffffff", muted="#ffffff", disabled="#ffffff",
    background="#000000", surface="#000000", panel="#000000", boost="#000000",
    primary="#ffffff", secondary="#ffffff", accent="#ffffff", success="#ffffff", warning="#ffffff", error="#ffffff",
    border="#ffffff", border_blurred="#ffffff", selection="#ffffff", selection_text="#000000",
    cursor="#ffffff", cursor_text="#000000", cursor_blurred="#000000", cursor_blurred_text="#ffffff",
    scrollbar="#ffffff", scrollbar_hover="#ffffff",
)  # fmt: skip

PALETTES: dict[str, Palette] = {
    "minigpt-dark": _DARK,
    "minigpt-light": _LIGHT,
    "minigpt-high-contrast-dark": _HIGH_CONTRAST_DARK,
    "minigpt-high-contrast-light": _HIGH_CONTRAST_LIGHT,
    "minigpt-colour-blind-dark": _COLOUR_BLIND_DARK,
    "minigpt-colour-blind-light": _COLOUR_BLIND_LIGHT,
    "minigpt-ansi-dark": _ANSI_DARK,
    "minigpt-ansi-light": _ANSI_LIGHT,
}
"""By the names that a person chooses them by."""

THEMES = tuple(palette.theme(name) for name, palette in PALETTES.items())
DARK, LIGHT, *_, ANSI_DARK, ANSI_LIGHT = THEMES
NO_COLOUR = _NO_COLOUR.theme("minigpt-no-colour")
NO_COLOUR.variables["block-cursor-blurred-text-style"] = "underline"
"""What a terminal without colour is painted from; nobody chooses it."""


def painted_depth(theme: Theme, depth: Depth) -> Depth:
    """The colours that a theme is painted with on a terminal of `depth`: an ANSI theme has sixteen everywhere."""
    return "16" if depth != "none" and theme.name in (ANSI_DARK.name, ANSI_LIGHT.name) else depth


def painted_theme(theme: Theme, depth: Depth) -> Theme:
    """What stands for a theme on a terminal of `depth`: sixteen colours, or none, are too few for most."""
    if depth == "none":
        return NO_COLOUR
    if depth == "16":
        return ANSI_DARK if theme.dark else ANSI_LIGHT
    return theme


def counterpart(theme: Theme, available: Container[str]) -> str:
    """The name of the light theme that goes with a dark one, or the other way round; of our two, where none does."""
    here, there = ("dark", "light") if theme.dark else ("light", "dark")
    stem = theme.name.removesuffix(f"-{here}")
    if stem != theme.name and f"{stem}-{there}" in available:
        return f"{stem}-{there}"
    return (LIGHT if theme.dark else DARK).name
