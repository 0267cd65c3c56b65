"""What a run will come to, before it is made."""

from __future__ import annotations

from string import ascii_letters

import pytest
from minigpt_tui.data.corpus import Corpus
from minigpt_tui.engine import run_estimate
from minigpt_tui.engine.machine_speed import MachineSpeed, PresetSpeed
from minigpt_tui.engine.results import DeviceReport
from minigpt_tui.engine.run_estimate import RunEstimate, estimate
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.memory import expected_memory
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.recipe import Budget, Recipe

CPU = DeviceReport("2.13", ("cpu",), "cpu", "a CPU", "float32", "float32", "", 2, None)
GPU = DeviceReport("2.13", ("cuda:0", "cpu"), "cuda:0", "a GPU", "bfloat16", "bfloat16", "", 2, 24 * 10**9)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_estimate, "total_memory", lambda: 16 * 10**9)
    monkeypatch.setattr(run_estimate, "free_memory", lambda: 8 * 10**9)
    monkeypatch.setattr(run_estimate, "_may_have_gpu", lambda: False)


def corpus(n_characters: int = 1_000_000, n_bytes: int = 0, spec: str = "/home/me/text.txt") -> Corpus:
    return Corpus("text", spec, "0" * 64, n_bytes or n_characters, n_characters, 1, ascii_letters, (), "")


def speed(tokens_per_second: float = 10_000.0, device: DeviceReport = CPU) -> MachineSpeed:
    quick = PresetSpeed("quick", 308_256, tokens_per_second, 300.0, 32, 32, 150.0)
    return MachineSpeed("host", "a CPU", device, "2026-01-01T10:00+00:00", (quick,))


def of(text: Corpus, known: MachineSpeed | None = None, **changes: object) -> RunEstimate:
    return estimate(PRESETS["quick"].overridden(**changes), text, None, known)


@pytest.mark.parametrize(
    ("budget", "tokens", "epochs"),
    [
        ("600 steps", 600 * 2048, 600 * 2048 / 900_000),
        ("2 epochs", 1_800_000, 2.0),
        ("450,000 tokens", 450_000, 0.5),
        ("30 s", None, None),
    ],
)
def test_what_a_budget_means(budget: str, tokens: float | None, epochs: float | None):
    found = of(corpus(), budget=Budget.parse(budget))
    assert (found.tokens, found.epochs) == (pytest.approx(tokens), pytest.approx(epochs))


def test_minutes_mean_tokens_where_the_speed_is_known():
    found = of(corpus(), speed(), budget=Budget.parse("1 minute"))
    assert found.tokens == pytest.approx(600_000, rel=0.05)
    assert found.seconds == 60
    assert of(corpus(), None, budget=Budget.parse("1 minute")).seconds == 60


def test_the_time_follows_from_the_speed_of_this_machine():
    assert of(corpus()).seconds is None
    assert of(corpus(), speed()).seconds == pytest.approx(123, rel=0.05)
    assert of(corpus(), speed(20_000)).seconds == pytest.approx(61, rel=0.05)


def test_the_epochs_of_word_pieces_are_an_estimate_for_a_text_in_ascii_alone():
    english = of(corpus(), tokenizer="gpt2")
    assert english.about_epochs
    assert english.epochs == pytest.approx(600 * 2048 / (900_000 / 3.3), rel=0.01)
    russian = of(corpus(1_000_000, 1_800_000), tokenizer="gpt2")
    assert russian.epochs is None
    assert of(corpus(1_000_000, 1_800_000), tokenizer="byte").epochs == pytest.approx(600 * 2048 / 1_620_000)


def test_the_vocabulary_is_that_of_the_text_or_of_the_model():
    assert of(corpus()).vocab_size == 52
    assert of(corpus(), unknown_characters="token").vocab_size == 53
    assert of(corpus(), tokenizer="bpe", bpe_vocab_size=500).at_most
    model = ModelConfig(vocab_size=300, context_length=64, n_layer=2, n_head=2, d_model=32)
    found = estimate(Recipe("finetune", "", "", model, PRESETS["quick"].training), corpus(), model, None)
    assert (found.vocab_size, found.at_most, found.epochs, found.loss) == (300, False, None, None)


@pytest.mark.parametrize(
    ("total", "free", "fit"),
    [(16.0, 8.0, "safe"), (16.0, 0.3, "tight"), (0.45, 0.44, "tight"), (0.2, 0.1, "too much"), (None, None, None)],
)
def test_whether_the_memory_is_enough(
    total: float | None, free: float | None, fit: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run_estimate, "total_memory", lambda: total and int(total * 1e9))
    monkeypatch.setattr(run_estimate, "free_memory", lambda: free and int(free * 1e9))
    found = of(corpus())
    assert found.memory.fit == fit
    assert found.memory.needed == expected_memory(found.model, found.training)


def test_the_memory_is_that_of_the_device_that_trains(monkeypatch: pytest.MonkeyPatch):
    assert of(corpus(), speed(device=GPU)).memory.there == 24 * 10**9
    assert of(corpus(), speed(device=GPU), device="cpu").memory.there == 16 * 10**9
    assert of(corpus(), speed(device=CPU), device="cuda").memory.there is None
    monkeypatch.setattr(run_estimate, "_may_have_gpu", lambda: True)
    assert of(corpus()).memory.there is None  # nobody has asked the GPU yet


def test_processes_that_train_together_share_the_main_memory():
    one, two = of(corpus()), of(corpus(), devices=2)
    assert two.memory.needed == 2 * one.memory.needed


def test_the_loss_to_expect_is_said_of_what_was_measured_alone():
    found = of(corpus(spec="tinyshakespeare"))
    assert found.loss is not None
    assert found.loss.loss == 1.626
    assert of(corpus(spec="tinyshakespeare"), n_layer=4).loss is None
    assert of(corpus()).loss is None
