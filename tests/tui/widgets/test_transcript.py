import random

import pytest
from minigpt_tui.data.storage.printable import visible
from minigpt_tui.tui.text.token_probabilities import ColouredToken
from minigpt_tui.tui.widgets.transcript import SLICE, Transcript
from minigpt_tui.tui.widgets.transcript_painting import GUTTER
from rich.style import Style
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.selection import Selection

from ..host import Host
from ..nasty_text import nasty_text
from ..waiting import wait_until

REPLY = "What, shall I know the night of thee, and stand upon the morrow's breath until it is gone?\nNo."


class TranscriptHost(Host):
    """Collects what the transcript reports."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        super().__init__(self.transcript)
        self.below: list[int] = []
        self.tokens: list[tuple[int, ColouredToken]] = []

    def on_transcript_token_chosen(self, message: Transcript.TokenChosen) -> None:
        self.tokens.append((message.turn, message.token))

    def on_transcript_below(self, message: Transcript.Below) -> None:
        self.below.append(message.lines)


async def settle(pilot: Pilot, transcript: Transcript) -> None:
    """Until all that was queued is on the screen and the timer has stopped."""
    await wait_until(pilot, lambda: transcript.is_settled)
    await pilot.pause()


async def fill(pilot: Pilot, transcript: Transcript, lines: int = 100) -> None:
    transcript.begin_turn("model", "\n".join(f"line {number}" for number in range(lines)))
    await settle(pilot, transcript)


def shown(transcript: Transcript) -> list[str]:
    return [transcript.render_line(y).text.rstrip() for y in range(transcript.size.height)]


async def test_shows_turns_with_labels_status_and_a_cursor_while_it_streams():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        app.transcript.begin_turn("you", "ROMEO:")
        app.transcript.begin_turn("model", "What, ")
        app.transcript.append("then?")
        await settle(pilot, app.transcript)
        assert shown(app.transcript)[:4] == ["you   ROMEO:", "", "gpt   What, then?▌", ""]
        app.transcript.end_turn("2 tokens")
        app.transcript.begin_turn("note", "Stopped.")
        await settle(pilot, app.transcript)
        assert shown(app.transcript)[2:6] == ["gpt   What, then?", "      2 tokens", "", "·     Stopped."]


async def test_follows_at_the_bottom():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        await fill(pilot, app.transcript)
        assert shown(app.transcript)[-1] == "      line 99▌"
        app.transcript.append("\nnext")
        await settle(pilot, app.transcript)
        assert shown(app.transcript)[-1] == "      next▌"
        assert app.below == []


async def test_what_is_added_to_a_status_line_moves_nothing_that_somebody_reads():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        for turn in range(30):
            transcript.begin_turn("model", f"reply {turn}")
            transcript.end_turn("5 tokens")
        await settle(pilot, transcript)
        transcript.add_to_status(29, "longest quote 23 characters of a text")
        await settle(pilot, transcript)
        assert shown(transcript)[-2:] == ["      5 tokens · longest quote 23", "      characters of a text"]
        transcript.scroll_to_row(30)
        await settle(pilot, transcript)
        before = shown(transcript)
        transcript.add_to_status(2, "longest quote 23 characters of a text")
        transcript.add_to_status(28, "longest quote 23 characters of a text")
        await settle(pilot, transcript)
        assert shown(transcript) == before
        assert app.below in ([], [0])
        transcript.add_to_status(2, "")
        await settle(pilot, transcript)
        assert shown(transcript) == before


@pytest.mark.parametrize("key", ["up", "k", "pageup", "home", "g"])
async def test_does_not_move_while_somebody_reads_and_counts_what_is_new(key: str):
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        await fill(pilot, transcript)
        transcript.focus()
        await pilot.press(key)
        offset, before = transcript.scroll_offset, shown(transcript)
        for token in range(500):
            transcript.append(f" {token}")
        await settle(pilot, transcript)
        assert transcript.scroll_offset == offset
        new = len(transcript.turns.rows) - 100
        assert new > 50
        assert app.below[-1] == new
        assert shown(transcript)[:-1] == before[:-1]
        assert shown(transcript)[-1].endswith(f"↓ {new} new lines (End)")


@pytest.mark.parametrize("key", ["end", "G", "pagedown", "j"])
async def test_back_at_the_bottom_it_follows_again(key: str):
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        await fill(pilot, transcript)
        transcript.focus()
        await pilot.press("up")
        transcript.append("\na\nb")
        await settle(pilot, transcript)
        assert app.below[-1] == 2
        for _ in range(3 if key == "j" else 1):
            await pilot.press(key)
        await pilot.pause()
        assert app.below[-1] == 0
        assert shown(transcript)[-1] == "      b▌"
        transcript.append("\nc")
        await settle(pilot, transcript)
        assert shown(transcript)[-1] == "      c▌"


async def test_a_click_on_the_badge_goes_to_the_bottom():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        await fill(pilot, app.transcript)
        app.transcript.focus()
        await pilot.press("home")
        app.transcript.append("\nlast")
        await settle(pilot, app.transcript)
        assert "1 new line (End)" in shown(app.transcript)[-1]
        await pilot.click(app.transcript, offset=(30, 11))
        assert shown(app.transcript)[-1] == "      last▌"
        assert app.below == [1, 0]


async def test_a_new_width_wraps_again_and_keeps_the_reading_position():
    app = TranscriptHost()
    async with app.run_test(size=(60, 12)) as pilot:
        transcript = app.transcript
        words = " ".join(str(number) for number in range(1000))
        transcript.begin_turn("model", words)
        await settle(pilot, transcript)
        transcript.focus()
        for _ in range(5):
            await pilot.press("pageup")
        first_word = shown(transcript)[0].split()[0]
        for width in (47, 33, 41, 60):
            await pilot.resize_terminal(width, 12)
            await wait_until(pilot, lambda width=width: transcript.turns.width == width - GUTTER - 2)
            await pilot.pause()
            assert first_word in shown(transcript)[0].split()
            assert all(len(row) < width for row in shown(transcript))
        assert shown(transcript)[0].split()[0] == first_word
        assert transcript.plain_text() == words


async def test_a_new_size_keeps_following():
    app = TranscriptHost()
    async with app.run_test(size=(60, 12)) as pilot:
        await fill(pilot, app.transcript)
        for size in ((60, 8), (30, 8), (30, 20)):
            await pilot.resize_terminal(*size)
            await wait_until(pilot, lambda size=size: app.transcript.size.height == size[1])
            await pilot.pause()
            assert shown(app.transcript)[-1] == "      line 99▌"


async def drag(pilot: Pilot, transcript: Transcript, start: tuple[int, int], end: tuple[int, int]) -> None:
    await pilot.mouse_down(transcript, offset=start)
    await pilot.hover(transcript, offset=end)
    await pilot.mouse_up(transcript, offset=end)
    await pilot.pause()


@pytest.mark.parametrize(
    ("start", "end", "selected"),
    [
        ((GUTTER, 0), (GUTTER + 4, 0), "What,"),
        ((GUTTER + 6, 0), (GUTTER + 2, 2), REPLY[6:51]),
        ((GUTTER + 2, 2), (GUTTER + 6, 0), REPLY[6:51]),  # upwards
        ((2, 1), (30, 3), REPLY[23:90]),  # from the gutter into the empty cells behind a row
        ((30, 0), (GUTTER + 1, 4), REPLY[23:-1]),  # from behind a row into the next paragraph
        ((GUTTER, 0), (20, 9), REPLY),  # into the status line and the empty pane below
    ],
)
async def test_the_mouse_selects_text_as_it_was_generated(start, end, selected):
    app = TranscriptHost()
    async with app.run_test(size=(32, 12)) as pilot:
        app.transcript.begin_turn("model", REPLY)
        app.transcript.end_turn("20 tokens")
        await settle(pilot, app.transcript)
        assert shown(app.transcript)[:6] == [
            "gpt   What, shall I know the",
            "      night of thee, and stand",
            "      upon the morrow's breath",
            "      until it is gone?",
            "      No.",
            "      20 tokens",
        ]
        await drag(pilot, app.transcript, start, end)
        assert app.screen.get_selected_text() == selected
        await pilot.press("ctrl+c")
        assert app.clipboard == selected


async def test_a_selection_survives_what_is_appended_and_pauses_following():
    app = TranscriptHost()
    async with app.run_test(size=(32, 6)) as pilot:
        transcript = app.transcript
        await fill(pilot, transcript, 20)
        transcript.append("\n" + REPLY[:60])
        await settle(pilot, transcript)
        offset = transcript.scroll_offset
        await drag(pilot, transcript, (GUTTER + 2, 3), (GUTTER + 3, 5))
        selected = app.screen.get_selected_text()
        assert selected == REPLY[2:52]
        for token in range(200):
            transcript.append(f"{token} ")
        await settle(pilot, transcript)
        assert app.screen.get_selected_text() == selected
        assert transcript.scroll_offset == offset
        assert app.below[-1] > 10
        app.screen.clear_selection()
        transcript.append("end")
        await settle(pilot, transcript)
        assert shown(transcript)[-1].endswith("end▌")


async def test_the_selection_is_highlighted_where_it_is():
    app = TranscriptHost()
    async with app.run_test(size=(32, 12)) as pilot:
        app.transcript.begin_turn("model", REPLY)
        await settle(pilot, app.transcript)
        app.screen.selections = {app.transcript: Selection(Offset(6, 0), Offset(25, 0))}
        await pilot.pause()
        rows = [list(app.transcript.render_line(y)) for y in range(3)]
        plain = rows[2][0].style
        assert plain
        highlighted = [
            "".join(part.text for part in row if part.style and part.style.bgcolor != plain.bgcolor) for row in rows
        ]
        assert highlighted == ["shall I know the ", "ni", ""]


async def test_y_copies_the_last_reply_or_the_selection():
    app = TranscriptHost()
    async with app.run_test(size=(32, 12)) as pilot:
        transcript = app.transcript
        transcript.focus()
        await pilot.press("y")
        assert app.clipboard == ""
        transcript.begin_turn("you", "ROMEO:")
        transcript.begin_turn("model", REPLY)
        transcript.end_turn("20 tokens")
        transcript.begin_turn("note", "Stopped.")
        await pilot.press("y")
        assert app.clipboard == REPLY, "although it was still in the queue"
        await settle(pilot, transcript)
        app.screen.selections = {transcript: Selection(Offset(0, 1), Offset(4, 1))}
        await pilot.press("y")
        assert app.clipboard == REPLY[:4]


async def show_any_text(count: int, seed: int) -> None:
    """Stream random texts, coloured by random tokens, and look at every seventh row, also while they are searched."""
    app = TranscriptHost()
    rng = random.Random(seed)
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        texts = [nasty_text(rng) for _ in range(count)]
        transcript.begin_turn("model")
        for number, text in enumerate(texts):
            transcript.append(text + "\n", [ColouredToken(at, at + 3, rng.random()) for at in range(0, len(text), 3)])
            if number % 400 == 0:
                await settle(pilot, transcript)
        assert transcript.plain_text() == "\n".join(texts) + "\n"
        app.screen.selections = {transcript: Selection(Offset(3, 5), Offset(2, count - 10))}
        for row in range(0, len(transcript.turns.rows), 7):
            transcript.coloured = rng.random() < 0.5
            if row % 10 == 0:
                transcript.find(rng.choice(["", "a", "[", "\u0301"]))
            transcript.scroll_to(y=row, animate=False)
            strips = [transcript.render_line(y) for y in range(transcript.size.height)]
            assert {strip.cell_length for strip in strips} == {39}
            assert all(visible(strip.text) == strip.text for strip in strips), "nothing that a terminal obeys"
        await pilot.pause()


async def test_any_text_is_shown_and_given_back():
    await show_any_text(1000, 11)


@pytest.mark.long
async def test_ten_thousand_texts_are_shown_and_given_back():
    await show_any_text(10_000, 12)


async def test_half_a_surrogate_pair_becomes_a_replacement_character():
    app = TranscriptHost()
    async with app.run_test() as pilot:
        app.transcript.begin_turn("model", "a\ud800b😀")
        await settle(pilot, app.transcript)
        assert app.transcript.copy_replies() == ["a\ufffdb😀"]


async def test_append_only_queues_and_a_flush_is_bounded():
    clock = iter(0.003 * tick for tick in range(10**6))
    transcript = Transcript(clock=lambda: next(clock))
    async with Host(transcript).run_test(size=(100, 30)) as pilot:
        text = "The long road goes ever on and on down from the door where it began. " * 15_000
        transcript.begin_turn("model", text)
        turns = transcript.turns
        assert turns.rows == []
        flushes = 0
        while turns.wrapped_characters < len(text):
            before = turns.wrapped_characters
            transcript.flush()
            flushes += 1
            assert turns.wrapped_characters - before <= 3 * (2 * SLICE + 100)
        assert flushes > 30
        assert turns.wrapped_characters < 1.1 * len(text)
        await settle(pilot, transcript)
        assert transcript.plain_text() == text


async def test_a_token_repaints_one_row_and_nothing_runs_when_idle():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        await fill(pilot, transcript)
        painted: list[int] = []
        render_line = transcript.render_line
        transcript.render_line = lambda y: painted.append(y) or render_line(y)
        transcript.append(" and")
        await settle(pilot, transcript)
        assert painted == [11]
        transcript.focus()
        await pilot.press("pageup")
        await pilot.pause()
        painted.clear()
        transcript.append("\nrow\nrow")
        await settle(pilot, transcript)
        assert set(painted) == {11}, "only the badge"


async def test_text_queued_before_there_is_a_screen_is_shown():
    app = TranscriptHost()
    app.transcript.begin_turn("model", "early")
    async with app.run_test() as pilot:
        await settle(pilot, app.transcript)
        assert shown(app.transcript)[0] == "gpt   early▌"


async def test_text_that_streams_into_a_hidden_pane_is_there_when_it_is_shown():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        await fill(pilot, transcript)
        transcript.display = False
        await pilot.pause()
        transcript.append("\nhidden" * 20)
        await settle(pilot, transcript)
        transcript.display = True
        await wait_until(pilot, lambda: transcript.size.height == 12)
        assert shown(transcript)[-1] == "      hidden▌"
        assert app.below == []


async def test_clear_begins_anew():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        await fill(pilot, transcript)
        transcript.focus()
        await pilot.press("pageup")
        transcript.append("\nnew" * 5)
        await settle(pilot, transcript)
        transcript.clear()
        await pilot.pause()
        assert transcript.plain_text() == ""
        assert app.below[-1] == 0
        assert not any(shown(transcript))
        await fill(pilot, transcript)
        assert shown(transcript)[-1] == "      line 99▌"


async def test_welcome_is_shown_until_there_is_a_conversation():
    app = TranscriptHost()
    async with app.run_test(size=(50, 14)) as pilot:
        transcript = app.transcript
        transcript.set_welcome(
            ["No model [yet].", "", "Enter    train a first model on the corpus built in", "F1       help"]
        )
        await pilot.pause()
        rows = [row.strip() for row in shown(transcript) if row.strip()]
        assert rows == ["No model [yet].", "Enter    train a first model on the corpus", "built in", "F1       help"]
        column = {row.index(word) for row in shown(transcript) for word in ("train", "built", "help") if word in row}
        assert len(column) == 1, "what the keys do is one column"
        transcript.begin_turn("you", "hello")
        await settle(pilot, transcript)
        assert shown(transcript)[0] == "you   hello"
        assert not any("model" in row for row in shown(transcript))
        transcript.clear()
        transcript.set_welcome(None)
        assert not any(shown(transcript))


async def test_shown_without_colour(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = TranscriptHost()
    async with app.run_test() as pilot:
        app.transcript.begin_turn("model", REPLY)
        await settle(pilot, app.transcript)
        assert app.no_color
        label = next(iter(app.transcript.render_line(0)))
        assert label.text.strip() == "gpt"
        assert label.style
        assert label.style.bold, "the label stands out by more than its colour"


def words(transcript: Transcript, y: int) -> list[tuple[str, Style]]:
    """The segments of a row behind its label, with their styles."""
    return [(text, style) for text, style, _ in list(transcript.render_line(y))[1:] if text.strip() and style]


async def test_replies_and_prompts_are_coloured_by_the_probability_of_their_tokens():
    app = TranscriptHost()
    async with app.run_test(size=(40, 12)) as pilot:
        transcript = app.transcript
        you = transcript.begin_turn("you", "ROMEO:")
        transcript.end_turn()
        model = transcript.begin_turn("model", heading="sample 1 of 1")
        transcript.append("so", [ColouredToken(0, 2, 0.9)])
        transcript.append(" far\nand", [ColouredToken(0, 5, 0.01), ColouredToken(5, 8, 0.3)])
        transcript.append(" on")
        transcript.end_turn("4 tokens")
        await settle(pilot, transcript)
        plain = words(transcript, 3)
        assert [text for text, _ in plain] == ["so far"]
        transcript.coloured = True
        await pilot.pause()
        assert [text for text, _ in words(transcript, 3)] == ["so", " far", "↵"]
        assert [text for text, _ in words(transcript, 4)] == ["and", " on"]
        styles = [style.color for y in (3, 4) for _, style in words(transcript, y)]
        assert len(set(styles)) == 4
        assert styles[1] == styles[2], "a line break belongs to its token"
        assert styles[-1] == plain[0][1].color, "what no probability is known of looks as before"
        transcript.set_probabilities(you, [ColouredToken(0, 3, 0.1), ColouredToken(3, 6, 0.8)])
        await pilot.pause()
        assert [text for text, _ in words(transcript, 0)] == ["ROM", "EO:"]
        transcript.set_probabilities(model, [ColouredToken(0, 13, 0.5)])
        assert [text for text, _ in words(transcript, 3)] == ["so far", "↵"]
        transcript.coloured = False
        await pilot.pause()
        assert [text for text, _ in words(transcript, 3)] == ["so far"]
        assert transcript.plain_text() == "ROMEO:\n\nso far\nand on"


async def test_a_token_is_chosen_by_key_and_by_mouse():
    app = TranscriptHost()
    async with app.run_test(size=(40, 8)) as pilot:
        transcript = app.transcript
        transcript.begin_turn("you", "ROMEO:\n" * 30)
        turn = transcript.begin_turn("model")
        for number in range(60):
            transcript.append(f"word {number}\n", [ColouredToken(0, 5, 0.9), ColouredToken(5, 8, 0.1)])
        await settle(pilot, transcript)
        transcript.focus()
        await pilot.press("left")
        assert app.tokens == [], "where nothing is coloured there is nothing to choose"
        transcript.coloured = True
        await pilot.press("left", "left", "right")
        await pilot.pause()
        assert [number for number, _ in app.tokens] == [turn] * 3
        texts = [transcript.plain_text()[212:][token.start : token.end] for _, token in app.tokens]
        assert texts == ["59\n", "word ", "59\n"]
        await pilot.press(*["left"] * 40)
        await pilot.pause()
        last = app.tokens[-1][1]
        assert transcript.plain_text()[212:][last.start : last.end] == "39\n"
        y = next(y for y in range(8) if "word 39" in shown(transcript)[y])
        assert [bool(style.underline) for _, style in words(transcript, y)] == [False, True, True]
        transcript.append("more\n" * 20)
        await settle(pilot, transcript)
        assert "word 39" in shown(transcript)[y], "nothing moves while a token is chosen"
        await pilot.click(transcript, offset=(GUTTER + 2, y))
        assert app.tokens[-1][1].end == last.start
        transcript.clear()
        await pilot.press("left", "right")
        assert not any(shown(transcript))


async def test_a_place_that_is_asked_for_comes_into_view_and_stays_there():
    app = TranscriptHost()
    async with app.run_test(size=(40, 8)) as pilot:
        transcript = app.transcript
        transcript.begin_turn("you", "line\n" * 30)
        turn = transcript.begin_turn("model", "here it is\n" + "reply\n" * 30, heading="sample 1 of 2")
        transcript.show_place(turn, 0)
        transcript.append("more\n" * 9)
        await settle(pilot, transcript)
        assert any("here it is" in row for row in shown(transcript))
        transcript.show_place(0, 0)
        await pilot.pause()
        assert shown(transcript)[0] == "you   line"
