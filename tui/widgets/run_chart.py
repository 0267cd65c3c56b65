"""The chart of the train desk: runs laid over each other, with a cursor that reads them; or a grid of their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import ClassVar, TypeVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from ...engine.history.run_history import AXES, RunHistory
from ..charts.axis_ticks import place_label
from ..charts.braille_plot import SLOTS, draw_plot, gutter_of, plot_width
from ..charts.figure_grid import draw_grid
from ..charts.plot_window import PlotWindow
from ..charts.reference_lines import ReferenceLine
from ..charts.run_plot import SMOOTHINGS, Plot, PlotSettings, PlottedRun, Shown, extent, plot
from ..charts.spans import Looks, Span
from ..line_filters import drawn_depth, draws_ascii
from ..text import formatting
from .border_words import set_subtitle, set_title

T = TypeVar("T")

_SHOWN: tuple[Shown, ...] = ("both", "train", "validation")
_PALE = 0.6  # of the way from a curve's colour to the ground, for what was read before it is smoothed
_COLOURS_DARK = ("#56b4e9", "#e69f00", "#2fbf8f", "#cc79a7", "#f0e442", "#e8743b", "#a7a7ff", "#bdbdbd")
_COLOURS_LIGHT = ("#0a6aa8", "#9a5b00", "#006f4f", "#a03c78", "#6f6500", "#b03a00", "#4a3fc0", "#5a5a5a")
"""After Okabe and Ito (2008), lighter on a dark ground and darker on a light one."""


class RunChart(Widget, can_focus=True):
    """Draws the losses of one or several runs; drawn again only where something changed."""

    class ReferencesWanted(Message):
        """The person wants to choose which published losses are drawn; `chart.references` are those that are."""

        def __init__(self, chart: RunChart) -> None:
            super().__init__()
            self.chart = chart

    ALLOW_MAXIMIZE = True
    HELP = (
        "Losses of runs: training thin, validation thick, what was read pale behind the average. Below them ★ is the "
        "best validation loss, · a checkpoint, » a resume, ! a command, i a note, ~ a change of the learning rate, "
        "× a loss that is no number. The cursor reads each run there, and how far it is from the first."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor(-1)", "cursor", id="curves.left", tooltip="Read the runs further left"),
        Binding("right", "cursor(1)", "cursor", False, id="curves.right", tooltip="Read the runs further right"),
        Binding("home", "cursor_start", "to the start", False, id="curves.start", tooltip="Read where the view begins"),
        Binding("end", "cursor_end", "no cursor", False, id="curves.end", tooltip="Read the ends of the runs"),
        Binding("plus,equals_sign", "zoom(0.5)", "zoom", id="curves.zoom_in", tooltip="Show half as much"),
        Binding("minus", "zoom(2)", "zoom out", False, id="curves.zoom_out", tooltip="Show twice as much"),
        Binding("comma", "pan(-1)", "pan", id="curves.pan_left", tooltip="Show what is further left"),
        Binding("full_stop", "pan(1)", "pan right", False, id="curves.pan_right", tooltip="Show what is further right"),
        Binding("backspace", "back", "back", False, id="curves.back", tooltip="Show what was in view before"),
        Binding("0", "whole", "whole run", False, id="curves.whole", tooltip="Show the runs from end to end"),
        Binding("a", "smooth", "average", id="curves.smooth", tooltip="The next moving average, or none"),
        Binding("y", "log", "log", id="curves.log", tooltip="Linear or logarithmic"),
        Binding("h", "axis", "axis", id="curves.axis", tooltip="Over steps, tokens, time or epochs"),
        Binding("b", "shown", "both losses", id="curves.shown", tooltip="Both losses, or one of them"),
        Binding("g", "grid", "figures", id="curves.grid", tooltip="The other figures side by side, or the losses"),
        Binding("up", "page(-1)", "figures before", False, id="curves.page_up", tooltip="The figures before these"),
        Binding("down", "page(1)", "more figures", False, id="curves.page_down", tooltip="The figures after these"),
        Binding("k", "references", "known losses", id="curves.references", tooltip="Draw losses that others published"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"run-chart--{role}" for role in ("axis", "legend", "alarm", "floor", "reference", "train", "validation",
                                            "cursor", "under-cursor")),
        *(f"run-chart--run-{slot}" for slot in range(SLOTS)),
    }  # fmt: skip
    DEFAULT_CSS = (
        """
    RunChart {
        height: 1fr;
        min-height: 5;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        &:focus { border: round $border; border-title-color: $text; }
        &:nocolor:focus { border: heavy $border; }
        .run-chart--axis { color: $text-muted; }
        .run-chart--legend { color: $foreground; }
        .run-chart--alarm { color: $text-error; }
        .run-chart--floor { color: $text-success; }
        .run-chart--reference { color: $text-warning; }
        .run-chart--train { color: $text-secondary; }
        .run-chart--validation { color: $accent; }
        .run-chart--cursor { color: $text-primary; text-style: bold; }
        .run-chart--under-cursor { background: $foreground 20%; }
    """
        + "".join(f"    .run-chart--run-{slot} {{ color: {colour}; }}\n" for slot, colour in enumerate(_COLOURS_DARK))
        + "".join(
            f"    &:light .run-chart--run-{slot} {{ color: {colour}; }}\n" for slot, colour in enumerate(_COLOURS_LIGHT)
        )
        + "}"
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.window = PlotWindow()
        self._settings = PlotSettings()
        self._runs: list[PlottedRun] = []
        self._slots: dict[str, int] = {}  # by name: a run keeps its colour while it is shown
        self._grid, self._page = False, 0  # the figures instead of the losses, and which of them
        self._empty = "no run yet"
        self._drawn_for: tuple[object, ...] = ()
        self._plot: Plot | None = None
        self._plotted_for: tuple[object, ...] = ()
        self._strips: list[Strip] = []
        self._strips_for: tuple[object, ...] = ()

    @property
    def references(self) -> tuple[ReferenceLine, ...]:
        """The published losses that are drawn."""
        return self._settings.references

    @references.setter
    def references(self, lines: Sequence[ReferenceLine]) -> None:
        self._change(references=tuple(lines))

    def on_mount(self) -> None:
        self._write_title()

    def show(
        self,
        runs: Sequence[tuple[str, RunHistory]],
        empty: str = "waiting for the first step",
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Draw these runs, or the sentence `empty`; with nothing new this costs nothing.

        A run is known by what stands beside its history, and called what that is in `names`.
        """
        names = names or {}
        drawn_for = (*((names.get(name, name), id(history), history.version) for name, history in runs), empty)
        if drawn_for == self._drawn_for:
            return
        self._drawn_for, self._empty = drawn_for, empty
        self._slots = {name: slot for name, slot in self._slots.items() if name in dict(runs)}
        for name, _ in runs:
            self._slots.setdefault(name, next(i for i in range(len(runs) + 1) if i not in self._slots.values()))
        self._runs = [PlottedRun(names.get(name, name), self._slots[name], history) for name, history in runs]
        self.window.whole = extent(self._runs, self._settings.axis)
        self._redraw_what_changed()

    def colour_of(self, run: str) -> str:
        """The colour that a run is drawn in, as #rrggbb; that of the labels where it is not drawn."""
        role = "axis" if run not in self._slots else "run"
        colour = self._style(role, self._slots.get(run, 0), under_cursor=False).foreground
        return colour.hex6 if colour is not None else "#808080"

    # --- keys and mouse -------------------------------------------------------------------------

    def action_cursor(self, direction: int) -> None:
        """Move the cursor by a cell."""
        cells = max(1, self.content_size.width - gutter_of(self.content_size.width))
        self.window.move_cursor(direction * (self.window.shown_end - self.window.start) / cells)
        self._redraw()

    def action_cursor_start(self) -> None:
        """Put the cursor where the view begins."""
        self.window.set_cursor(self.window.start)
        self._redraw()

    def action_cursor_end(self) -> None:
        """Read the ends of the runs again."""
        self.window.cursor = None
        self._redraw()

    def action_zoom(self, factor: float) -> None:
        """Show `factor` times as much of the axis."""
        self.window.zoom(factor)
        self._redraw()

    def action_pan(self, direction: int) -> None:
        """Move what is in view."""
        self.window.pan(direction)
        self._redraw()

    def action_back(self) -> None:
        """Show what was in view before."""
        self.window.back()
        self._redraw()

    def action_whole(self) -> None:
        """Show all of it."""
        self.window.show_whole()
        self._redraw()

    def action_smooth(self) -> None:
        """Take the next moving average."""
        self._change(smoothing=_after(SMOOTHINGS, self._settings.smoothing))

    def action_log(self) -> None:
        """Change between linear and logarithmic values."""
        self._change(logarithmic=not self._settings.logarithmic)

    def action_axis(self) -> None:
        """Take the next axis."""
        self.window.restart()
        self._change(axis=_after(AXES, self._settings.axis))

    def action_shown(self) -> None:
        """Both losses, those of the training, those of the validation."""
        self._change(shown=_after(_SHOWN, self._settings.shown))

    def action_grid(self) -> None:
        """Change between the losses and the grid of figures."""
        self._grid = not self._grid
        self._redraw()

    def action_page(self, direction: int) -> None:
        """The next figures of the grid, where not all have room."""
        self._page += direction
        self._redraw()

    def action_references(self) -> None:
        """Ask for the list of published losses."""
        self.post_message(self.ReferencesWanted(self))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        place = event.get_content_offset(self)
        width = self.content_size.width
        if place is not None and place.x >= gutter_of(width):
            span = self.window.shown_end - self.window.start
            share = (place.x - gutter_of(width) + 0.5) / max(1, width - gutter_of(width))
            self.window.set_cursor(self.window.start + share * span)
            self._redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_zoom(0.5)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_zoom(2.0)

    # --- drawing --------------------------------------------------------------------------------

    def _change(self, **settings: object) -> None:
        self._settings = replace(self._settings, **settings)  # type: ignore[arg-type]
        self.window.whole = extent(self._runs, self._settings.axis)
        self._redraw()

    def _redraw(self) -> None:
        self._strips_for = ()
        self._write_title()
        self.refresh()

    def _redraw_what_changed(self) -> None:
        """Paint only the rows that became others: of a long run, most readings change none or one."""
        if self._strips_for != self._look:
            self._redraw()
            return
        self._write_title()
        before, self._strips = self._strips, self._drawn(*self.size)
        changed = [Region(0, y, self.size.width, 1)
                   for y, (old, new) in enumerate(zip(before, self._strips, strict=True)) if old != new]  # fmt: skip
        if changed:
            self.refresh(*changed)

    @property
    def _look(self) -> tuple[object, ...]:
        """What a drawing depends on besides its content."""
        return self.size, draws_ascii(self.app), drawn_depth(self.app), self.get_visual_style().rich_style

    def _write_title(self) -> None:
        """What is drawn and how, as in: loss · EMA 0.9 · steps · linear."""
        settings, window = self._settings, self.window
        words = ["figures" if self._grid else "loss" if settings.shown == "both" else f"{settings.shown} loss"]
        words.append(f"EMA {settings.smoothing:g}" if settings.smoothing else "not smoothed")
        words += [settings.axis, "log" if settings.logarithmic else "linear"]
        set_title(self, " · ".join(words))
        ends = (place_label(settings.axis, place) for place in (window.start, window.shown_end))
        part = [] if window.is_whole else [" to ".join(ends)]
        name = [formatting.one_line(self._runs[0].name)] if len(self._runs) == 1 else []
        set_subtitle(self, " · ".join(name + part))

    def notify_style_update(self) -> None:
        """Draw again in the colours of a new theme."""
        super().notify_style_update()
        self._strips_for = ()

    def render_line(self, y: int) -> Strip:
        """One row of the drawing, which is made once for each size and content."""
        if self._look != self._strips_for:
            self._strips = self._drawn(*self.size)
            self._strips_for = self._look
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        window = self.window
        settings = replace(self._settings, start=window.start, end=window.end)
        ascii = draws_ascii(self.app)
        looks = Looks(ascii, dashed=ascii or drawn_depth(self.app) == "none")
        drawing = self._plotted(settings, width) if width > 0 and height > 0 else None
        if self._grid and drawing is not None:
            rows = draw_grid(self._runs, settings, width, height, looks, window.cursor, self._page)
        elif drawing is None:
            rows = [[Span(self._empty[:width].center(width) if row == height // 2 else " " * width)]
                    for row in range(height)]  # fmt: skip
        else:
            cursor = None
            if window.cursor is not None and window.start <= window.cursor <= window.shown_end:
                cursor = round(drawing.column(window.cursor))
            rows = draw_plot(drawing, width, height, looks, cursor)
        styles: dict[tuple[str, int, bool], Style] = {}
        return [Strip([self._segment(span, styles) for span in row], width) for row in rows]

    def _plotted(self, settings: PlotSettings, width: int) -> Plot | None:
        """The plot, which a cursor that moves leaves as it is."""
        plotted_for = (self._drawn_for, settings, width)
        if plotted_for != self._plotted_for:
            self._plotted_for, self._plot = plotted_for, plot(self._runs, settings, plot_width(width))
        return self._plot

    def _segment(self, span: Span, styles: dict[tuple[str, int, bool], Style]) -> Segment:
        key = (span.role, span.slot, span.under_cursor)
        if key not in styles:
            styles[key] = self._style(*key)
        return Segment(span.text, styles[key].rich_style)

    def _style(self, role: str, slot: int, under_cursor: bool) -> Style:
        own = "train" if len(self._runs) == 1 else f"run-{slot % SLOTS}"
        name = own if role in ("run", "raw") else role
        style = self.get_visual_style(f"run-chart--{name}", *["run-chart--under-cursor"] * under_cursor)
        if role == "raw" and style.foreground is not None:
            style += Style(foreground=style.foreground.blend(self.background_colors[1], _PALE))
        return style


def _after(choices: Sequence[T], present: T) -> T:
    """The choice that follows the present one, the first after the last."""
    return next(islice(cycle(choices), choices.index(present) + 1, None))
