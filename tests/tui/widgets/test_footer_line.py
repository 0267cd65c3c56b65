import pytest
from minigpt_tui.tui.widgets.footer_line import FooterLine, Key, fitted
from textual.app import App, ComposeResult
from textual.binding import Binding

from ..seen import screen_text

KEYS = [Key("ctrl+t", "^t", "new run", ""), Key("ctrl+o", "^o", "open", ""), Key("x", "x", "漢字", "")]
HELP = [Key("f1", "f1", "help", "")]


def line(places: list[tuple[int, Key]]) -> str:
    cells = ""
    for start, key in places:
        cells += " " * (start - len(cells)) + key.content.plain
    return cells


def test_all_keys_stand_side_by_side_and_the_pinned_one_at_the_end():
    assert line(fitted(KEYS[:2], HELP, 40)) == "^t new run  ^o open" + " " * 14 + "f1 help"


def test_they_move_together_before_one_is_left_out():
    assert line(fitted(KEYS[:2], HELP, 27)) == "^t new run ^o open  f1 help"
    assert line(fitted(KEYS[:2], HELP, 26)) == "^t new run" + " " * 9 + "f1 help"


@pytest.mark.parametrize("width", range(60))
def test_no_key_is_cut_and_none_lies_over_another(width: int):
    end = 0
    for start, key in fitted(KEYS, HELP, width):
        assert start >= end
        end = start + key.content.cell_length + 1
    assert end - 1 <= width


class Keys(App[None]):
    BINDINGS = [
        Binding("f1", "help", "help", id="help"),
        Binding("f2,f3", "count", "count", tooltip="Counts one more."),
        Binding("f4", "later", "later"),
        Binding("f5", "never", "never"),
        Binding("f6", "hidden", "hidden", show=False),
    ]
    counted = 0

    def compose(self) -> ComposeResult:
        yield FooterLine()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return {"later": None, "never": False}.get(action, True)

    def action_count(self) -> None:
        self.counted += 1

    def action_later(self) -> None:
        self.counted += 100


async def test_it_shows_what_works_now_and_a_click_presses_the_key():
    app = Keys()
    async with app.run_test(size=(60, 5)) as pilot:
        await pilot.pause()
        shown = screen_text(app).splitlines()[-1]
        assert shown.split("  ")[0].strip() == "f2 count"
        assert "f4 later" in shown
        assert shown.rstrip().endswith("f1 help")
        assert "never" not in shown
        assert "hidden" not in shown
        await pilot.click(FooterLine, offset=(shown.index("count"), 0))
        await pilot.click(FooterLine, offset=(shown.index("later"), 0))  # it is dim: nothing would happen now
        await pilot.click(FooterLine, offset=(shown.index("f1") - 3, 0))
        await pilot.pause()
        assert app.counted == 1
        await pilot.hover(FooterLine, offset=(shown.index("count"), 0))
        assert app.query_one(FooterLine).tooltip == "Counts one more."
        await pilot.hover(offset=(5, 1))
        assert app.query_one(FooterLine).tooltip is None
