"""The horizontal axis of a chart: its round places, and what is written at them."""

from __future__ import annotations

from ...engine.history.run_history import Axis
from ..text import formatting
from .scale import Scale, labels

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


def axis_ticks(axis: Axis, start: float, end: float, most: int) -> list[tuple[float, str]]:
    """At most about `most` places between `start` and `end` with their labels."""
    if end <= start:
        return [(start, place_label(axis, start))]
    size, unit = 1.0, ""
    if axis == "seconds":
        size, unit = next(((size, unit) for size, unit in _UNITS if end >= 2 * size), _UNITS[-1])
    ticks = Scale(start / size, end / size).ticks(max(2, most))
    if axis in ("steps", "tokens"):
        ticks = [tick for tick in ticks if tick == int(tick)] or ticks
        texts = _compact(ticks)
    else:
        texts = [f"{text}{unit and ' '}{unit}" for text in (labels(ticks) if len(ticks) > 1 else map(str, ticks))]
    return [(tick * size, text) for tick, text in zip(ticks, texts, strict=True)]


def _compact(ticks: list[float]) -> list[str]:
    """Short, or with all digits where the short ones do not tell them apart."""
    texts = list(map(formatting.compact, ticks))
    return texts if len(set(texts)) == len(texts) else [f"{tick:,.0f}" for tick in ticks]


def place_label(axis: Axis, place: float) -> str:
    """A place on an axis in words: step 820, 3.2M tokens, 1 m 20 s, epoch 1.25."""
    if axis == "steps":
        return f"step {place:,.0f}"
    if axis == "tokens":
        return f"{formatting.compact(place)} tokens"
    return formatting.duration(place) if axis == "seconds" else f"epoch {place:.3g}"
