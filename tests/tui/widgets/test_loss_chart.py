"""The widget of the loss chart."""

import pytest
from minigpt_tui.tui.charts.series import Series
from minigpt_tui.tui.line_filters import AsciiFilter
from minigpt_tui.tui.widgets.loss_chart import LossChart

from ..curves import falling, series
from ..host import Host

SIZE = (36, 12)


def shown(chart: LossChart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


async def test_says_so_while_there_is_no_run_and_before_its_first_step():
    chart = LossChart()
    async with Host(chart).run_test(size=SIZE):
        assert shown(chart)[6].strip() == "no run yet"
        chart.show(Series(), Series(), None)
        assert shown(chart)[6].strip() == "waiting for the first step"


async def test_draws_what_it_is_shown_and_repaints_only_for_something_new(monkeypatch):
    chart, train = LossChart(), falling()
    async with Host(chart).run_test(size=SIZE):
        repaints = []
        monkeypatch.setattr(chart, "refresh", lambda *args, **options: repaints.append(args) or chart)
        chart.show(train, Series(), 0.55)
        assert len(repaints) == 1
        assert "train 1.50" in shown(chart)[0]
        validation = Series()
        chart.show(train, validation, 0.55)
        chart.show(train, validation, 0.55)
        assert len(repaints) == 2
        train.append(300, 1.25)
        chart.show(train, validation, 0.55)
        assert len(repaints) == 3
        assert "train 1.25" in shown(chart)[0]


async def test_keys_change_scale_and_window():
    chart = LossChart()
    async with Host(chart).run_test(size=SIZE) as pilot:
        chart.show(falling(), Series(), None)
        chart.focus()
        await pilot.press("y")
        assert "log" in shown(chart)[0]
        await pilot.press("y", "plus", "plus")
        assert "last 1/4" in shown(chart)[0]
        assert "log" not in shown(chart)[0]
        await pilot.press("minus", "minus", "minus")
        assert "last" not in shown(chart)[0]


async def test_the_window_has_an_end_on_both_sides():
    chart = LossChart()
    async with Host(chart).run_test(size=SIZE):
        chart.show(falling(), Series(), None)
        for _ in range(20):
            chart.zoom_in()
        assert "last 1/64" in shown(chart)[0]
        for _ in range(20):
            chart.zoom_out()
        assert "last" not in shown(chart)[0]


async def test_follows_the_theme_and_can_be_maximized():
    chart = LossChart()
    async with Host(chart).run_test(size=SIZE) as pilot:
        chart.show(falling(), Series(), None)
        dark = [segment.style for segment in chart.render_line(0)]
        pilot.app.theme = "textual-light"
        await pilot.pause()
        assert [segment.style for segment in chart.render_line(0)] != dark
        assert pilot.app.screen.maximize(chart)


async def test_ascii_where_the_app_draws_nothing_else(monkeypatch: pytest.MonkeyPatch):
    chart = LossChart()
    host = Host(chart)
    filters = [*host.get_line_filters(), AsciiFilter()]
    monkeypatch.setattr(host, "get_line_filters", lambda: filters)
    async with host.run_test(size=SIZE):
        chart.show(falling(), series((100, 1.9), (200, 1.6)), 0.55)
        picture = "".join(shown(chart))
        assert picture.isascii()
        assert "*" in picture
