"""A text coloured by the probability of its tokens."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.widgets.heat_text import HeatText
from minigpt_tui.tui.widgets.probability_colours import probability_styles
from textual.app import App, ComposeResult

from ..nasty_text import nasty_text
from ..scripted_engine import EXPLAINED


def details(*texts: str, probability: float = 0.5):
    return [replace(EXPLAINED, text=text, probability=probability) for text in texts]


class HeatHost(App[None]):
    """A theme of our own is not needed: the colours fit any background."""

    def __init__(self, text: HeatText) -> None:
        super().__init__()
        self.text, self.chosen = text, list[int]()

    def compose(self) -> ComposeResult:
        yield self.text

    def on_heat_text_chosen(self, message: HeatText.Chosen) -> None:
        self.chosen.append(message.index)


def shown(text: HeatText) -> list[str]:
    return [text.render_line(y).text.rstrip() for y in range(text.size.height)]


async def test_tokens_stand_as_in_the_text_and_line_ends_are_seen():
    app = HeatHost(HeatText(details("to", " be,", "\n", "or\tnot [b]", "\x1b")))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert shown(app.text) == ["to be,↵", "or␉not [b]␛"]


async def test_the_keys_go_from_token_to_token_and_from_row_to_row():
    app = HeatHost(HeatText(details("one ", "two\n", "three ", "four\n", "five")))
    async with app.run_test(size=(40, 10)) as pilot:
        app.text.focus()
        await pilot.press("right", "down", "right", "right", "left", "home", "left", "end", "right", "up", "up", "up")
        await pilot.pause()
        assert app.chosen[0] == 0
        moves = [index for number, index in enumerate(app.chosen) if number == 0 or index != app.chosen[number - 1]]
        assert moves == [0, 1, 2, 3, 4, 3, 0, 4, 2, 0]


async def test_the_cursor_stays_in_view():
    app = HeatHost(HeatText(details(*(f"line {number}\n" for number in range(100)))))
    app.text.styles.max_height = 10
    async with app.run_test(size=(40, 10)) as pilot:
        app.text.focus()
        await pilot.press("pagedown", "pagedown", "down")
        await pilot.pause()
        assert f"line {app.text.cursor}↵" in shown(app.text)
        assert app.text.cursor > 10
        await pilot.press("end")
        await pilot.pause()
        assert "line 99↵" in shown(app.text)


@pytest.mark.parametrize("seed", range(5))
async def test_no_text_breaks_it_and_every_token_can_be_reached(seed: int):
    text = "".join(nasty_text(random.Random(seed)) for _ in range(10))
    tokens = details(*(text[start : start + 3] for start in range(0, len(text), 3)), "")
    app = HeatHost(HeatText(tokens))
    async with app.run_test(size=(30, 12)) as pilot:
        await pilot.pause()
        app.text.focus()
        for index in range(len(tokens)):
            assert app.text.cursor == index
            if index % 10 == 0:
                assert {app.text.render_line(y).cell_length for y in range(12)} == {app.text.size.width - 1}
            app.text.action_move(1)
        for key in ("home", "pagedown", "down", "up", "pageup", "end"):
            await pilot.press(key)
        assert app.text.cursor == len(tokens) - 1


async def test_another_text_begins_at_its_first_token_and_none_at_all_is_empty():
    app = HeatHost(HeatText(details("a", "b")))
    async with app.run_test(size=(40, 10)) as pilot:
        app.text.focus()
        await pilot.press("right")
        app.text.show(details("c"))
        await pilot.pause()
        assert app.text.cursor == 0
        assert shown(app.text) == ["c"]
        app.text.show([])
        await pilot.press("right", "down", "end", "pagedown")
        assert shown(app.text) in ([], [""])


async def test_the_less_likely_a_token_the_more_its_colour_stands_out(home):
    app = MinigptApp()
    async with app.run_test() as pilot:
        styles = probability_styles(app)
        text = HeatText([*details("a", probability=1.0), *details("b", probability=0.0)])
        await app.screen.mount(text)
        await pilot.pause()
        shown = [part.style.color for part in text.render_line(0) if part.style]
        assert shown[:2] == [styles[0].color, styles[-1].color]
