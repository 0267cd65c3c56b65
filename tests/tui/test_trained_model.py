"""The whole way with the real processes: from Enter to a reply, leaving and coming back; and what a kill costs."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from string import ascii_letters

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.runs import list_runs
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.recipe import Budget
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.widgets.prompt import Prompt
from minigpt_tui.tui.widgets.transcript import Transcript

from .runs_on_disk import make_run
from .waiting import wait_until

TEXT = "the cat sat on the mat and the dog sat on the log while the rain fell on the plain.\n" * 60


@pytest.fixture
def quick_is_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PRESETS["quick"]
    model = replace(quick.model, context_length=16, n_layer=1, n_head=2, n_kv_head=1, d_model=32)
    training = replace(quick.training, budget=Budget(30), batch_size=8, checkpoint_interval=10, threads=1)
    monkeypatch.setitem(PRESETS, "quick", replace(quick, model=model, training=training))


def last_reply(transcript: Transcript) -> str:
    transcript.plain_text()  # lays out what still waits to be shown
    return "\n\n".join(transcript.turns.last_replies())


@pytest.mark.usefixtures("quick_is_tiny")
async def test_from_a_path_to_a_reply_and_back_again(home: Path, tmp_path: Path):
    text = tmp_path / "cats.txt"
    text.write_text(TEXT)
    app = MinigptApp(str(text))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.bridge.state == "finished", 120)
        await wait_until(pilot, lambda: app.bridge.generator.ready, 120)
        assert app.bridge.training.step == 30
        assert app.bridge.training.train_loss is not None
        assert app.bridge.training.train_loss < 3.4
        transcript = app.screen.query_one(Transcript)
        # the model shows by itself what it can, as soon as it can
        await wait_until(pilot, lambda: app.bridge.generator.ready and bool(last_reply(transcript)), 120)
        before = transcript.plain_text()
        assert last_reply(transcript) in before
        await pilot.press(*"the c", "enter")
        await wait_until(
            pilot, lambda: app.bridge.generator.ready and "\n\nthe c\n\n" in transcript.plain_text()[len(before) :], 60
        )
        assert transcript.plain_text().startswith(before)
        assert transcript.plain_text()[len(before) :].endswith("the c\n\n" + last_reply(transcript))
        assert last_reply(transcript)
    again = MinigptApp()
    async with again.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert again.bridge.run == list_runs()[0]
        assert again.bridge.training.step == 30
        await wait_until(pilot, lambda: again.bridge.generator.ready, 60)
        assert again.bridge.model.step == 30


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
@pytest.mark.parametrize("samples", [1, 3])
async def test_a_killed_generate_process_is_started_again_and_the_prompt_is_kept(home: Path, samples: int):
    run = make_run("play-01", checkpoint=False)
    tokenizer = CharTokenizer("".join(sorted(ascii_letters + " .\n")))
    model = GPT(ModelConfig(vocab_size=tokenizer.vocab_size, context_length=16, n_layer=1, n_head=2, d_model=16))
    model.reset_parameters(torch.Generator().manual_seed(0))
    checkpoints.save(run.checkpoints, "last", model, tokenizer, Counters(step=7))
    save_settings(Settings(samples=samples, sampling=SamplingSettings(max_tokens=1_000_000)))
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        generator = app.bridge.generator
        transcript, prompt = app.screen.query_one(Transcript), app.screen.query_one(Prompt)
        await wait_until(pilot, lambda: generator.ready, 120)
        killed = generator.pid
        assert killed is not None
        await pilot.press(*"the c", "enter")
        await wait_until(pilot, lambda: len(last_reply(transcript)) > 100, 120)
        assert prompt.text == ""
        os.kill(killed, signal.SIGKILL)
        await wait_until(pilot, lambda: prompt.text == "the c", 120)
        assert len(last_reply(transcript)) > 100  # what was written is kept as well
        await wait_until(pilot, lambda: generator.ready, 120)
        assert generator.pid != killed
        before = len(transcript.plain_text())
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(transcript.plain_text()) > before + 100, 120)
        assert transcript.plain_text()[before:].startswith("\n\nthe c\n\n")
        await pilot.press("escape")
        await wait_until(pilot, lambda: generator.ready, 120)
