"""A plot as a picture for papers and pages: SVG, which needs no program but a browser."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from html import escape

from ..text import formatting
from .axis_ticks import axis_ticks
from .plot_legend import MARK_SIGNS, rank
from .run_plot import Line, PlacedMark, Plot, clipped, strokes
from .scale import labels

WIDTH, HEIGHT = 960, 540
_LEFT, _RIGHT, _BOTTOM = 64, 24, 56
_ROW, _LONG_LEGEND, _LEGEND_COLUMNS = 20, 6, 3
_SIGN, _MOST_WORDS = 10, 20  # columns of a sign, and marks that one of them tells of
PLOT_WIDTH = WIDTH - _LEFT - _RIGHT

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a7500", "#56b4e9", "#6a51a3", "#666666")  # Okabe, Ito (2008)
_DASHES = ("", "10 4", "3 4", "12 4 3 4", "6 6", "2 6", "16 4", "8 3 2 3")
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def draw_svg(plot: Plot) -> str:
    """The picture of a plot, which must have been made for PLOT_WIDTH columns."""
    top = 16 + _ROW * _legend_rows(len(plot.runs))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<clipPath id="view"><rect x="{_LEFT}" y="{top}" width="{PLOT_WIDTH}" height="{HEIGHT - top - _BOTTOM}"/>'
        "</clipPath>",
        *_axes(plot, top),
        '<g clip-path="url(#view)" fill="none" stroke-linejoin="round">',
        *_curves(plot, top),
        "</g>",
        *_marks(plot),
        *_legend(plot),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _y(plot: Plot, top: int, value: float) -> float:
    return top + (1.0 - plot.scale.position(value)) * (HEIGHT - top - _BOTTOM)


def _axes(plot: Plot, top: int) -> Iterator[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    ticks = plot.scale.ticks(6)
    for tick, label in zip(ticks, labels(ticks), strict=True):
        y = _y(plot, top, tick)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#e4e4e4"/>'
        yield _text(_LEFT - 8, y + 4, label, "end", "#444444")
    for place, label in axis_ticks(plot.settings.axis, plot.start, plot.end, 8):
        x = _LEFT + plot.column(place)
        yield f'<path d="M{x:.1f} {bottom}v5" stroke="#444444"/>'
        yield _text(x, bottom + 34, label, "middle", "#444444")
    yield f'<path d="M{_LEFT} {top}V{bottom}H{right}" fill="none" stroke="#444444"/>'
    yield _text(right, HEIGHT - 6, f"{plot.settings.axis} · loss in nats per token", "end", "#444444")
    levels = [(reference.loss, reference.name) for reference in plot.references]
    for value, name in [*([(plot.floor, "floor")] if plot.floor is not None else []), *levels]:
        y = _y(plot, top, value)
        if top <= y <= bottom:
            yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#888888" stroke-dasharray="2 4"/>'
            yield _text(_LEFT + 6, y - 4, f"{name} {formatting.loss(value)}", "start", "#666666")


def _curves(plot: Plot, top: int) -> Iterator[str]:
    """What was read pale, behind the averages; a single run's two losses differ in colour as well."""
    order = sorted(plot.lines, key=lambda line: (line.validation, -line.slot))
    for line in order:
        if not line.validation and plot.settings.smoothing:
            for stroke in strokes(line, smooth=False):
                yield _path(plot, top, stroke, f'stroke="{_colour(plot, line)}" stroke-opacity="0.25"')
    for line in order:
        dash = _DASHES[line.slot % len(_DASHES)] if len(plot.runs) > 1 else ""
        look = f'stroke="{_colour(plot, line)}" stroke-width="{2.6 if line.validation else 1.4}"'
        for stroke in strokes(line):
            yield _path(plot, top, stroke, look + (f' stroke-dasharray="{dash}"' if dash else ""))


def _colour(plot: Plot, line: Line) -> str:
    return _COLOURS[(line.validation if len(plot.runs) == 1 else line.slot) % len(_COLOURS)]


def _path(plot: Plot, top: int, stroke: Sequence[tuple[float, float]], look: str) -> str:
    points = [f"{_LEFT + x:.1f} {y:.1f}" for x, value in clipped(stroke, plot.width)
              if (y := _y(plot, top, value)) == y]  # fmt: skip
    return (
        f'<path d="M{"L".join(points)}{"h0.1" * (len(points) == 1)}" {look} stroke-linecap="round"/>' if points else ""
    )


def _marks(plot: Plot) -> Iterator[str]:
    """What happened, under the axis: of neighbours the sign that matters most, and the words of all under the mouse."""
    groups: list[list[PlacedMark]] = []
    for placed in sorted(plot.marks, key=rank):
        near = next((group for group in groups if abs(group[0].x - placed.x) < _SIGN), None)
        if near is None:
            groups.append([placed])
        else:
            near.append(placed)
    for group in groups:
        colour = "#444444" if len(plot.runs) == 1 else _COLOURS[group[0].slot % len(_COLOURS)]
        words = "; ".join(f"step {placed.mark.step:,}: {placed.mark.text}" for placed in group[:_MOST_WORDS])
        sign = MARK_SIGNS[group[0].mark.kind][0]
        yield _text(_LEFT + group[0].x, HEIGHT - _BOTTOM + 17, sign, "middle", colour, words)
    for x, _ in plot.gaps:
        yield _text(_LEFT + x, HEIGHT - _BOTTOM + 17, "×", "middle", "#b00020", "a loss that is no number")


def _legend(plot: Plot) -> Iterator[str]:
    rows = _legend_rows(len(plot.runs))
    for number, (run, train, validation) in enumerate(plot.readings(None)):
        x, y = _LEFT + number // rows * PLOT_WIDTH / _LEGEND_COLUMNS, 20 + number % rows * _ROW
        words = [f"{name} {value:.3f}" for name, value in (("train", train), ("val", validation)) if value is not None]
        colours = _COLOURS[:2] if len(plot.runs) == 1 else (_COLOURS[run.slot % len(_COLOURS)],) * 2
        dash = _DASHES[run.slot % len(_DASHES)] if len(plot.runs) > 1 else ""
        for width, colour, offset in ((1.4, colours[0], -8), (2.6, colours[1], -3)):
            yield (f'<path d="M{x:.1f} {y + offset}h36" stroke="{colour}" stroke-width="{width}"'
                   + (f' stroke-dasharray="{dash}"/>' if dash else "/>"))  # fmt: skip
        yield _text(x + 46, y, "  ".join([run.name, *words]), "start", "#222222")


def _legend_rows(runs: int) -> int:
    """A few runs stand below each other, many beside each other as well."""
    return runs if runs <= _LONG_LEGEND else math.ceil(runs / _LEGEND_COLUMNS)


def _text(x: float, y: float, words: str, anchor: str, colour: str, title: str = "") -> str:
    more = f"<title>{_escaped(title)}</title>" if title else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{_escaped(words)}{more}</text>'


def _escaped(words: str) -> str:
    """Foreign words as XML: what it cannot hold is left out."""
    return escape(_NO_XML.sub("", formatting.one_line(words)))
