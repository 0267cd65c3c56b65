"""The generator with a scripted process: what a prompt's listener hears, and what is posted when a process dies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import (
    Ended,
    ExplainPlace,
    Failed,
    Generate,
    Load,
    Loaded,
    Place,
    SamplingSettings,
    Scored,
    ScoreProgress,
    ScoreText,
    Tokens,
)
from minigpt_tui.tui.generator import Generator
from minigpt_tui.tui.messages import ModelFailed, ModelLoading, ModelReady, Notice
from textual.message import Message

from .scripted_engine import ScriptedEngine

Engine = type[ScriptedEngine]


class Talk:
    """A generator, and what came of it."""

    def __init__(self) -> None:
        self.posted: list[Message] = []
        self.loaded: list[Loaded] = []
        self.heard: list[Tokens | Ended | Place | ScoreProgress | Scored | Failed] = []
        self.generator = Generator(self.posted.append, self.loaded.append)

    async def begin(self) -> None:
        """Have a model in memory."""
        self.generator.load(Path("a-model"), follow=False)
        await self.generator.start()
        await settled()

    def ask(self, prompt: str, samples: int = 1) -> None:
        """Have a prompt answered."""
        self.generator.generate(prompt, SamplingSettings(), self.heard.append, samples=samples)

    def text(self) -> str:
        """What was written."""
        return "".join(event.text for event in self.heard if isinstance(event, Tokens))

    def sentences(self, kind: type[ModelFailed | Notice]) -> list[str]:
        """What was posted."""
        return [message.sentence for message in self.posted if isinstance(message, kind)]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def talk(engine: Engine) -> Talk:
    talk = Talk()
    await talk.begin()
    return talk


async def test_a_model_asked_for_before_the_process_is_there_is_loaded_by_it(talk: Talk):
    assert [type(message) for message in talk.posted] == [ModelLoading, ModelReady]
    assert [loaded.step for loaded in talk.loaded] == [200]
    assert talk.generator.ready


async def test_a_reply_is_text_and_an_end(talk: Talk):
    talk.ask("to be")
    assert talk.generator.generating
    await settled()
    assert [type(event) for event in talk.heard] == [Tokens, Ended]
    assert talk.text() == "[b]to be[/b] and so on"
    assert talk.generator.ready


async def test_a_prompt_is_answered_when_each_of_its_samples_is(engine: Engine, talk: Talk):
    engine.holds_replies = True
    talk.ask("a", samples=2)
    await settled()
    process = engine.processes[0]
    (id,) = {event.id for event in talk.heard}
    process.end(id, 1)
    assert talk.generator.generating
    process.end(id, 0)
    assert talk.generator.ready
    assert [event.sample for event in talk.heard if isinstance(event, Ended)] == [1, 0]


async def test_a_failure_is_heard_once_for_all_samples(engine: Engine, talk: Talk):
    engine.holds_replies = True
    talk.ask("a", samples=2)
    await settled()
    engine.processes[0].say(Failed(talk.heard[0].id, "prompt", "no"))
    assert [event.message for event in talk.heard if isinstance(event, Failed)] == ["no"]
    assert talk.generator.ready


async def test_tokens_after_a_cancel_are_dropped(engine: Engine, talk: Talk):
    engine.holds_replies = True
    talk.ask("to be")
    await settled()
    talk.generator.cancel()
    talk.generator.cancel()
    await settled()
    assert "TOO LATE" not in talk.text()
    assert [event.reason for event in talk.heard if isinstance(event, Ended)] == ["cancelled"]


async def test_messages_about_other_ids_are_dropped(engine: Engine, talk: Talk):
    talk.posted.clear()
    engine.processes[0].say(Tokens(999, "ghost", 1))
    engine.processes[0].end(999)
    engine.processes[0].say(Failed(999, "checkpoint", "an old model was damaged"))
    assert not talk.posted
    assert not talk.heard


async def test_a_dead_process_fails_the_prompt_and_is_started_again(engine: Engine, talk: Talk):
    engine.holds_replies = True
    talk.ask("to be")
    await settled()
    engine.processes[0].die(-9, "the generate process ended by SIGKILL")
    await settled()
    assert ["before the reply was complete" in e.message for e in talk.heard if isinstance(e, Failed)] == [True]
    assert len(engine.processes) == 2
    assert talk.generator.ready
    assert "SIGKILL" in talk.sentences(Notice)[0]


async def test_a_process_that_keeps_dying_is_left_alone_until_a_model_is_opened(engine: Engine, talk: Talk):
    for number in range(3):
        engine.processes[number].die(1, "the generate process ended with code 1 (no module named torch)")
        await settled()
    assert len(engine.processes) == 3
    assert "no module named torch" in talk.sentences(ModelFailed)[0]
    assert not talk.generator.ready
    talk.generator.load(Path("another"), follow=False)
    await settled()
    assert talk.generator.ready


async def test_a_reply_can_go_on_from_tokens(engine: Engine, talk: Talk):
    assert talk.generator.generate("a", SamplingSettings(), talk.heard.append, then=(3, 7), alternatives=0)
    asked = engine.processes[0].requests[-1]
    assert isinstance(asked, Generate)
    assert (asked.prompt, asked.then, asked.alternatives) == ("a", (3, 7), 0)


async def test_places_are_explained_and_texts_are_scored(engine: Engine, talk: Talk):
    assert talk.generator.explain_place("a", (3,), SamplingSettings(top_k=2), talk.heard.append)
    assert talk.generator.generating
    await settled()
    assert talk.generator.score("all of it", talk.heard.append, alternatives=0)
    await settled()
    assert [type(event) for event in talk.heard] == [Place, ScoreProgress, Scored]
    assert talk.generator.ready
    place, score = engine.processes[0].requests[1:]
    assert place == ExplainPlace(place.id, "a", (3,), SamplingSettings(top_k=2))
    assert score == ScoreText(score.id, "all of it", True, False, 0)


async def test_what_is_asked_while_another_request_is_answered_is_not_taken(engine: Engine, talk: Talk):
    engine.holds_replies = True
    talk.ask("to be")
    late = []
    for _ in range(2):
        assert not talk.generator.generate("b", SamplingSettings(), late.append)
        assert not talk.generator.explain_place("b", (), SamplingSettings(), late.append)
        assert not talk.generator.score("b", late.append)
        await settled()
    assert engine.processes[0].prompts() == ["to be"]
    assert not late
    talk.generator.cancel()
    await settled()
    assert talk.generator.score("b", late.append)


async def test_without_a_model_nothing_is_taken(engine: Engine):
    talk = Talk()
    assert not talk.generator.generate("a", SamplingSettings(), talk.heard.append)
    await talk.begin()
    talk.generator.unload()
    assert not talk.generator.explain_place("a", (), SamplingSettings(), talk.heard.append)


async def test_a_scoring_that_is_cancelled_tells_its_end_once(engine: Engine, talk: Talk):
    engine.holds_replies = True
    talk.generator.score("all of it", talk.heard.append)
    talk.generator.cancel()
    talk.generator.cancel()
    await settled()
    assert [type(event) for event in talk.heard] == [Failed]
    assert talk.generator.ready


async def test_one_checkpoint_of_a_run_stays_until_the_run_is_loaded_again(engine: Engine, talk: Talk):
    talk.generator.load_checkpoint(Path("run/checkpoints/step-400"))
    await settled()
    talk.generator.load(Path("run"), follow=True)
    await settled()
    loads = [request for request in engine.processes[0].requests if isinstance(request, Load)]
    assert [(load.path, load.follow) for load in loads[1:]] == [
        (str(Path("run/checkpoints/step-400")), False),
        ("run", True),
    ]
    assert talk.generator.ready
