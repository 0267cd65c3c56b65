"""The colours of the turns in the transcript, with a scripted engine of one token a letter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from minigpt_tui.engine.requests import Cancel, Failed, Generate, Request, ScoreText
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.inside import InsideDesk
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from textual.pilot import Pilot

from .next_way import next_way
from .runs_on_disk import make_run
from .scripted_engine import LetterEngine, ScriptedEngine
from .seen import screen_text
from .waiting import wait_until


@pytest.fixture
def letters(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> type[LetterEngine]:
    class Letters(LetterEngine):
        processes = []
        words = ["once", "twice", "thrice", "never"]
        holds_scores = False  # True: a text is scored no further until that is cancelled

        def answer(self, request: Request) -> None:
            if isinstance(request, Cancel):
                self.say(Failed(request.id, "prompt", "it was cancelled"))
            elif not (isinstance(request, ScoreText) and self.holds_scores):
                super().answer(request)

    monkeypatch.setattr(generator, "GenerateProcess", Letters)
    make_run("a-01")
    return Letters


def app_of(pilot: Pilot[Any]) -> MinigptApp:
    assert isinstance(pilot.app, MinigptApp)
    return pilot.app


def way(pilot: Pilot[Any]) -> TurnsWay:
    desk = pilot.app.get_screen_stack("write")[0]
    assert isinstance(desk, WriteDesk)
    assert isinstance(desk.shown, TurnsWay)
    return desk.shown


def probabilities(pilot: Pilot[Any], turn: int) -> list[float]:
    """Those of the tokens of a turn."""
    turns = way(pilot).transcript.turns
    at, found = turns.turn_start(turn), list[float]()
    while (token := turns.probabilities.token_beside(at, 1)) and turns.turn_of(token.start)[0] == turn:
        found.append(token.probability)
        at = token.end
    return found


async def test_f7_colours_all_that_was_said_and_enter_on_a_token_explains_its_turn(letters: Any):
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        app = app_of(pilot)
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        for number, prompt in ((1, "ab"), (2, "cd")):
            await pilot.press(*prompt, "enter")
            await wait_until(pilot, lambda number=number: screen_text(app).count("tokens ·") == number)
        transcript = way(pilot).transcript
        first = next(turn for turn in range(9) if transcript.plain_text().split("\n\n")[turn] == "once")
        await pilot.press("f7")
        await wait_until(pilot, lambda: probabilities(pilot, first) == [0.25] * len("once"))  # scored afterwards
        await wait_until(pilot, lambda: probabilities(pilot, first - 1) == [0.25] * len("ab"))
        assert probabilities(pilot, first + 1) == [0.25] * len("cd"), "what the person wrote, too"
        assert probabilities(pilot, first + 2) == [0.25] * len("twice")
        scored = [request for request in letters.processes[0].asked(ScoreText) if isinstance(request, ScoreText)]
        asked = [(request.text, request.start, request.alternatives) for request in scored]
        assert asked == [("cdtwice", 2, 10), ("cd", 0, 0), ("abonce", 2, 0), ("ab", 0, 0)], "the last one first"
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: screen_text(app).count("tokens ·") == 3)
        assert probabilities(pilot, first + 4) == [0.5] * len("thrice"), "recorded"
        assert [r.explain for r in letters.processes[0].asked(Generate) if isinstance(r, Generate)] == [
            False, False, True,
        ]  # fmt: skip

        transcript.focus()
        for more, said in ((1, "ab"), (2, "abonce")):
            await pilot.press(*["right"] * more)
            await wait_until(pilot, lambda: "p 0.2500 · Enter says why" in screen_text(app))
            await pilot.press("enter")
            await wait_until(pilot, lambda: isinstance(app.screen, InsideDesk))
            assert "".join(token.text for token in way(pilot).conversation.explained[0]) == said, "up to the token"
            await pilot.press("escape")
            transcript.focus()
        await pilot.press("f7")
        await wait_until(pilot, lambda: isinstance(app.screen, InsideDesk))
        assert len(way(pilot).conversation.explained[0]) == len("thrice"), "the last one"

    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        app = app_of(pilot)
        await wait_until(pilot, lambda: app.bridge.generator.ready and bool(way(pilot).transcript.turns.rows))
        await wait_until(pilot, lambda: probabilities(pilot, first) == [0.25] * len("once"))
        assert probabilities(pilot, first + 4) == [0.5] * len("thrice"), "recorded, also after another start"


async def test_scores_are_kept_for_the_checkpoint_that_made_them(letters: Any, monkeypatch: pytest.MonkeyPatch):
    def scored() -> list[str]:
        return [r.text for r in letters.processes[-1].asked(ScoreText) if isinstance(r, ScoreText)]

    monkeypatch.setattr(letters, "checkpoint", "c0ffee")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app_of(pilot).bridge.generator.ready)
        await pilot.press("a", "b", "enter")
        await wait_until(pilot, lambda: "tokens ·" in screen_text(pilot.app))
        await pilot.press("f7")
        await wait_until(pilot, lambda: scored() == ["abonce", "ab"] and app_of(pilot).bridge.generator.ready)
        first = next(turn for turn in range(9) if probabilities(pilot, turn) == [0.25] * len("ab"))

    for checkpoint, likely in (("c0ffee", 0.5), ("facade", 0.5), ("facade", 0.75), ("c0ffee", 0.75)):
        monkeypatch.setattr(letters, "checkpoint", checkpoint)
        monkeypatch.setattr(letters, "scores", likely)
        async with MinigptApp().run_test(size=(120, 40)) as pilot:
            await wait_until(pilot, lambda: bool(way(pilot).transcript.turns.rows))
            await wait_until(pilot, lambda: app_of(pilot).bridge.generator.ready)
            kept = {("c0ffee", 0.5): 0.25, ("facade", 0.75): 0.5}.get((checkpoint, likely))
            said = kept or likely
            await wait_until(pilot, lambda said=said: probabilities(pilot, first) == [said] * len("ab"))
            await wait_until(pilot, lambda said=said: probabilities(pilot, first + 1) == [said] * len("once"))
            assert scored() == ([] if kept else ["abonce", "ab"])


async def test_a_newer_checkpoint_reads_the_turns_again(letters: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(letters, "checkpoint", "c0ffee")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        generator = app_of(pilot).bridge.generator
        await wait_until(pilot, lambda: generator.ready)
        await pilot.press("a", "b", "enter")
        await wait_until(pilot, lambda: "tokens ·" in screen_text(pilot.app))
        await pilot.press("f7")
        turns = range(way(pilot).transcript.plain_text().count("\n\n") + 1)
        said = lambda: [probabilities(pilot, turn) for turn in turns]  # noqa: E731
        await wait_until(pilot, lambda: said()[-2:] == [[0.25] * 2, [0.25] * 4])
        monkeypatch.setattr(letters, "scores", 0.125)
        assert generator.loaded is not None
        letters.processes[-1].say(replace(generator.loaded, step=300, checkpoint="facade"))
        await pilot.press("c", "enter")
        turns = range(len(turns) + 2)
        await wait_until(pilot, lambda: said()[-4:] == [[0.125] * 2, [0.125] * 4, [0.125], [0.5] * 5])


async def test_the_turns_of_a_chat_are_scored_as_the_template_frames_them(
    letters: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(letters, "chat", True)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        app = app_of(pilot)
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        for _ in ("document", "chat"):
            await next_way(pilot)
            await pilot.pause()
        for number, prompt in ((1, "ab"), (2, "cd")):
            await pilot.press(*prompt, "enter")
            await wait_until(pilot, lambda number=number: screen_text(app).count("tokens ·") == number)
        await pilot.press("f7")
        turns = range(way(pilot).transcript.plain_text().count("\n\n") + 1)
        coloured = lambda: [len(probabilities(pilot, turn)) for turn in turns]  # noqa: E731
        await wait_until(pilot, lambda: coloured()[-4:] == [len(said) for said in ("ab", "once", "cd", "twice")])
        scored = [request for request in letters.processes[0].asked(ScoreText) if isinstance(request, ScoreText)]
        assert [(turn.role, turn.text) for turn in scored[0].messages] == [
            ("user", "ab"), ("assistant", "once"), ("user", "cd"), ("assistant", "twice"),
        ]  # fmt: skip
        assert all(request.messages == scored[0].messages[: len(request.messages)] for request in scored)
        assert {(request.text, request.start) for request in scored} == {("", 0)}
        await pilot.press("f7")
        await wait_until(pilot, lambda: isinstance(app.screen, InsideDesk))
        assert "".join(token.text for token in way(pilot).conversation.explained[0]) == "twice"


@pytest.mark.parametrize("keys", [("b", "enter"), ("ctrl+k",)], ids=["a prompt", "retry"])
async def test_what_is_to_be_written_goes_before_the_colours(letters: Any, keys: tuple[str, ...]):
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        app = app_of(pilot)
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "tokens ·" in screen_text(app))
        letters.holds_scores = True
        await pilot.press("f7")
        await wait_until(pilot, lambda: way(pilot).conversation.colours.asking)
        letters.holds_scores = False
        await pilot.press(*keys)
        await wait_until(pilot, lambda: "twice" in screen_text(app))
        if keys == ("b", "enter"):
            await wait_until(pilot, lambda: sum(0.25 in probabilities(pilot, turn) for turn in range(5)) == 3)
            assert 0.25 not in probabilities(pilot, 4), "what was recorded is not scored"
        assert "cancelled" not in screen_text(app)
