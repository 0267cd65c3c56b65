"""What is read of each run in a plot: at its end, or where the cursor is."""

from __future__ import annotations

from ..text import formatting
from .axis_ticks import place_label
from .run_plot import LOSS, PlacedMark, Plot
from .spans import Looks, Span, flowed, letter_of

MARK_SIGNS = {  # first those that win where several share a cell; and in ASCII
    "best": ("★", "*"), "resume": ("»", ">"), "command": ("!", "!"), "note": ("i", "i"), "state": ("■", "#"),
    "rate": ("~", "~"), "checkpoint": ("·", "."),
}  # fmt: skip
_ORDER = list(MARK_SIGNS)


def rank(placed: PlacedMark) -> tuple[int, int]:
    """What matters most comes first."""
    return _ORDER.index(placed.mark.kind), placed.slot


def legend(plot: Plot, width: int, most: int, looks: Looks, cursor: int | None) -> list[list[Span]]:
    """For each run its sign, name and values, as many rows of them as are needed and allowed."""
    entries: list[list[Span]] = []
    if plot.figure != LOSS:
        entries.append([Span(FIGURE_WORDS[plot.figure][0], "axis")])
    elif cursor is not None:
        entries.append([Span(place_label(plot.settings.axis, plot.place(cursor)), "cursor")])
    first: tuple[float | None, float | None] = (None, None)
    for number, (run, train, validation) in enumerate(plot.readings(cursor)):
        if len(plot.runs) == 1:
            entries += _alone(plot, train, validation, looks)
            break
        first = first if number else (train, validation)
        name = formatting.one_line(f"{letter_of(run.slot)} {run.name}" if looks.dashed else run.name)
        if plot.figure == LOSS:
            values = [_against(now, other if number else None)
                      for now, other in zip((train, validation), first, strict=True) if now is not None]  # fmt: skip
        else:
            values = [_value(plot, value) for value in (train, validation) if value is not None]
        text = " / ".join(values) if values else formatting.UNKNOWN
        entries.append([Span("- " if looks.ascii else "━ ", "run", run.slot), Span(f"{name} {text}", "legend")])
    if plot.not_finite:
        entries.append([Span(f"{formatting.compact(plot.not_finite)} NaN", "alarm")])
    if cursor is not None:
        texts = list(dict.fromkeys(
            formatting.one_line(placed.mark.text) for placed in sorted(plot.marks_at(cursor), key=rank)
        ))  # fmt: skip
        entries += [[Span(text, "axis")] for text in texts]
    return flowed(entries, width, most)


def _alone(plot: Plot, train: float | None, validation: float | None, looks: Looks) -> list[list[Span]]:
    thin, thick = "-*" if looks.ascii else "─━"
    both = ((train, "train", thin), (validation, "validation", thick))
    if plot.figure != LOSS:
        return [[Span(_value(plot, value), "legend")] for value, *_ in both if value is not None]
    return [
        [Span(f"{sign} ", role), Span(f"{role.removesuffix('idation')} {formatting.loss(value)}", "legend")]
        for value, role, sign in both
        if value is not None
    ]


def _against(value: float, first: float | None) -> str:
    """A value, and how far it is from that of the first run: 1.55 (−0.03)."""
    return _three(value) + (
        f" ({'+' if value >= first else '−'}{_three(abs(value - first))})" if first is not None else ""
    )


def _three(value: float) -> str:
    """Three decimals, so that runs which are close can be told apart."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"


def _value(plot: Plot, value: float) -> str:
    """A value of a figure in its unit."""
    return FIGURE_WORDS[plot.figure][1](value)


FIGURE_WORDS = {
    "loss": ("loss", formatting.loss),
    "learning_rate": ("learning rate", formatting.learning_rate),
    "gradient_norm": ("gradient norm", formatting.loss),
    "tokens_per_second": ("speed", formatting.rate),
    "mfu": ("utilisation (MFU)", formatting.percent),
    "memory": ("memory", lambda value: formatting.memory(round(value))),
    "weight_norm": ("weight norm", formatting.loss),
    "update_ratio": ("update ratio", formatting.learning_rate),
}
"""The figures by their fields: what they are called, and how a value is written."""
