"""Charts of runs as a file or on the terminal: `runs export --chart`."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from ...data.storage.atomic import write_atomic
from ...data.storage.errors import UserError
from ...data.typed_path import typed_path
from ...engine.history.reader import HistoryReader
from ...engine.history.run_history import AXES
from ...engine.run_about import shown_name
from ...engine.runs import Run
from ..charts.braille_plot import SLOTS, draw_plot, plot_width
from ..charts.run_plot import SMOOTHINGS, Plot, PlotSettings, PlottedRun, plot
from ..charts.spans import Looks, Span
from ..charts.svg_plot import PLOT_WIDTH, draw_svg
from .console import Console
from .exit_codes import DONE, complain
from .options import with_message

_HEIGHT = 24
_ANSI = ("cyan", "yellow", "green", "magenta", "bright_yellow", "red", "blue", "white")  # of the terminal's own colours
_ROLES = {"train": "cyan", "validation": "yellow", "floor": "green", "reference": "yellow", "alarm": "red"}


def add_chart_options(parser: argparse.ArgumentParser) -> None:
    """How a chart is drawn."""
    parser.add_argument(
        "--chart", metavar="FILE", help="a chart instead: FILE.svg, FILE.png or FILE.txt; '-' draws it here"
    )
    parser.add_argument("--axis", choices=AXES, default="steps", help="of the chart (default: steps)")
    parser.add_argument("--log", action="store_true", help="draw the losses on a logarithmic scale")
    parser.add_argument(
        "--smoothing", type=with_message(_smoothing), default=0.9, metavar="A",
        help=f"of the moving average, such as {', '.join(f'{each:g}' for each in SMOOTHINGS)} (default: 0.9)",
    )  # fmt: skip


def _smoothing(text: str) -> float:
    """A number from 0 to 1. Raises ValueError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ValueError(f"'{text}' is no share from 0 to less than 1; 0 does not smooth")
    return value


def export_chart(arguments: argparse.Namespace, runs: Sequence[Run]) -> int:
    """Draw the runs over each other."""
    path = None if arguments.chart == "-" else typed_path(arguments.chart)
    kind = path.suffix.lower() if path else ".txt"
    if kind not in (".svg", ".png", ".txt"):
        return complain(f"'{arguments.chart}' says no form of a chart: end it in .svg, .png or .txt, or give '-'")
    if path is not None and path.exists() and not arguments.force:
        return complain(f"{path} is there already; --force replaces it, --chart names another")
    if kind == ".png" and importlib.util.find_spec("cairosvg") is None:
        return complain("a PNG needs the package cairosvg: pip install 'minigpt-tui[png]'; an SVG needs none")
    drawn = [PlottedRun(shown_name(run), slot, HistoryReader(run.metrics_path).read_all())
             for slot, run in enumerate(dict.fromkeys(runs))]  # fmt: skip
    settings = PlotSettings(arguments.axis, arguments.log, arguments.smoothing)
    if path is None:
        console = Console()
        for row in _rows(drawn, settings, console.width, dashed=not console.is_terminal or console.no_color):
            console.print(_coloured(row, alone=len(drawn) == 1), no_wrap=True, crop=False)
        return DONE
    if kind == ".txt":
        rows = _rows(drawn, settings, 100, dashed=True)
        content = "".join("".join(span.text for span in row).rstrip() + "\n" for row in rows)
        write_atomic(path, content, make_folder=False)
    else:
        svg = draw_svg(_plotted(plot(drawn, settings, PLOT_WIDTH)))
        write_atomic(path, svg if kind == ".svg" else _png(svg), make_folder=False)
    print(path)
    return DONE


def _rows(runs: Sequence[PlottedRun], settings: PlotSettings, width: int, *, dashed: bool) -> list[list[Span]]:
    drawing = _plotted(plot(runs, settings, plot_width(width)))
    return draw_plot(drawing, width, _HEIGHT + len(runs), Looks(dashed=dashed))


def _coloured(row: Sequence[Span], *, alone: bool) -> Text:
    text = Text()
    for span in row:
        colour = _ROLES.get(span.role)
        if span.role in ("run", "raw"):
            colour = "cyan" if alone else _ANSI[span.slot % SLOTS]
        text.append(span.text, Style(color=colour, dim=span.role in ("raw", "axis")))
    return text


def _plotted(drawing: Plot | None) -> Plot:
    if drawing is None:
        raise UserError("there is nothing to draw yet: no step of these runs has a loss that is a number")
    return drawing


def _png(svg: str) -> bytes:
    return importlib.import_module("cairosvg").svg2png(bytestring=svg.encode(), scale=2.0)
