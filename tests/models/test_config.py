"""A model configuration refuses what cannot be built and says which options do not go together."""

from dataclasses import fields, replace

import pytest
from minigpt_tui.models.config import ConfigError, ModelConfig, descriptions, flops_per_token, parameter_count
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.recipe import Budget, TrainingConfig


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"d_model": 130}, "d_model 130 is not divisible by n_head 4"),
        ({"n_kv_head": 3}, "n_head 4 is not divisible by n_kv_head 3"),
        ({"n_kv_head": 8}, "n_head 4 is not divisible by n_kv_head 8"),
        ({"head_dim": 33}, "even head width, not 33"),
        ({"position": "absolute"}, "position is 'absolute'; it must be one of learned, sinusoidal, rope, none"),
        ({"mlp": None}, "mlp is None"),
        ({"position": "learned", "rope_scaling": "linear"}, "rope_scaling 'linear' needs position 'rope'"),
        ({"rope_scaling": "llama3", "rope_low_frequency_factor": 4.0}, "rope_low_frequency_factor 4.0 must be below"),
        ({"rope_scaling": "yarn"}, "rope_scaling is 'yarn'"),
        ({"rope_factor": 0.5}, "rope_factor is 0.5"),
        ({"rope_factor": float("nan")}, "rope_factor is nan"),
        ({"rope_original_context": 0}, "rope_original_context is 0"),
        ({"rope_theta": 0.0}, "rope_theta is 0.0"),
        ({"vocab_size": 10**12}, r"vocab_size is 1000000000000; it must lie between 0 and 16,777,216"),
        ({"context_length": 10**7}, "context_length is 10000000"),
        ({"n_layer": 2000}, "n_layer is 2000"),
        ({"d_model": 10**6}, "d_model is 1000000"),
        ({"d_ff": 10**8}, "d_ff is 100000000"),
        ({"head_dim": 10**5}, "head_dim is 100000"),
        ({"n_head": 10**5}, "n_head is 100000"),
        ({"n_layer": 0}, "n_layer is 0"),
        ({"n_head": 0}, "n_head is 0"),
        ({"context_length": 0}, "context_length is 0"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"d_ff": -1}, "d_ff is -1"),
        ({"residual_dropout": 1.0}, "residual_dropout is 1.0"),
        ({"attention_dropout": float("nan")}, "attention_dropout is nan"),
        ({"norm_eps": 0.0}, "norm_eps"),
        ({"norm_eps": float("nan")}, "norm_eps"),
        ({"rope_theta": float("inf")}, "rope_theta"),
    ],
)
def test_impossible_combinations_are_refused(options, named):
    with pytest.raises(ConfigError, match=named):
        ModelConfig(**options)


def test_what_depends_on_other_options():
    config = ModelConfig(d_model=128, n_head=4)
    assert (config.size_per_head, config.kv_heads, config.hidden_size) == (32, 4, 344)
    assert ModelConfig(d_model=130, n_head=4, head_dim=16).size_per_head == 16
    assert ModelConfig(n_kv_head=2).kv_heads == 2
    assert ModelConfig(mlp="gelu").hidden_size == 512
    assert ModelConfig(mlp="gelu", d_ff=100).hidden_size == 100
    assert ModelConfig(mlp="none", d_ff=100).hidden_size == 0
    assert ModelConfig(head_dim=33, position="learned").size_per_head == 33


def test_known_models_have_their_known_sizes():
    gpt2 = ModelConfig(
        vocab_size=50257, context_length=1024, n_layer=12, n_head=12, d_model=768,
        position="learned", norm="layer", mlp="gelu_tanh", qk_norm=False, tied=True, bias=True,
    )  # fmt: skip
    assert parameter_count(gpt2) == 124_439_808
    qwen3 = ModelConfig(
        vocab_size=151936, context_length=40960, n_layer=28, n_head=16, n_kv_head=8, d_model=1024, head_dim=128,
        d_ff=3072, tied=True,
    )  # fmt: skip
    assert parameter_count(qwen3) == 596_049_920
    nanogpt = replace(PRESETS["nanogpt-char"].model, vocab_size=65)
    assert parameter_count(nanogpt) == 10_745_088  # nanoGPT prints 10.65M because it leaves out its positions
    assert parameter_count(nanogpt) - nanogpt.context_length * nanogpt.d_model == 10_646_784


def test_operations_grow_with_context_and_leave_out_look_ups():
    config = ModelConfig(vocab_size=100, n_layer=2, n_head=4, d_model=64, context_length=32)
    norms = (2 * 64 + 2 * 16) * 2 + 64
    products = parameter_count(config) - 100 * 64 - norms
    assert flops_per_token(config) == 6 * products + 12 * 2 * 4 * 16 * 32
    learned = replace(config, position="learned", tied=True)
    assert flops_per_token(learned) == 6 * (parameter_count(learned) - 32 * 64 - norms) + 12 * 2 * 4 * 16 * 32


@pytest.mark.parametrize("cls", [ModelConfig, TrainingConfig])
def test_every_option_is_described(cls):
    texts = descriptions(cls)
    assert set(texts) == {field.name for field in fields(cls)}
    assert all(text.endswith(".") and len(text) < 120 for text in texts.values())


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("2000", Budget(2000)),
        ("2,000 steps", Budget(2000)),
        ("5 minutes", Budget(5, "minutes")),
        ("30 s", Budget(0.5, "minutes")),
        ("1.5 hours", Budget(90, "minutes")),
        ("2 epochs", Budget(2, "epochs")),
        ("1_000_000 tokens", Budget(1e6, "tokens")),
    ],
)
def test_a_budget_is_read_as_people_write_it(text, budget):
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    "text", ["", "soon", "-5 steps", "0", "2.5 steps", "3 parsecs", "1e9", "nan minutes", "9" * 400]
)
def test_a_budget_that_cannot_be_is_refused(text):
    with pytest.raises(ConfigError):
        Budget.parse(text)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0}, {"micro_batch_size": 5}, {"learning_rate": 0.0}, {"beta1": 1.0}, {"decay_fraction": 1.5},
        {"gradient_clip": -1.0}, {"gradient_clip": float("nan")}, {"learning_rate": float("nan")}, {"patience": -1},
        {"weight_decay": float("inf")},
    ],
)  # fmt: skip
def test_training_options_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        TrainingConfig(**options)
