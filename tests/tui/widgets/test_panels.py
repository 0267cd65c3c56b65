import math
import re

import pytest
from minigpt_tui.engine.events import Evaluation, Preparing, Started, StateChanged, Step
from minigpt_tui.engine.requests import Loaded
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.tui.run_words import STATE_STYLES
from minigpt_tui.tui.state import ModelView, TrainingView
from minigpt_tui.tui.widgets.model_panel import ModelPanel
from minigpt_tui.tui.widgets.training_panel import TrainingPanel

from ..host import Host
from ..seen import screen_text

# --- training -------------------------------------------------------------------------------------


def running(step: int = 412, total_steps: int | None = 2000) -> TrainingView:
    view = TrainingView(name="play-01")
    view.apply(Started(0, total_steps, 380_000, 65, 900_000, 100_000, "cpu", "CPU", "float32", 2, "no GPU", 0.0, 0.55))
    for at in range(1, step + 1):
        loss = 1.5 + 2.5 * math.exp(-at / 50)
        view.apply(Step(at, total_steps, at * 2048, at / 5, 98.0, loss, 0.02, 0.4, 47_123.0, 310_000_000))
    view.apply(Evaluation(400, 80.0, 1.71, math.exp(1.71), 2.47, "full", True))
    return view


async def test_training_panel_shows_every_figure():
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, 26)) as pilot:
        panel.show(running())
        await pilot.pause()
        text = screen_text(pilot.app)
    for figure in (
        "training", "● training", "step 412 of 2,000", "20%", "1 m 38 s left", "train 1.50", "val 1.71", "1.71 @ 400",
        "bits/byte", "2.47", "47k tok/s", "2.0e-2", "310 MB", "floor 0.55", "play-01",
    ):  # fmt: skip
        assert figure in text
    assert "…" not in text


@pytest.mark.parametrize("state", STATE_STYLES)
async def test_each_state_has_a_glyph_and_a_word(state):
    view = running()
    view.state = state
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, 20)) as pilot:
        panel.show(view)
        await pilot.pause()
        assert STATE_STYLES[state].label in screen_text(pilot.app)


async def test_a_failure_says_why_and_its_words_are_no_markup():
    view = running()
    view.apply(StateChanged("failed", 412, 0.0, "out of [bold]memory[/nonsense]; choose\na smaller batch"))
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(60, 26)) as pilot:
        panel.show(view)
        await pilot.pause()
        text = screen_text(pilot.app)
    assert "✗ failed" in text
    assert "out of [bold]memory[/nonsense]; choose a smaller" in text


async def test_the_bar_grows_with_the_run():
    async def bar(step: int) -> str:
        panel = TrainingPanel()
        async with Host(panel).run_test(size=(40, 20)) as pilot:
            panel.show(running(step))
            await pilot.pause()
            (line,) = [line for line in screen_text(pilot.app).splitlines() if "%" in line]
            return line

    assert " 0%" in await bar(1)
    assert " 50%" in await bar(1000)
    assert "╺" in await bar(1000)


async def test_how_well_a_gpu_is_used_is_shown_where_it_is_known():
    view, panel = running(), TrainingPanel()
    async with Host(panel).run_test(size=(40, 26)) as pilot:
        panel.show(view)
        await pilot.pause()
        assert "MFU" not in screen_text(pilot.app)
        view.apply(Step(413, 2000, 413 * 2048, 83.0, 98.0, 1.5, 0.02, 0.4, 4e6, 310_000_000, mfu=0.413))
        panel.show(view)
        await pilot.pause()
        assert re.search(r"MFU +41%", screen_text(pilot.app))


async def test_a_budget_in_minutes_has_no_total():
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, 20)) as pilot:
        panel.show(running(412, total_steps=None))
        await pilot.pause()
        text = screen_text(pilot.app)
    assert "step 412 " in text
    assert " of " not in text
    assert "45%" in text  # 82.4 of 180.4 seconds


@pytest.mark.parametrize("height", range(4, 14))
async def test_state_and_progress_stay_however_low_it_is(height):
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, height)) as pilot:
        panel.show(running())
        await pilot.pause()
        text = screen_text(pilot.app)
        assert "● training" in text
        assert "1 m 38 s left" in text
        assert panel.chart.display == (height >= 9)
        if panel.chart.display:
            assert panel.chart.size.height >= 5
        if height >= 5:
            assert "val" in text


