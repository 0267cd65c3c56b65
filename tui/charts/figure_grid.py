"""The figures of runs side by side: learning rate, gradient norm, speed and the others, each as a small plot."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...engine.history.run_history import FIGURES, NORMS
from .braille_plot import draw_plot, plot_width
from .run_plot import PlotSettings, PlottedRun, plot
from .spans import Looks, Span

_NARROWEST, _LOWEST = 34, 5  # cells of a plot
_GAP = 1


def figures_of(runs: Sequence[PlottedRun]) -> list[str]:
    """The figures that these runs have; the norms of the layers are those of the first run."""
    known = [name for place, name in enumerate(FIGURES) if any(_is_known(run, place) for run in runs)]
    return known + (list(NORMS) if runs and runs[0].history.layers else [])


def tiles_per_page(figures: int, width: int, height: int) -> tuple[int, int]:
    """How many plots stand beside each other, and how many rows of them fit."""
    across = max(1, min(3, width // _NARROWEST, figures))
    return across, max(1, min(math.ceil(figures / across), height // _LOWEST))


def draw_grid(
    runs: Sequence[PlottedRun], settings: PlotSettings, width: int, height: int, looks: Looks,
    cursor: float | None = None, page: int = 0,
) -> list[list[Span]]:  # fmt: skip
    """`height` rows of `width` cells; `cursor` is a place on the axis. The pages follow each other in a circle."""
    figures = figures_of(runs)
    if not figures or width < 1:
        return [[Span(" " * width)] for _ in range(height)]
    across, down = tiles_per_page(len(figures), width, height)
    first = page % math.ceil(len(figures) / (across * down)) * across * down
    rows: list[list[Span]] = []
    for row in range(down):
        # what does not divide evenly goes to the first ones
        tall = height // down + (row < height % down)
        picked = figures[first + row * across : first + (row + 1) * across]
        tiles: list[list[list[Span]]] = []
        for column in range(across):
            wide = (width - _GAP * (across - 1)) // across
            wide += (width - _GAP * (across - 1)) % across if column == across - 1 else 0
            tiles.append(
                _tile(runs, settings, picked[column], wide, tall, looks, cursor)
                if column < len(picked) else [[Span(" " * wide)] for _ in range(tall)]
            )  # fmt: skip
        for parts in zip(*tiles, strict=True):
            joined = list(parts[0])
            for part in parts[1:]:
                joined += [Span(" " * _GAP), *part]
            rows.append(joined)
    return rows


def _tile(
    runs: Sequence[PlottedRun], settings: PlotSettings, figure: str, width: int, height: int, looks: Looks,
    cursor: float | None,
) -> list[list[Span]]:  # fmt: skip
    if figure in NORMS:
        runs = [PlottedRun(layer, slot, runs[0].history) for slot, layer in enumerate(runs[0].history.layers)]
    drawing = plot(runs, settings, plot_width(width), figure)
    if drawing is None:
        return [[Span(" " * width)] for _ in range(height)]
    if cursor is None or not drawing.start <= cursor <= drawing.end:
        return draw_plot(drawing, width, height, looks)
    return draw_plot(drawing, width, height, looks, round(drawing.column(cursor)))


def _is_known(run: PlottedRun, place: int) -> bool:
    return any(run.history.steps.figures[place].finite)
