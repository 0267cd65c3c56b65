import random
import unicodedata
from contextlib import asynccontextmanager

import pytest
from minigpt_tui.data.storage.printable import visible
from minigpt_tui.tui.text.document_text import ColouredToken, TextSpan
from minigpt_tui.tui.widgets.document_pane import DocumentPane
from rich.style import Style
from textual import events
from textual._xterm_parser import XTermParser
from textual.pilot import Pilot

from ..host import Host
from ..nasty_text import nasty_text
from ..waiting import wait_until

POEM = "What, shall I know the night of thee, and stand upon the morrow's breath until it is gone?\nNo."


class PaneHost(Host):
    """Collects what the pane posts, and keeps the text as whoever listens to it would."""

    def __init__(self) -> None:
        self.pane = DocumentPane()
        super().__init__(self.pane)
        self.edits: list[tuple[int, int, str]] = []
        self.kept = ""
        self.cursors: list[tuple[int, ColouredToken | None]] = []
        self.below: list[int] = []

    def on_mount(self) -> None:
        self.pane.focus()

    def on_document_pane_edited(self, message: DocumentPane.Edited) -> None:
        self.edits.append((message.start, message.end, message.text))
        self.kept = self.kept[: message.start] + message.text + self.kept[message.end :]

    def on_document_view_cursor_moved(self, message: DocumentPane.CursorMoved) -> None:
        self.cursors.append((message.offset, message.token))

    def on_following_scroll_below(self, message: DocumentPane.Below) -> None:
        self.below.append(message.lines)


@asynccontextmanager
async def pane_with(text: str = "", width: int = 32, height: int = 8):
    """An app with nothing but the pane, which has the focus and this text."""
    app = PaneHost()
    async with app.run_test(size=(width, height)) as pilot:
        app.kept = text
        app.pane.load(text)
        await pilot.pause()
        yield app, app.pane, pilot


async def settle(pilot: Pilot, pane: DocumentPane) -> None:
    """Until all that was streamed is on the screen and the timer has stopped."""
    await wait_until(pilot, lambda: pane.is_settled)
    await pilot.pause()


def shown(pane: DocumentPane) -> list[str]:
    return [pane.render_line(y).text.rstrip() for y in range(pane.size.height)]


async def type_text(pilot: Pilot, text: str) -> None:
    await pilot.press(*("space" if character == " " else character for character in text))


async def test_what_is_typed_stands_where_the_cursor_is():
    async with pane_with() as (app, pane, pilot):
        await type_text(pilot, "to be")
        await pilot.press("enter")
        await type_text(pilot, "or [not]/")
        await pilot.press("home", "X", "ctrl+home", "Y", "delete", "ctrl+end", "backspace", "Z")
        assert pane.text == "Yo be\nXor [not]Z"
        await pilot.pause()
        assert app.kept == pane.text
        assert shown(pane)[:2] == ["▌ Yo be", "▌ Xor [not]Z"]


MOVES = [
    (("left",), 5),
    (("home",), 0),
    (("up",), 0),
    (("ctrl+left",), 5),
    (("ctrl+left", "ctrl+left"), 3),
    (("home", "right", "ctrl+right"), 2),
    (("home", "ctrl+right", "ctrl+right"), 5),
    (("ctrl+home", "end"), 6),
    (("ctrl+home", "pagedown"), 6),
    (("ctrl+home", "ctrl+end", "left", "left"), 4),
]


