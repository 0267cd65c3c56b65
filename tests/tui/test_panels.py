import math
import re

import pytest
from minigpt_tui.engine.events import (
    Evaluation,
    Loaded,
    Preparing,
    SamplingSettings,
    Started,
    StateChanged,
    Step,
)
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.tui.run_states import LOOKS
from minigpt_tui.tui.state import ModelView, TrainingView
from minigpt_tui.tui.widgets.model_panel import ModelPanel
from minigpt_tui.tui.widgets.sampling_panel import FOLDED, SamplingPanel, SettingInput
from minigpt_tui.tui.widgets.training_panel import TrainingPanel
from textual.app import App
from textual.pilot import Pilot

from .host import Host


def screen_text(app: App) -> str:
    """What stands on the screen; the compositor is private to Textual, so it is touched only here."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


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


@pytest.mark.parametrize("state", LOOKS)
async def test_each_state_has_a_glyph_and_a_word(state):
    view = running()
    view.state = state
    panel = TrainingPanel()
    async with Host(panel).run_test(size=(40, 20)) as pilot:
        panel.show(view)
        await pilot.pause()
        assert LOOKS[state].label in screen_text(pilot.app)


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


# --- sampling -------------------------------------------------------------------------------------


class SamplingHost(Host):
    def __init__(self, panel: SamplingPanel) -> None:
        super().__init__(panel)
        self.changes: list[SamplingSettings] = []

    def on_sampling_panel_changed(self, message: SamplingPanel.Changed) -> None:
        self.changes.append(message.settings)


def field(pilot: Pilot, name: str) -> SettingInput:
    return pilot.app.query_one(f"#{name}", SettingInput)


async def enter(pilot: Pilot, name: str, value: str, *then: str) -> None:
    field(pilot, name).focus()
    field(pilot, name).value = value
    await pilot.press(*then)
    await pilot.pause()


async def test_sampling_panel_shows_its_settings_in_four_rows_and_the_rest_behind_a_fold():
    settings = SamplingSettings(
        temperature=0.7, top_k=40, top_p=0.9, min_p=0.005, max_tokens=250, seed=7, stop=("END",)
    )
    panel = SamplingPanel(settings)
    async with SamplingHost(panel).run_test(size=(38, 16)) as pilot:
        values = {input.setting.name: input.value for input in panel.query(SettingInput) if input.value}
        assert values == {
            "temperature": "0.70", "top_k": "40", "top_p": "0.90", "min_p": "0.005", "max_tokens": "250", "seed": "7",
            "samples": "1", "stop": "END",
        }  # fmt: skip
        assert panel.size.height == 5
        text = screen_text(pilot.app)
        for label in (
            "sampling",
            "temperature 0.70",
            "top-k      40",
            "top-p       0.90",
            "min-p      0.005",
            "repetition  off",
            "max tokens 250",
            "samples     1",
            "seed 7",
            "▸ more (1 set)",
        ):
            assert label in text
        assert "END" not in text


async def test_the_fold_is_reached_by_tab_and_opened_with_enter():
    panel = SamplingPanel()
    async with SamplingHost(panel).run_test(size=(38, 16)) as pilot:
        field(pilot, "seed").focus()
        await pilot.press("tab", "enter")
        assert panel.size.height == 9
        text = screen_text(pilot.app)
        for label in (
            "▾ less",
            "typical-p   off",
            "presence   off",
            "frequency   off",
            "window     all",
            "stop",
            "forbid",
        ):
            assert label in text
        await pilot.press(
            "tab", *"0.5", "tab", *"0.1", "tab", *"0.2", "tab", *"32", "tab", *"\\n|x y", "tab", *"é", "tab"
        )
        assert panel.settings == SamplingSettings(
            typical_p=0.5, presence_penalty=0.1, frequency_penalty=0.2, penalty_window=32, stop=("\n", "x y"),
            forbidden=("é",),
        )  # fmt: skip
        panel.query_one("#fold").focus()
        await pilot.press("space")
        assert panel.size.height == 5
        assert "▸ more (6 set)" in screen_text(pilot.app)


async def test_leaving_a_field_keeps_what_it_cannot_show_in_two_digits():
    settings = SamplingSettings(min_p=0.001, top_p=0.995)
    panel = SamplingPanel(settings)
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        for name in ("min-p", "top-p"):
            field(pilot, name).focus()
            await pilot.press("tab")
        assert panel.settings == settings
        assert app.changes == []


@pytest.mark.parametrize(
    "texts",
    [(), ("END",), ("\n\n", "a|b", "back\\slash", "\\n"), ("\x1b[0m", "\u2028", "é🙂", " a "), ("\U0010ffff", "\x85")],
)
def test_texts_in_a_field_read_back_as_they_are(texts):
    stop = next(setting for setting in FOLDED if setting.name == "stop")
    assert stop.text(texts).isprintable()
    assert stop.value(stop.text(texts)) == texts


@pytest.mark.parametrize(
    ("typed", "texts"),
    [("|", ()), ("a||b|", ("a", "b")), ("\\", ()), ("a\\", ("a",)), ("\\Uffffffff", ("\\Uffffffff",))],
)
def test_half_typed_texts_are_no_error(typed, texts):
    stop = next(setting for setting in FOLDED if setting.name == "stop")
    assert stop.value(typed) == texts


async def test_what_is_off_says_so():
    async with SamplingHost(SamplingPanel()).run_test(size=(38, 10)) as pilot:
        text = screen_text(pilot.app)
        assert "top-k      off" in text
        assert "top-p       off" in text
        assert "seed random" in text


@pytest.mark.parametrize("leave", ["enter", "tab"])
async def test_enter_and_leaving_take_a_value(leave):
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        await enter(pilot, "temperature", "1.25", leave)
        assert app.changes == [SamplingSettings(temperature=1.25)]
        assert panel.settings == app.changes[-1]
        await enter(pilot, "max-tokens", "64", leave)
        await enter(pilot, "seed", "7", leave)
        assert panel.settings == SamplingSettings(temperature=1.25, max_tokens=64, seed=7)
        await enter(pilot, "seed", "", leave)
        assert panel.settings.seed is None
        assert len(app.changes) == 4


async def test_nothing_is_posted_for_half_a_value_or_the_same_one():
    app = SamplingHost(SamplingPanel())
    async with app.run_test(size=(38, 10)) as pilot:
        field(pilot, "max-tokens").focus()
        await pilot.press("9", "9")
        await enter(pilot, "max-tokens", "400", "enter", "tab")
        assert app.changes == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("temperature", "500", "temperature must lie between 0 and 100"),
        ("temperature", "nan", "temperature must lie between 0 and 100"),
        ("temperature", "", "temperature must be a number, not ''"),
        ("top-k", "-1", "top-k must lie between 0 and 1,000,000"),
        ("top-k", "2.5", "top-k must be a whole number, not '2.5'"),
        ("top-p", "0", "top-p must be above 0 and at most 1"),
        ("min-p", "1.5", "min-p must lie between 0 and 1"),
        ("repetition-penalty", "0", "repetition must be above 0 and at most 100"),
        ("max-tokens", "0", "max tokens must lie between 1 and 1,000,000"),
        ("seed", "[b]x", "seed must be a whole number, not '[b]x'"),
        ("samples", "0", "samples must lie between 1 and 256, not 0"),
        ("samples", "", "samples must be a whole number, not ''"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_in_place(name, value, sentence):
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 12)) as pilot:
        before = field(pilot, name).value
        await enter(pilot, name, value, "enter")
        shown = " ".join(screen_text(pilot.app).replace("│", " ").split())
        assert sentence in shown
        assert field(pilot, name).value == before
        assert panel.settings == SamplingSettings()
        assert app.changes == []
        await enter(pilot, name, before, "enter")
        assert "must" not in screen_text(pilot.app)


async def test_up_and_down_change_by_a_step_and_stop_at_the_end():
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        field(pilot, "temperature").focus()
        await pilot.press("up")
        assert panel.settings.temperature == 0.85
        await pilot.press(*["down"] * 18)
        assert panel.settings.temperature == 0
        assert field(pilot, "temperature").value == "0.00"
        field(pilot, "top-p").focus()
        await pilot.press("up", "down")
        assert panel.settings.top_p == 0.95
        field(pilot, "top-k").focus()
        await pilot.press("up", "up", "down", "down", "down")
        assert panel.settings.top_k == 0
        field(pilot, "max-tokens").focus()
        await pilot.press("up")
        assert panel.settings.max_tokens == 450
        field(pilot, "seed").focus()
        await pilot.press("up", "up")
        assert panel.settings.seed == 1
        assert app.changes[-1] == panel.settings
        assert "must" not in screen_text(app)


async def test_a_step_starts_from_what_is_written():
    panel = SamplingPanel()
    async with SamplingHost(panel).run_test(size=(38, 10)) as pilot:
        await enter(pilot, "top-k", "40", "up")
        assert panel.settings.top_k == 41


async def test_settings_from_outside_are_shown_and_posted_by_nobody():
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        panel.settings = SamplingSettings(temperature=0.1, stop=("END",))
        await pilot.pause()
        assert field(pilot, "temperature").value == "0.10"
        assert app.changes == []
        await enter(pilot, "top-k", "5", "enter")
        assert app.changes == [SamplingSettings(temperature=0.1, top_k=5, stop=("END",))]
