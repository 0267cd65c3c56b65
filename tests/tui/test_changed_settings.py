"""Sampling settings that are changed while a reply streams act on what follows, and the same words come again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from string import ascii_letters
from typing import Any

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.requests import (
    ChangeSampling,
    Ended,
    Failed,
    Generate,
    SamplingSettings,
    SettingsChange,
    Tokens,
)
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.messages import SettingsChanged
from minigpt_tui.tui.screens.checkpoints import CheckpointsBox
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, save_settings
from textual.pilot import Pilot

from .next_way import next_way
from .runs_on_disk import make_run
from .scripted_engine import LetterEngine, ScriptedEngine
from .waiting import wait_until

ENDLESS = SamplingSettings(temperature=1.0, max_tokens=1_000_000)


@pytest.fixture
def random_run(home: Path) -> None:
    """A run whose model writes letters without end."""
    run = make_run("play-01", checkpoint=False)
    tokenizer = CharTokenizer("".join(sorted(ascii_letters + " .\n")))
    model = GPT(ModelConfig(vocab_size=tokenizer.vocab_size, context_length=16, n_layer=1, n_head=2, d_model=16))
    model.reset_parameters(torch.Generator().manual_seed(0))
    checkpoints.save(run.checkpoints, "last", model, tokenizer, Counters(step=7))
    save_settings(Settings(sampling=ENDLESS, document_sampling=ENDLESS))


def shown(pilot: Pilot[Any]) -> TurnsWay | DocumentWay:
    desk = pilot.app.get_screen_stack("write")[0]
    assert isinstance(desk, WriteDesk)
    return desk.shown


def written(pilot: Pilot[Any]) -> str:
    """The words of the model so far."""
    session = shown(pilot).session
    return session.text.path[-1].text if session.id is not None and session.text.path[-1].author == "model" else ""


@pytest.mark.usefixtures("random_run")
@pytest.mark.long
@pytest.mark.parametrize("way", ["turns", "document"])
async def test_the_same_words_come_again_with_the_changes(way: str) -> None:
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        if way == "document":
            await next_way(pilot)
        await pilot.press(*"the c", "ctrl+n" if way == "document" else "enter")
        await wait_until(pilot, lambda: len(written(pilot)) > 50)
        await pilot.press("f3", "down", "down", "down")
        before = len(written(pilot))
        await wait_until(pilot, lambda: len(written(pilot)) > before + 100)
        await pilot.press("escape")
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        node = shown(pilot).session.text.path[-1]
        origin = node.origin
        assert origin is not None
        assert origin.settings == ENDLESS
        temperatures = [round(change.settings.temperature, 2) for change in origin.changes]
        assert temperatures == sorted(set(temperatures), reverse=True)
        assert set(temperatures) <= {0.95, 0.9, 0.85}
        assert 0 < origin.changes[0].at < node.tokens
        assert any("settings changed" in notice for notice in node.notices)

        again: list[str] = []
        ids: list[int] = []

        def take(event: Tokens | Ended | Failed) -> None:
            if isinstance(event, Tokens):
                again.append(event.text)
                ids.extend(detail.token for detail in event.details)

        settings = SamplingSettings(temperature=1.0, max_tokens=len(node.text), seed=origin.seed)
        assert app.bridge.generator.generate("the c", settings, take, explain=True, changes=origin.changes)
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        assert "".join(again) == node.text
        records = [record.token for record in shown(pilot).session.text.records(node)]
        assert ids[: len(records)] == records
        assert bool(records) == (way == "document")


class Letters(LetterEngine):
    """Goes on with its words until it is stopped, and says which changes it has seen."""

    processes = []
    words = ["once", "twice"]
    holds_words = True

    def end(self, id: int, sample: int = 0, *, cancelled: bool = False) -> None:
        """With the changes that were asked for, as if each had come behind the second token."""
        changes = tuple(SettingsChange(2, r.settings) for r in self.requests if isinstance(r, ChangeSampling))
        self.say(Ended(id, "length", 5, 3, 0.01, 500.0, 200, 100 + sample, (), sample, "c0ffee", "", changes))


@pytest.fixture
def letters(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> type[Letters]:
    Letters.processes, Letters.written, Letters.holds_words = [], 0, True
    monkeypatch.setattr(generator, "GenerateProcess", Letters)
    save_settings(Settings(sampling=ENDLESS, document_sampling=ENDLESS))
    return Letters


async def test_a_change_is_for_what_streams_on_this_way_alone(letters: type[Letters]) -> None:
    make_run("play-01")
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        process = letters.processes[-1]
        assert isinstance(process, Letters)
        await pilot.press("f3", "down", "f4", "x", "enter")
        await wait_until(pilot, lambda: bool(process.asked(Generate)))
        assert not process.asked(ChangeSampling), "nothing was written when it was changed"
        await pilot.press("f3", "down")
        (asked,) = [request for request in process.asked(Generate) if isinstance(request, Generate)]
        (change,) = [request for request in process.asked(ChangeSampling) if isinstance(request, ChangeSampling)]
        assert (change.id, round(change.settings.temperature, 2)) == (asked.id, 0.9)
        app.store.change(sampling=replace(app.store.settings.sampling, top_k=5))  # as the settings screen does
        app.post_message(SettingsChanged())
        app.post_message(SettingsChanged())
        await wait_until(pilot, lambda: len(process.asked(ChangeSampling)) == 2)
        change = process.asked(ChangeSampling)[-1]
        assert isinstance(change, ChangeSampling)
        assert (change.id, change.settings.top_k) == (asked.id, 5)
        await pilot.press("f4")
        await next_way(pilot)
        await pilot.press("f3", "down")
        assert len(process.asked(ChangeSampling)) == 2, "the panel of the document is not that of the turns"


async def test_another_checkpoint_writes_it_again_with_the_same_changes(letters: type[Letters]) -> None:
    run = make_run("play-01")
    (run.checkpoints / "step-000100").mkdir()
    (run.checkpoints / "step-000100" / "minigpt.json").write_text("{}")
    app = MinigptApp(poll_interval=0.01)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        await next_way(pilot)
        way = shown(pilot)
        assert isinstance(way, DocumentWay)
        await pilot.press("a", "ctrl+n")
        await wait_until(pilot, lambda: way.pane.text == "aonce")
        await pilot.press("f3", "down", "escape")
        await wait_until(pilot, lambda: not way.editor.writing)
        letters.holds_words = False
        await pilot.press("f4", "alt+n")
        await wait_until(pilot, lambda: isinstance(app.screen, CheckpointsBox))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: way.pane.text == "atwice")
        process = letters.processes[-1]
        assert isinstance(process, Letters)
        again = process.asked(Generate)[-1]
        assert isinstance(again, Generate)
        assert (again.settings.temperature, again.settings.seed) == (1.0, 100)
        assert [(change.at, round(change.settings.temperature, 2)) for change in again.changes] == [(2, 0.95)]
