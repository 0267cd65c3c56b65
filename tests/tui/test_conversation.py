"""The conversation: several replies to one prompt one below the other, notes, what waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import permutations
from typing import Any

import pytest
from minigpt_tui.engine.requests import Ended, Generate, Load, Loaded, Request, Tokens
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.replies import Replies
from minigpt_tui.tui.screens.inside import InsideDesk
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, load_settings, save_settings
from minigpt_tui.tui.widgets.heat_text import HeatText
from minigpt_tui.tui.widgets.transcript import Transcript
from textual.pilot import Pilot

from .host import Host
from .next_way import next_way
from .runs_on_disk import make_run
from .scripted_engine import EXPLAINED, ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until

Engine = type[ScriptedEngine]


def rows(transcript: Transcript) -> list[str]:
    transcript.plain_text()  # lays out what is queued
    return [row.text.rstrip() for row in transcript.turns.rows]


def replies_of(transcript: Transcript, count: int) -> Replies:
    return Replies(transcript, "a prompt", range(1, count + 1), 0, lambda node, turn: None)


async def test_one_reply_has_no_heading():
    transcript = Transcript()
    async with Host(transcript).run_test():
        replies = replies_of(transcript, 1)
        replies.add(0, "to be", ())
        replies.end(0, "5 tokens")
        assert rows(transcript) == ["to be", "5 tokens"]
        assert replies.complete


@pytest.mark.parametrize("order", permutations(range(3)))
async def test_in_whatever_order_they_end_they_stand_one_below_the_other(order: tuple[int, ...]):
    transcript = Transcript()
    async with Host(transcript).run_test():
        replies = replies_of(transcript, 3)
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
        replies = replies_of(transcript, 4)
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
    return "\n".join(rows(pilot.app.get_screen_stack("write")[0].query_one("#transcript", Transcript)))


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
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, InsideDesk))
        box = pilot.app.screen.query_one("#tokens-box")
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
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, InsideDesk))
        process = engine.processes[0]
        process.say(Tokens(process.requests[-1].id, " and on", 5, 1, (EXPLAINED,) * 5))
        await pilot.press("end", "right", "down")
        assert pilot.app.screen.query_one(HeatText).cursor == 4


@pytest.mark.long
async def test_the_inside_desk_says_where_no_tokens_came_of_a_sample(engine: Engine):
    make_run("play-01")
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, MinigptApp)
        await app.push_screen(InsideDesk(app.bridge, None, None, lambda: [[], [EXPLAINED]]))
        await wait_until(pilot, lambda: "rank 7" in screen_text(app))
        await pilot.press("n")
        await wait_until(pilot, lambda: "no tokens" in screen_text(app))


async def test_a_note_waits_until_nobody_is_interrupted_by_it(engine: Engine):
    engine.holds_replies = True
    make_run("play-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await talk(pilot, "a")
        await wait_until(pilot, lambda: "and so on" in text_of(pilot))
        process, conversation = engine.processes[0], pilot.app.screen.turns.conversation  # type: ignore[attr-defined]
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


# --- a chat ---------------------------------------------------------------------------------------


@pytest.fixture
def chatty(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine whose model has a chat template, and answers with the number of turns that it was given."""

    class Chatty(ScriptedEngine):
        processes = []

        def answer(self, request: Request) -> None:
            if isinstance(request, Load):
                self.say(Loaded(request.id, request.path, 0, 8, 62, 64, "cpu", "float32", 25, chat=True))
            elif isinstance(request, Generate):
                said = "".join(f"<{turn.role}>{turn.text}" for turn in request.messages)
                self.say(Tokens(request.id, f"answer {len(self.asked())}", 2))
                self.say(Ended(request.id, "stop", 2, 3, 0.01, 9.0, 0, 7, prompt_text=f"{said}[b]<assistant>"))

        def asked(self) -> list[list[str]]:
            return [[t.text for t in r.messages] for r in self.requests if isinstance(r, Generate)]

    monkeypatch.setattr(generator, "GenerateProcess", Chatty)
    make_run("play-01")
    return Chatty  # type: ignore[return-value]


@asynccontextmanager
async def chatting() -> AsyncIterator[tuple[Pilot[Any], TurnsWay]]:
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        desk = app.get_screen_stack("write")[0]
        assert isinstance(desk, WriteDesk)
        while desk.way != "chat":
            await next_way(pilot)
            await pilot.pause()
        way = desk.shown
        assert isinstance(way, TurnsWay)
        await wait_until(pilot, lambda: way.prompt.has_focus)
        yield pilot, way


async def test_a_chat_sends_all_turns_branches_where_one_is_edited_and_comes_back(chatty: Any):
    async with chatting() as (pilot, way):
        assert "─ chat ─" in screen_text(pilot.app)
        for number, word in enumerate(("one", "two"), 1):
            await pilot.press(*word, "enter")
            await wait_until(pilot, lambda number=number: f"answer {number}" in way.transcript.plain_text())
        asked = chatty.processes[0].asked
        assert asked() == [["one"], ["one", "answer 1", "two"]]
        await pilot.press("alt+t")
        await wait_until(pilot, lambda: "<user>one<assistant>answer 1<user>two[b]" in screen_text(pilot.app))
        await pilot.press("escape", "alt+e", "alt+e", "s", "enter")
        await wait_until(pilot, lambda: "answer 3" in way.transcript.plain_text())
        assert asked()[-1] == ["ones"]
        assert "two" not in way.transcript.plain_text(), "that is another branch"
        await pilot.press("ctrl+k")
        await wait_until(pilot, lambda: "sample 2 of 2" in screen_text(pilot.app))
        assert asked()[-1] == ["ones"]
        await pilot.press(*"more", "enter")
        await wait_until(pilot, lambda: "answer 5" in way.transcript.plain_text())
        assert asked()[-1] == ["ones", "answer 4", "more"]
        before = [word for word in way.transcript.plain_text().split() if "play" not in word]
    async with chatting() as (pilot, way):
        after = [word for word in way.transcript.plain_text().split() if "play" not in word]
        assert after[-8:] == before[-8:]
        await pilot.press(*"on", "enter")
        await wait_until(pilot, lambda: "answer 1" in way.transcript.plain_text().rsplit("on", 1)[1])
        assert chatty.processes[-1].asked()[-1] == ["ones", "answer 4", "more", "answer 5", "on"]


async def test_without_a_template_there_is_no_chat(engine: Engine):
    make_run("play-01")
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        titles = []
        for _ in range(3):
            await next_way(pilot)
            await pilot.pause()
            titles.append(app.get_screen_stack("write")[0].way)  # type: ignore[attr-defined]
        assert titles == ["document", "turns", "document"]
