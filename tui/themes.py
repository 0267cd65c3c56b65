"""The app's own two themes, a dark and a light one.

Teal (primary) is for focus, progress and the model's label, amber (accent) for keys and the validation loss, blue
(secondary) for the training loss. Both keep a contrast of at least 4.5 between text and ground, and nothing is told by
colour alone.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="minigpt-dark",
    dark=True,
    primary="#5fb8a5",
    secondary="#86a7dc",
    accent="#e5b567",
    success="#8fc27f",
    warning="#e0a458",
    error="#e07a72",
    foreground="#d7dce2",
    background="#12161c",
    surface="#171c24",
    panel="#1d242e",
    boost="#222a35",
    variables={
        # fixed colours, because "auto" is lost in rendered Content
        "text-muted": "#8b96a5",
        "text-disabled": "#5d6876",
        "border": "#3f8578",
        "border-blurred": "#2b3541",
        "block-cursor-background": "#2b4a49",
        "block-cursor-foreground": "#eef2f5",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#222a35",
        "footer-background": "#12161c",
        "footer-foreground": "#8b96a5",
        "footer-description-foreground": "#8b96a5",
        "footer-key-foreground": "#5fb8a5",
        "input-selection-background": "#5fb8a5 35%",
        "screen-selection-background": "#5fb8a5 35%",
        "scrollbar": "#2b3541",
        "scrollbar-hover": "#3b4858",
        "scrollbar-active": "#5fb8a5",
        "scrollbar-background": "#12161c",
        "scrollbar-background-hover": "#12161c",
        "scrollbar-background-active": "#12161c",
        "scrollbar-corner-color": "#12161c",
    },
)

LIGHT = Theme(
    name="minigpt-light",
    dark=False,
    primary="#1c7566",
    secondary="#355f9e",
    accent="#96590e",
    success="#3d7a2f",
    warning="#9a5b00",
    error="#b3392f",
    foreground="#2b302f",
    background="#f7f4ed",
    surface="#f1ede3",
    panel="#e9e4d7",
    boost="#e2dccd",
    variables={
        "text-muted": "#6b6a60",
        "text-disabled": "#98968a",
        "border": "#4e9285",
        "border-blurred": "#cfc8b8",
        "block-cursor-background": "#cfe3dc",
        "block-cursor-foreground": "#1d2423",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e2dccd",
        "footer-background": "#f7f4ed",
        "footer-foreground": "#6a6a60",
        "footer-description-foreground": "#6a6a60",
        "footer-key-foreground": "#1c7566",
        "input-selection-background": "#1c7566 30%",
        "screen-selection-background": "#1c7566 30%",
        "scrollbar": "#d6cfbf",
        "scrollbar-hover": "#c3bba8",
        "scrollbar-active": "#1c7566",
        "scrollbar-background": "#f7f4ed",
        "scrollbar-background-hover": "#f7f4ed",
        "scrollbar-background-active": "#f7f4ed",
        "scrollbar-corner-color": "#f7f4ed",
    },
)

THEMES = (DARK, LIGHT)


def counterpart(dark: bool) -> str:
    """The name of our light theme where `dark`, else of the dark one."""
    return (LIGHT if dark else DARK).name
