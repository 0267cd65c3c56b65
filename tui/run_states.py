"""How a run's state looks: a glyph, a word and a colour, so that none of them has to carry the meaning alone."""

from __future__ import annotations

from ..engine.runs import ShownState

GLYPHS: dict[ShownState, str] = {
    "starting": "◌",
    "running": "●",
    "paused": "‖",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "crashed": "✗",
}
WORDS: dict[ShownState, str] = {**{state: state for state in GLYPHS}, "running": "training"}
COLOURS: dict[ShownState, str] = {  # names of theme variables
    "starting": "accent",
    "running": "success",
    "paused": "warning",
    "finished": "primary",
    "stopped": "secondary",
    "failed": "error",
    "crashed": "error",
}