@pytest.mark.parametrize(
    ("keys", "offset"), MOVES, ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
async def test_keys_move_the_cursor(keys: tuple[str, ...], offset: int):
    async with pane_with("to be.") as (app, pane, pilot):
        await pilot.press(*keys)
        assert pane.cursor == offset
        await pilot.pause()
        assert app.cursors[-1] == (offset, None)


async def test_up_and_down_keep_their_column_over_shorter_rows_and_wide_glyphs():
    async with pane_with("abcdefgh\nx\n你好世界\n\nabcdefgh") as (_, pane, pilot):
        await pilot.press("ctrl+home", *["right"] * 5)
        columns = []
        for _ in range(5):
            columns.append(pane.text[pane.cursor : pane.cursor + 1])
            await pilot.press("down")
        assert columns == ["f", "\n", "世", "\n", "f"]
        assert pane.cursor == len(pane.text), "down from the last row leads to its end"
        await pilot.press("up", "up")
        assert pane.text[pane.cursor] == "世"


async def test_end_and_home_stay_in_a_soft_row():
    async with pane_with(POEM) as (_, pane, pilot):
        await pilot.press("ctrl+home", "end")
        assert pane.text[: pane.cursor] == "What, shall I know the night"
        await pilot.press("home")
        assert pane.cursor == 0
        await pilot.press("down", "end", "home")
        assert pane.text[pane.cursor :].startswith("of thee")


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (("backspace",), "to be or no"),
        (("ctrl+backspace",), "to be or "),
        (("alt+backspace", "alt+backspace"), "to be "),
        (("ctrl+home", "delete"), "o be or not"),
        (("ctrl+home", "ctrl+delete"), " be or not"),
        (("shift+left", "shift+left", "backspace"), "to be or n"),
        (("ctrl+shift+left", "delete"), "to be or "),
        (("shift+home", "x"), "x"),
        (("ctrl+a", "enter"), "\n"),
        (("ctrl+home", "backspace"), "to be or not"),
        (("delete",), "to be or not"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
async def test_keys_delete_and_replace(keys: tuple[str, ...], left: str):
    async with pane_with("to be or not") as (app, pane, pilot):
        await pilot.press(*keys)
        assert pane.text == left
        await pilot.pause()
        assert app.kept == left
        assert all(start < end or text for start, end, text in app.edits), "what changes nothing is no edit"


async def test_a_glyph_is_passed_and_deleted_as_one():
    async with pane_with("a👩\u200d💻e\u0301🇩🇪") as (_, pane, pilot):
        await pilot.press("ctrl+home", "right", "right")
        assert pane.cursor == 4
        await pilot.press("delete", "backspace")
        assert pane.text == "a🇩🇪"


async def test_all_that_is_no_control_can_be_typed():
    text = (
        "\xab\xa0oui\xa0\xbb quoi\u202f?\u3000\u6625 \u0645\u06cc\u200c\u0631 \U0001f468\u200d\U0001f469 "
        "so\xadft \u2028 \ufeff\u200e e\u0301"
    )
    async with pane_with() as (app, pane, pilot):
        for character in text:
            pane.post_message(events.Key(unicodedata.name(character, "unnamed").lower(), character))
        await wait_until(pilot, lambda: len(pane.text) >= len(text))
        assert pane.text == text
        pane.post_message(events.Key("alt+f", "f"))
        await pilot.pause()
        assert pane.text == text, "Alt and a letter is a key, not text"
        assert app.kept == text


@pytest.mark.parametrize("glyph", ["👩\u200d💻", "e\u0301", "❤\ufe0f", "क्षि", "🇩🇪"])
async def test_a_glyph_is_typed_piece_by_piece_before_others(glyph: str):
    async with pane_with("x\u0301y", 40, 3) as (app, pane, pilot):
        pane.cursor = 0
        for number, character in enumerate(glyph * 2):
            pane.post_message(events.Key(f"part{number}", character))
        await wait_until(pilot, lambda: len(pane.text) == 2 * len(glyph) + 3)
        assert pane.text == glyph * 2 + "x\u0301y"
        await pilot.pause()
        assert app.kept == pane.text
        assert any(style and style.reverse for _, style, _ in pane.render_line(0)), "the cursor is seen"


async def test_keys_that_come_at_once_act_in_their_order():
    async with pane_with() as (app, pane, pilot):
        for sent in ("ab\rcd", "\x1b[D\x1b[DX\x1b[H\x7fY", "\x1b[1;5F", " two words", "\x1b\x7f\x08Z\x1b[1;2H", "!"):
            for event in XTermParser().feed(sent):
                pane.post_message(event)
        await wait_until(pilot, lambda: "!" in pane.text)
        assert pane.text == "!"
        await pilot.pause()
        assert app.kept == "!"
        assert app.edits[-1] == (0, len("abYXcd two") + 1, "!")
        assert [text for *_, text in app.edits[:4]] == ["a", "b", "\n", "c"]


async def test_a_paste_keeps_its_lines_and_loses_its_controls():
    async with pane_with("ab") as (_, pane, pilot):
        await pilot.press("left")
        pane.post_message(events.Paste("one\r\ntwo\rthree\x1b[31m\tfour\n"))
        await wait_until(pilot, lambda: "four" in pane.text)
        assert pane.text == "aone\ntwo\nthree[31m\tfour\nb"


async def test_copy_cut_and_paste_are_exact():
    async with pane_with(POEM) as (app, pane, pilot):
        await pilot.press("ctrl+c")
        assert app.clipboard == ""
        await pilot.press("ctrl+a", "ctrl+c")
        assert app.clipboard == POEM
        await pilot.press("ctrl+end", "shift+home", "shift+delete")
        assert (app.clipboard, pane.text) == ("No.", POEM[:-3])
        await pilot.press("ctrl+v", "ctrl+v")
        assert pane.text == POEM + "No."


async def drag(pilot: Pilot, pane: DocumentPane, start: tuple[int, int], end: tuple[int, int]) -> None:
    await pilot.mouse_down(pane, offset=start)
    await pilot.hover(pane, offset=end)
    await pilot.mouse_up(pane, offset=end)
    await pilot.pause()


@pytest.mark.parametrize(
    ("start", "end", "selected"),
    [
        ((2, 0), (6, 0), "What"),
        ((8, 0), (4, 2), POEM[6:59]),
        ((4, 2), (8, 0), POEM[6:59]),  # upwards
        ((0, 1), (20, 3), POEM[29:90]),  # from the margin into the empty cells behind a row
        ((2, 0), (20, 7), POEM),  # into the empty pane below
    ],
)
async def test_the_mouse_selects_text_as_it_was_written(start, end, selected):
    async with pane_with(POEM) as (app, pane, pilot):
        assert shown(pane)[:5] == [
            "▌ What, shall I know the night",
            "▌ of thee, and stand upon the",
            "▌ morrow's breath until it is",
            "▌ gone?",
            "▌ No.",
        ]
        await drag(pilot, pane, start, end)
        assert pane.selected_text == selected
        await pilot.press("ctrl+c")
        assert app.clipboard == selected


async def test_a_click_puts_the_cursor_and_two_select_a_word():
    async with pane_with(POEM) as (_, pane, pilot):
        await pilot.click(pane, offset=(8, 0))
        assert (pane.cursor, pane.selected_text) == (6, "")
        await pilot.click(pane, offset=(11, 1), times=2)
        assert pane.selected_text == "and"
        await pilot.click(pane, offset=(3, 4), times=3)
        assert pane.selected_text == "No."


# --- a text that streams in -------------------------------------------------------------------------


async def test_what_streams_in_is_the_models_and_the_view_follows_it():
    async with pane_with("You: ") as (app, pane, pilot):
        for number in range(100):
            pane.stream(f"line {number}\n")
        assert pane.text.endswith("line 99\n")
        await settle(pilot, pane)
        assert shown(pane)[-2:] == ["  line 99", ""]
        assert pane.cursor == len(pane.text), "the cursor that stood at the end stays there"
        assert app.edits == []
        await pilot.press("ctrl+home")
        assert shown(pane)[0] == "▌ You: line 0"


async def test_typing_elsewhere_while_text_streams_in_disturbs_neither():
    async with pane_with("\n".join(f"line {number}" for number in range(30))) as (_, pane, pilot):
        await pilot.press("ctrl+home")
        expected = pane.text
        for number in range(30):
            pane.stream(f" {number}")
            await pilot.press("x")
            if number % 10 == 0:
                await settle(pilot, pane)
        await settle(pilot, pane)
        assert pane.text == "x" * 30 + expected + "".join(f" {number}" for number in range(30))
        assert pane.cursor == 30
        assert shown(pane)[0] == "▌ " + "x" * 28, "a word longer than the row"
        authors = [span.value for span in pane.document.authors.between(0, len(pane.text))]
        assert authors == ["person", "model"]


@pytest.mark.parametrize("key", ["up", "left", "pageup", "ctrl+home", "shift+left"])
async def test_the_view_stays_where_somebody_reads_or_writes(key: str):
    async with pane_with("\n".join(f"line {number}" for number in range(30))) as (app, pane, pilot):
        await pilot.press(key)
        before, offset, selected = shown(pane), pane.scroll_offset, pane.selected_text
        for number in range(50):
            pane.stream(f"\nnew {number}")
        await settle(pilot, pane)
        assert pane.scroll_offset == offset
        assert shown(pane)[:-1] == before[:-1]
        assert shown(pane)[-1].endswith(f"↓ {app.below[-1]} new lines (Ctrl+End)")
        assert app.below[-1] >= 50
        assert pane.selected_text == selected
        await pilot.press("ctrl+end")
        await pilot.pause()
        assert shown(pane)[-1] == "  new 49"
        assert app.below[-1] == 0
        pane.stream("\nlast")
        await settle(pilot, pane)
        assert shown(pane)[-1] == "  last", "it follows again"


async def test_a_click_on_the_badge_goes_to_the_end():
    async with pane_with("line\n" * 30) as (_, pane, pilot):
        await pilot.press("ctrl+home")
        pane.stream("a\nb")
        await settle(pilot, pane)
        await pilot.click(pane, offset=(29, 7))
        await pilot.pause()
        assert shown(pane)[-1] == "  b"
        assert pane.cursor == len(pane.text)


async def test_nothing_runs_when_idle_and_a_token_repaints_few_rows():
    async with pane_with("line\n" * 3) as (_, pane, pilot):
        assert pane.is_settled
        painted: list[int] = []
        render_line = pane.render_line
        pane.render_line = lambda y: painted.append(y) or render_line(y)
        pane.stream("and")
        await settle(pilot, pane)
        assert set(painted) <= set(range(1, 8))
        painted.clear()
        await pilot.press("ctrl+home")
        await pilot.pause()
        assert set(painted) <= {0, 3}


async def test_a_letter_in_the_middle_repaints_the_rows_that_it_changes():
    async with pane_with("line one is long\n" * 30, 40, 20) as (_, pane, pilot):
        await pilot.press("pageup", *["up"] * 5, "home")
        painted: list[int] = []
        render_line = pane.render_line
        pane.render_line = lambda y: painted.append(y) or render_line(y)
        await pilot.press("x")
        await pilot.pause()
        assert 1 <= len(set(painted)) <= 4


async def test_text_streamed_before_there_is_a_screen_is_shown():
    app = PaneHost()
    app.pane.stream("early")
    async with app.run_test(size=(30, 5)) as pilot:
        await settle(pilot, app.pane)
        assert shown(app.pane)[0] == "  early"


# --- another text, another size -----------------------------------------------------------------------


async def test_another_state_of_the_text_changes_only_what_differs():
    async with pane_with("one two three") as (app, pane, pilot):
        pane.set_probabilities([ColouredToken(0, 3, 0.5), ColouredToken(3, 7, 0.25), ColouredToken(7, 13, 0.75)])
        pane.load("one 2 three", [TextSpan(4, 5, "model")])
        assert (pane.text, pane.cursor) == ("one 2 three", 5)
        assert [pane.token_at(offset) for offset in (1, 4, 6)] == [(0, 3, 0.5), None, (5, 11, 0.75)]
        pane.set_probabilities([ColouredToken(0, 3, float("nan")), ColouredToken(3, 900, 0.5)])
        assert [pane.token_at(offset) for offset in (1, 4)] == [None, (3, 11, 0.5)]
        pane.load("one 2 three", [TextSpan(0, 11, "model")], cursor=1)
        assert pane.cursor == 1
        await pilot.pause()
        assert shown(pane)[0] == "  one 2 three"
        pane.load("")
        await pilot.pause()
        assert (pane.text, pane.cursor, shown(pane)[0]) == ("", 0, "")
        assert app.edits == []


async def test_a_new_width_wraps_again_and_keeps_the_place():
    words = " ".join(str(number) for number in range(1000))
    async with pane_with(words, 60, 12) as (_, pane, pilot):
        for _ in range(5):
            await pilot.press("pageup")
        first, cursor = shown(pane)[0].split()[1], pane.cursor
        for width in (47, 33, 41, 60):
            await pilot.resize_terminal(width, 12)
            await wait_until(pilot, lambda width=width: pane.size.width == width)
            await pilot.pause()
            assert first in shown(pane)[0].split()
            assert all(len(row) < width for row in shown(pane))
        assert shown(pane)[0].split()[1] == first
        assert (pane.text, pane.cursor) == (words, cursor)


async def test_an_edit_far_above_does_not_move_what_is_read():
    rng = random.Random(4)
    text = "".join(rng.choice("你好世界a") for _ in range(20_000)) + "\nhere it is\n" + "line\n" * 50
    async with pane_with(text, 40, 8) as (_, pane, pilot):
        pane.cursor = text.index("here")
        await settle(pilot, pane)
        seen = [row for row in shown(pane) if "here" in row]
        pane.load("x" * 7 + text, cursor=text.index("here") + 7)
        assert not pane.is_settled, "it goes on in the time that is left"
        await settle(pilot, pane)
        assert [row for row in shown(pane) if "here" in row] == seen
        assert pane.document.rows.is_settled


@pytest.mark.parametrize("size", [(20, 12), (60, 5), (23, 4)], ids=str)
async def test_the_cursor_stays_in_view_in_a_window_that_becomes_smaller(size: tuple[int, int]):
    async with pane_with(" ".join(str(number) for number in range(300)), 60, 12) as (_, pane, pilot):
        await pilot.press("ctrl+home", *["down"] * 9)
        await pilot.resize_terminal(*size)
        await wait_until(pilot, lambda: pane.size.height == size[1])
        await pilot.pause()
        row = pane.document.rows.row_of(pane.cursor)
        assert 0 <= row - pane.scroll_offset.y < size[1]


async def test_the_mouse_finds_its_place_inside_a_frame():
    async with pane_with(POEM, 34, 10) as (_, pane, pilot):
        pane.styles.border = ("round", "red")
        pane.styles.padding = (0, 1)
        await pilot.pause()
        await pilot.click(pane, offset=(2 + 2 + 6, 1))
        assert pane.cursor == 6
        await pilot.click(pane, offset=(2 + 2 + 3, 2), times=2)
        assert pane.selected_text == "night"


async def test_the_rows_that_an_edit_takes_away_leave_no_empty_view():
    async with pane_with("line\n" * 50) as (_, pane, pilot):
        await pilot.press("ctrl+shift+home", "delete")
        await pilot.pause()
        assert pane.text == ""
        assert shown(pane) == [""] * 8
        await pilot.press("a")
        assert shown(pane)[0] == "▌ a"


async def test_an_empty_document_says_what_could_be_done():
    async with pane_with() as (_, pane, pilot):
        pane.placeholder = "write [how] it begins"
        await pilot.pause()
        assert shown(pane)[0] == "  write [how] it begins"
        await pilot.press("a")
        assert shown(pane)[0] == "▌ a"
        pane.placeholder = "write how it begins, " * 3
        await pilot.press("backspace")
        assert [row for row in shown(pane) if row][1:]
        assert " ".join("".join(shown(pane)).split()) == " ".join(pane.placeholder.split())


# --- colours and marks --------------------------------------------------------------------------------


def pieces(pane: DocumentPane, y: int) -> list[tuple[str, Style]]:
    """The segments of a row behind its margin, with their styles."""
    return [(text, style) for text, style, _ in list(pane.render_line(y))[1:] if text.strip() and style]


async def test_authors_are_told_by_colour_and_by_the_margin():
    async with pane_with() as (_, pane, pilot):
        pane.load("mine\nyours\nmine yours", [TextSpan(5, 11, "model"), TextSpan(15, 21, "model")], cursor=0)
        await pilot.pause()
        assert [row[:1] for row in shown(pane)[:3]] == ["▌", " ", "▌"]
        (_, person), (_, model) = pieces(pane, 2)
        assert person.color != model.color
        assert pieces(pane, 1)[0][1].color == model.color


async def test_without_colour_the_persons_words_are_bold_and_have_their_margin(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with pane_with() as (_, pane, pilot):
        pane.load("mine yours", [TextSpan(4, 10, "model")], cursor=10)
        await pilot.pause()
        (_, person), (_, model) = pieces(pane, 0)[:2]
        assert (person.bold, bool(model.bold)) == (True, False)
        assert shown(pane)[0].startswith("▌")


async def test_tokens_are_coloured_and_the_one_under_the_cursor_is_told():
    async with pane_with("") as (app, pane, pilot):
        pane.stream(
            "so far\n", "model", [ColouredToken(0, 2, 0.9), ColouredToken(2, 6, 0.01), ColouredToken(6, 7, 0.5)]
        )
        await settle(pilot, pane)
        assert [text for text, _ in pieces(pane, 0)] == ["so far"]
        pane.coloured = True
        await pilot.press("ctrl+home", *["right"] * 3)
        await pilot.pause()
        assert app.cursors[-1] == (3, (2, 6, 0.01))
        texts = [text for text, _ in pieces(pane, 0)]
        assert texts == ["so", "f", "ar", "↵"], "a line break of a token is seen"
        styles = dict(pieces(pane, 0))
        assert len({styles[text].color for text in ("so", "ar", "↵")}) == 3
        assert [bool(styles[text].underline) for text in ("so", "ar", "↵")] == [False, True, False]
        await pilot.press("x")
        await pilot.pause()
        assert app.cursors[-1] == (4, None), "what an edit cuts is no token any more"


async def test_the_selection_and_the_hits_are_where_they_are():
    async with pane_with("the night, the day") as (_, pane, pilot):
        assert pane.find("THE") == 2
        await pilot.pause()
        assert [text for text, _ in pieces(pane, 0)] == ["the", " night, ", "the", " day"]
        assert pane.found == (1, 2)
        pane.next_found()
        assert (pane.cursor, pane.found) == (11, (2, 2))
        pane.next_found()
        assert (pane.cursor, pane.found) == (0, (1, 2))
        pane.previous_found()
        assert pane.cursor == 11
        pane.stream(" and th")
        pane.stream("e dark")
        await settle(pilot, pane)
        assert pane.found == (2, 3)
        assert pane.find("") == 0
        assert pieces(pane, 0)[0][0].startswith("the night")


# --- any text -----------------------------------------------------------------------------------------


async def go_through(count: int, seed: int) -> None:
    """Put random texts into the pane in every way, and look at every row."""
    rng = random.Random(seed)
    async with pane_with(width=40, height=12) as (app, pane, pilot):
        pane.coloured = True
        for number in range(count):
            text, place = nasty_text(rng), rng.randint(0, len(pane.text))
            match rng.randint(0, 4):
                case 0:
                    tokens = [ColouredToken(at, at + 2, rng.random()) for at in range(0, len(text) - 1, 2)]
                    pane.stream(text + "\ud800", "model", tokens)
                    pane.lay_out_queue()
                    app.kept += text + "\ufffd"
                case 1:
                    pane.cursor = place
                    pane.insert(text)
                case 2:
                    pane.cursor = place
                    pane.move_cursor(place + rng.randint(-50, 50), select=True)
                    pane.insert(text)
                case 3:
                    pane.cursor = place
                    pane.action_move(rng.choice(["up", "down", "row_end", "word_left", "page_up"]), rng.random() < 0.5)
                    pane.action_delete(rng.choice(["left", "right", "word_left", "word_right"]))
                    pane.insert(text)
                case _:
                    await pilot.pause()
                    app.kept = pane.text[:place] + text + pane.text[place + rng.randint(0, 50) :]
                    pane.load(app.kept, [TextSpan(place, place + len(text), "model")])
            if number % 8 == 0:
                pane.find(rng.choice(["a", "]", "\u0301", ""]))
                strips = [pane.render_line(y) for y in range(12)]
                assert {strip.cell_length for strip in strips} == {39}
                assert all(visible(strip.text) == strip.text for strip in strips), "nothing that a terminal obeys"
            if number % 50 == 0:
                await settle(pilot, pane)
                assert app.kept == pane.text
        await settle(pilot, pane)
        assert app.kept == pane.text
        for row in range(0, pane.row_count, 5):
            pane.scroll_to_row(row)
            assert {pane.render_line(y).cell_length for y in range(12)} == {39}


async def test_any_text_is_shown_edited_and_given_back():
    await go_through(200, 5)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
async def test_ten_thousand_texts_are_shown_edited_and_given_back(seed: int):
    await go_through(1000, 100 + seed)