@pytest.mark.parametrize(
    ("event", "words", "progress"),
    [
        (Preparing("encoding", 0.42), "encoding the text", "━  42%"),
        (Preparing("tokenizer", None), "making the tokenizer", "before the first step"),
    ],
)
async def test_what_is_prepared_has_a_bar_where_it_is_known_how_far_it_is(event, words, progress):
    view = TrainingView(name="play-01")
    view.apply(StateChanged("starting", 0, 0.0))
    view.apply(event)
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, 20)) as pilot:
        panel.show(view)
        await pilot.pause()
        text = screen_text(pilot.app)
        assert "◌ starting" in text
        assert words in text
        assert progress in text
        panel.show(running())
        await pilot.pause()
        assert words not in screen_text(pilot.app)


async def test_no_run_yet_then_a_run_then_none_again():
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, 20)) as pilot:
        assert "no run yet" in screen_text(pilot.app)
        panel.show(running())
        await pilot.pause()
        assert "no run yet" not in screen_text(pilot.app)
        panel.show(TrainingView())
        await pilot.pause()
        text = screen_text(pilot.app)
        assert "no run yet" in text
        assert "running" not in text
        assert "play-01" not in text


async def test_the_panel_follows_its_size_and_its_chart_can_be_maximized():
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, 26)) as pilot:
        panel.show(running())
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        lines = screen_text(pilot.app).splitlines()
        assert any(line.startswith("│ ● training") and line.endswith("step 412 of 2,000 │") for line in lines)
        before = panel.chart.size
        assert pilot.app.screen.maximize(panel.chart)
        await pilot.pause()
        assert panel.chart.size.height > before.height


# --- model ----------------------------------------------------------------------------------------


CONFIG = ModelConfig(vocab_size=50_257, context_length=1024, n_layer=12, n_head=12, n_kv_head=4, d_model=768)


def model(config: ModelConfig = CONFIG, tokenizer: str = "gpt2") -> ModelView:
    view = ModelView.of("play-01", config, tokenizer)
    view.apply(Loaded(1, "/runs/play-01", 4800, 380_000, 65, 64, "cpu", "float32", 310_000_000, 1.71))
    return view


async def test_model_panel_shows_every_figure_in_six_rows():
    panel = ModelPanel()
    async with Host(panel).run_test(size=(38, 12)) as pilot:
        panel.show(model())
        await pilot.pause()
        text = screen_text(pilot.app)
        assert panel.size.height == 6
    for figure in (
        "model", "play-01", "0.38M parameters", "layers", "12", "heads", "12 (4 kv)", "width", "768", "context",
        "1,024", "50k gpt2", "memory", "310 MB", "device", "cpu fp32", "val", "1.71 @ 4.8k",
        "rope rms swiglu", "798 MFLOP/token",
    ):  # fmt: skip
        assert figure in text
    assert "…" not in text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ModelConfig(position="learned", norm="layer", mlp="gelu", qk_norm=False), "learned layer gelu"),
        (ModelConfig(position="learned", norm="layer", norm_position="post", mlp="relu", qk_norm=False), "post-l"),
        (ModelConfig(position="none", mlp="none"), "none · rms · none"),
    ],
)
async def test_model_panel_says_what_the_block_is_made_of(config, words):
    panel = ModelPanel()
    async with Host(panel).run_test(size=(38, 12)) as pilot:
        panel.show(model(config, "char"))
        await pilot.pause()
        assert words in screen_text(pilot.app)
        assert "forward and backward" in str(panel.tooltip)


async def test_where_there_is_room_the_block_has_its_full_names():
    panel = ModelPanel()
    async with Host(panel).run_test(size=(56, 12)) as pilot:
        panel.show(model())
        await pilot.pause()
        assert "rope · RMSNorm · SwiGLU" in screen_text(pilot.app)


async def test_model_panel_before_there_is_one_and_with_gaps():
    panel = ModelPanel()
    async with Host(panel).run_test(size=(38, 12)) as pilot:
        assert "no model yet" in screen_text(pilot.app)
        panel.show(ModelView(name="[red]x" * 20))
        await pilot.pause()
        text = screen_text(pilot.app)
        assert "[red]x[red]x" in text
        assert "– parameters" in text
