"""The widget of the train desk's chart: its keys, its colours, and that it draws only what is new."""

from __future__ import annotations

import pytest
from minigpt_tui.tui.charts.reference_lines import REFERENCE_LINES
from minigpt_tui.tui.line_filters import AsciiFilter
from minigpt_tui.tui.widgets.run_chart import RunChart
from textual.content import Content

from ..curves import course
from ..host import Host
from ..seen import screen_text

SIZE = (80, 20)


def shown(chart: RunChart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


def title(chart: RunChart) -> str:
    return Content.from_markup(str(chart.border_title)).plain


async def test_says_so_before_the_first_step():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE):
        assert "no run yet" in "".join(shown(chart))
        chart.show([], "waiting for the first step")
        assert "waiting for the first step" in "".join(shown(chart))


async def test_keys_change_what_is_drawn_and_the_title_says_how():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE) as pilot:
        chart.show([("one", course())])
        chart.focus()
        assert title(chart) == "loss · EMA 0.9 · steps · linear"
        await pilot.press("a", "y", "h", "b")
        assert title(chart) == "train loss · EMA 0.97 · tokens · log"
        await pilot.press("h", "h", "a", "a", "a")
        assert title(chart) == "train loss · not smoothed · epochs · log"
        await pilot.press("h", "b", "b", "y", "a", "a")
        assert title(chart) == "loss · EMA 0.9 · steps · linear"


async def test_the_cursor_reads_and_the_view_zooms_pans_and_comes_back():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE) as pilot:
        chart.show([("one", course()), ("two", course(level=1.4))])
        chart.focus()
        await pilot.press("left", "left")
        assert shown(chart)[0].startswith("step 197")
        assert "(−0.100)" in shown(chart)[0]
        await pilot.press("end")
        assert not shown(chart)[0].startswith("step")
        await pilot.press("plus", "plus")
        assert chart.border_subtitle == "step 150 to step 200"
        await pilot.press("comma")
        assert chart.border_subtitle == "step 138 to step 188"
        await pilot.press("full_stop", "backspace", "minus")
        assert chart.window.shown_end - chart.window.start == 100
        await pilot.press("0")
        assert chart.border_subtitle == ""


async def test_a_click_puts_the_cursor_there():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE) as pilot:
        chart.show([("one", course())])
        await pilot.click(RunChart, offset=(44, 10))
        assert shown(chart)[0].startswith("step 102")


async def test_a_run_keeps_its_colour_while_others_come_and_go():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE):
        names = {name: course(level=level) for name, level in (("one", 1.5), ("two", 1.4), ("three", 1.3))}

        def colours(*wanted: str) -> dict[str, str]:
            chart.show([(name, names[name]) for name in wanted])
            segments = [segment for y in range(3) for segment in chart.render_line(y)]
            signs = [str(segment.style.color) for segment in segments if segment.text == "━ " and segment.style]
            return dict(zip(wanted, signs, strict=True))

        first = colours("one", "two", "three")
        assert len(set(first.values())) == 3
        assert colours("two", "three") == {name: first[name] for name in ("two", "three")}
        assert colours("three", "one", "two") == first
        assert len({chart.colour_of(name) for name in names}) == 3
        assert chart.colour_of("another") not in {chart.colour_of(name) for name in names}


async def test_draws_again_only_for_something_new(monkeypatch: pytest.MonkeyPatch):
    chart, history = RunChart(), course()
    async with Host(chart).run_test(size=SIZE):
        repaints: list[object] = []
        monkeypatch.setattr(chart, "refresh", lambda *args, **options: repaints.append(args) or chart)
        chart.show([("one", history)])
        assert repaints
        repaints.clear()
        chart.show([("one", history)])
        assert not repaints
        history.extend([(201.0, 2010.0, 100.5, 1.0, 1e-3, 0.5, 2e4, 0.1, 1e6)])
        chart.show([("one", history)])
        assert repaints


async def test_a_key_changes_between_the_losses_and_the_figures():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE) as pilot:
        chart.show([("one", course())])
        chart.focus()
        await pilot.press("g")
        assert title(chart).startswith("figures")
        assert "learning rate" in "".join(shown(chart))
        await pilot.press("down")
        assert "memory" in "".join(shown(chart))
        await pilot.press("g")
        assert title(chart).startswith("loss")
        assert "learning rate" not in "".join(shown(chart))


async def test_published_losses_are_asked_for_and_drawn():
    asked: list[RunChart] = []

    class Asking(Host):
        def on_run_chart_references_wanted(self, event: RunChart.ReferencesWanted) -> None:
            asked.append(event.chart)

    chart = RunChart()
    async with Asking(chart).run_test(size=SIZE) as pilot:
        chart.show([("one", course())])
        chart.focus()
        await pilot.press("k")
        await pilot.pause()
        assert asked == [chart]
        chart.references = REFERENCE_LINES[:1]
        assert any("nanoGPT char 1.47" in row for row in shown(chart))


async def test_in_ascii_letters_stand_for_colours():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE) as pilot:
        pilot.app._filters.append(AsciiFilter())
        chart.show([("one", course()), ("two", course(level=1.2))])
        rows = shown(chart)
        assert all(row.isascii() for row in rows if "(" not in row)
        assert "a one" in rows[0]


async def test_a_foreign_name_is_plain_text():
    chart = RunChart()
    async with Host(chart).run_test(size=SIZE):
        chart.show([("[red]one\x1b[2J", course())])
        assert Content.from_markup(str(chart.border_subtitle)).plain == "[red]one�[2J"
        chart.show([("[red]one\x1b[2J", course()), ("[b]", course())])
        assert "[red]one�[2J" in shown(chart)[0]


async def test_a_new_reading_paints_what_it_changes_and_leaves_the_same_picture():
    chart, history = RunChart(), course()
    async with Host(chart).run_test(size=SIZE) as pilot:
        chart.show([("one", history)])
        await pilot.pause()
        for step in range(201, 260):
            history.extend([(step, step * 10, step / 2, 1.4, 5e-4, 0.5, 2e4, 0.1, 1e6)])
            chart.show([("one", history)])
            await pilot.pause()
        painted = screen_text(pilot.app)
        chart.refresh()
        await pilot.pause()
        assert screen_text(pilot.app) == painted
        assert "train 1.4" in painted
