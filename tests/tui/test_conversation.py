"""The conversation: several replies to one prompt one below the other, notes, what waits."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from minigpt_tui.engine.requests import Generate, Tokens
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.conversation import Replies
from minigpt_tui.tui.screens.explained import ExplainedScreen
from minigpt_tui.tui.settings import Settings, load_settings, save_settings
from minigpt_tui.tui.widgets.heat_text import HeatText
from minigpt_tui.tui.widgets.transcript import Transcript
from textual.pilot import Pilot
from textual.widgets import Static

from .host import Host
from .runs_on_disk import make_run
from .scripted_engine import EXPLAINED, ScriptedEngine
from .seen import notices
from .waiting import wait_until

Engine = type[ScriptedEngine]


def rows(transcript: Transcript) -> list[str]:
    transcript.plain_text()  # lays out what is queued
    return [row.text.rstrip() for row in transcript.turns.rows]


async def test_one_reply_has_no_heading():
    transcript = Transcript()
    async with Host(transcript).run_test():
        replies = Replies(transcript, "a prompt", 1)
        replies.add(0, "to be", ())
        replies.end(0, "5 tokens")
        assert rows(transcript) == ["to be", "5 tokens"]
        assert replies.complete


@pytest.mark.parametrize("order", permutations(range(3)))
async def test_in_whatever_order_they_end_they_stand_one_below_the_other(order: tuple[int, ...]):
    transcript = Transcript()
    async with Host(transcript).run_test():
        replies = Replies(transcript, "a prompt", 3)
        before = rows(transcript)

        def look() -> None:
            """What stood there before stands there still, but for the last row, which grows."""
            nonlocal before
            now = rows(transcript)
            assert now[: len(before) - 1] == before[:-1]
            before = now

        for piece in ("one ", "two"):
            for sample in range(3):
                replies.add(sample, piece, (EXPLAINED,) * sample)
                look()
        for sample in order:
            assert not replies.complete
            replies.end(sample, f"end {sample}")
            look()
        assert replies.complete
        blocks = ([f"sample {sample + 1} of 3", "one two", f"end {sample}", ""] for sample in range(3))
        assert before == [row for block in blocks for row in block][:-1]
        assert [len(details) for details in replies.details] == [0, 2, 4]
        assert transcript.turns.last_replies() == ["one two"] * 3
        assert transcript.plain_text() == "\n\n".join(["one two"] * 3)


async def test_those_that_fail_keep_what_came_of_each():
    transcript = Transcript()
    async with Host(transcript).run_test():
        replies = Replies(transcript, "a prompt", 4)
        for sample, text in enumerate(("one", "two", "", "four")):
            replies.add(sample, text, ())
        replies.end(1, "2 tokens")
        replies.fail("the process ended")
        assert replies.complete
        shown = [row for row in rows(transcript) if row]
        assert shown == ["sample 1 of 4", "one", "sample 2 of 4", "two", "2 tokens", "sample 4 of 4", "four",
                         "the process ended"]  # fmt: skip
        assert transcript.copy_replies() == ["one", "two", "four"]


# --- in the app -----------------------------------------------------------------------------------


def text_of(pilot: Pilot[Any]) -> str:
    return "\n".join(rows(pilot.app.screen_stack[0].query_one("#transcript", Transcript)))


async def talk(pilot: Pilot[Any], *keys: str) -> None:
    app = pilot.app
    assert isinstance(app, MinigptApp)
    await wait_until(pilot, lambda: app.bridge.generator.ready)
    await pilot.press(*keys, "enter")


async def test_the_panel_says_how_many_and_they_are_kept_for_the_next_start(engine: Engine):
    make_run("play-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await talk(pilot, "a")
        await wait_until(pilot, lambda: "[b]a[/b]" in text_of(pilot))
        await pilot.press("f3", *["tab"] * 6, "up", "up", "f4")
        await talk(pilot, "b")
        await wait_until(pilot, lambda: "[b]b[/b] and so on 3" in text_of(pilot))
        for words in ("sample 1 of 3", "sample 3 of 3", "seed 8", "seed 9"):
            assert words in text_of(pilot)
        asked = [request.samples for request in engine.processes[0].requests if isinstance(request, Generate)]
        assert asked == [1, 3]
    assert load_settings()[0].samples == 3


async def test_copying_takes_all_samples_of_the_last_prompt_and_says_so(engine: Engine):
    save_settings(Settings(samples=3))
    make_run("play-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        for prompt in "ab":
            await talk(pilot, prompt)
            await wait_until(pilot, lambda prompt=prompt: f"[b]{prompt}[/b] and so on 3" in text_of(pilot))
        await pilot.press("ctrl+y")
        assert pilot.app.clipboard == "[b]b[/b] and so on\n\n[b]b[/b] and so on 2\n\n[b]b[/b] and so on 3"
        assert notices(pilot) == ["The last 3 samples are copied, an empty line between them."]


async def test_escape_stops_all_of_them_and_each_keeps_its_text(engine: Engine):
    engine.holds_replies = True
    save_settings(Settings(samples=3))
    make_run("play-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await talk(pilot, "a")
        await wait_until(pilot, lambda: "sample 1 of 3" in text_of(pilot))
        assert "sample 2" not in text_of(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: "and so on 3" in text_of(pilot))
        assert text_of(pilot).count("stopped") == 3
        assert "TOO LATE" not in text_of(pilot)


async def test_f7_turns_from_one_sample_to_the_next(engine: Engine):
    save_settings(Settings(samples=3, explain=True))
    make_run("play-01")
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await talk(pilot, "a")
        await wait_until(pilot, lambda: "sample 3 of 3" in text_of(pilot))
        await pilot.press("f7")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ExplainedScreen))
        box = pilot.app.screen.query_one("#explained")
        for key, title in (("", "3 of 3"), ("n", "1 of 3"), ("p", "3 of 3"), ("p", "2 of 3")):
            await pilot.press(*filter(None, [key]))
            await wait_until(pilot, lambda title=title: str(box.border_title).endswith(title))


async def test_f7_shows_what_a_reply_that_still_streams_had_when_it_was_pressed(engine: Engine):
    engine.holds_replies = True
    save_settings(Settings(samples=2, explain=True))
    make_run("play-01")
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await talk(pilot, "a")
        await wait_until(pilot, lambda: "and so on" in text_of(pilot))
        await pilot.press("f7")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ExplainedScreen))
        process = engine.processes[0]
        process.say(Tokens(process.requests[-1].id, " and on", 5, 1, (EXPLAINED,) * 5))
        await pilot.press("end", "right", "down")
        assert pilot.app.screen.query_one(HeatText).cursor == 4


async def test_f7_says_where_no_tokens_came_of_a_sample(engine: Engine):
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await pilot.app.push_screen(ExplainedScreen([[], [EXPLAINED]]))
        figures = pilot.app.screen.query_one("#explained-token", Static)
        await wait_until(pilot, lambda: "rank 7" in str(figures.content))
        await pilot.press("n")
        await wait_until(pilot, lambda: "no tokens" in str(figures.content))


async def test_a_note_waits_until_nobody_is_interrupted_by_it(engine: Engine):
    engine.holds_replies = True
    make_run("play-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await talk(pilot, "a")
        await wait_until(pilot, lambda: "and so on" in text_of(pilot))
        process, conversation = engine.processes[0], pilot.app.screen.conversation  # type: ignore[attr-defined]
        (request,) = [request for request in process.requests if isinstance(request, Generate)]
        conversation.note("The learning rate is halved.")
        process.say(Tokens(request.id, " and on", 1))
        process.end(request.id)
        await wait_until(pilot, lambda: "halved" in text_of(pilot))
        assert text_of(pilot).index("and so on and on") < text_of(pilot).index("halved")


async def test_what_comes_after_the_transcript_was_emptied_is_not_shown(engine: Engine):
    engine.holds_replies = True
    save_settings(Settings(samples=2))
    make_run("play-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await talk(pilot, "a")
        await wait_until(pilot, lambda: "and so on" in text_of(pilot))
        await pilot.press("ctrl+l")
        await wait_until(pilot, lambda: pilot.app.bridge.generator.ready)  # type: ignore[attr-defined]
        await pilot.pause()
        assert text_of(pilot) == ""


def test_samples_out_of_range_are_named(home):
    with pytest.raises(ValueError, match="samples must lie between 1 and 256, not 0"):
        Settings(samples=0)
