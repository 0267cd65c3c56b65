"""The recipes by name: their sizes, and what they owe to where they come from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from minigpt_tui.data.storage.typed_json import dumps, loads
from minigpt_tui.models.config import ConfigError, ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface_layouts import model_type
from minigpt_tui.models.presets import DEFAULT_PRESET, PRESETS, fine_tuning, preset
from minigpt_tui.models.recipe import Budget, Recipe

# With 65 characters, GPT-2's 50,257 tokens, or as many as the recipe's own BPE has.
SIZES = {
    "quick": 308_256,
    "laptop": 575_104,
    "thorough": 2_387_136,
    "modern-10m": 10_672_512,
    "modern-124m": 123_552_768,
    "crafting-attention": 10_795_776,
    "char-postln": 817_920,
    "self-attention": 99_584,
    "decoder": 826_368,
    "bpe-laptop": 13_667_328,
    "bpe-laptop-modern": 1_250_688,
    "tiny-shakespeare": 210_432,
    "nanogpt-char": 10_745_088,
    "nanogpt-char-cpu": 804_096,
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "finetune": 0,  # whatever the model has that it goes on with
}
EXPORTS = {
    "quick": "qwen3", "laptop": "qwen3", "thorough": "qwen3", "modern-10m": "qwen3", "modern-124m": "qwen3",
    "bpe-laptop-modern": "qwen3", "char-postln": "openai-gpt",
}  # fmt: skip
BUILT = [name for name in PRESETS if name != "finetune"]
TOKENS = {"char": 65, "gpt2": 50257}


def test_presets_are_found_by_name():
    assert list(PRESETS) == list(SIZES)
    assert preset(DEFAULT_PRESET).name == DEFAULT_PRESET == "quick"
    assert all(name == recipe.name for name, recipe in PRESETS.items())
    with pytest.raises(ConfigError, match=r"no preset 'nope'; choose one of quick, "):
        preset("nope")


@pytest.mark.parametrize("name", PRESETS)
def test_each_has_one_line_of_what_it_is_and_a_source(name):
    recipe = PRESETS[name]
    assert 20 < len(recipe.description) <= 80
    assert "\n" not in recipe.description
    assert recipe.source


@pytest.mark.parametrize("name", BUILT)
def test_each_builds_in_its_size_and_leaves_through_its_door(name):
    recipe = PRESETS[name]
    vocab_size = TOKENS.get(recipe.tokenizer, recipe.bpe_vocab_size)
    model = GPT(replace(recipe.model, vocab_size=vocab_size), device="meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == SIZES[name]
    assert model_type(recipe.model) == EXPORTS.get(name, "gpt2")


@pytest.mark.parametrize("name", PRESETS)
def test_the_size_is_known_without_a_corpus_and_follows_its_vocabulary(name):
    recipe = PRESETS[name]
    assert recipe.parameters() == SIZES[name]
    tables = 1 if recipe.model.tied else 2
    assert recipe.parameters(1000) - recipe.parameters(900) == 100 * tables * recipe.model.d_model


def test_crafting_attention_has_its_size_with_about_a_hundred_characters():
    recipe = preset("crafting-attention")
    alphabets = [size for size in range(60, 140) if f"{recipe.parameters(size) / 1e6:.2f}" == "10.82"]
    assert (alphabets[0], alphabets[-1]) == (91, 103)
    assert recipe.parameters(80) == 10_807_296  # the collected Shakespeare's


def test_the_lectures_own_count_differs_by_its_biases():
    # it has one for each of 65 logits, and none in the products that make queries, keys and values
    assert preset("tiny-shakespeare").parameters(65) == 209_729 - 65 + 4 * 3 * 64


def test_nanogpt_is_followed_number_by_number():
    """config/train_shakespeare_char.py over the defaults of train.py, and the README's command for a CPU over both."""
    gpu = {
        "eval_interval": 250, "eval_iters": 200, "gradient_accumulation_steps": 1, "batch_size": 64, "block_size": 256,
        "n_layer": 6, "n_head": 6, "n_embd": 384, "dropout": 0.2, "bias": False, "learning_rate": 1e-3,
        "max_iters": 5000, "lr_decay_iters": 5000, "min_lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1,
        "grad_clip": 1.0, "warmup_iters": 100,
    }  # fmt: skip
    cpu = gpu | {
        "eval_iters": 20, "block_size": 64, "batch_size": 12, "n_layer": 4, "n_head": 4, "n_embd": 128,
        "max_iters": 2000, "lr_decay_iters": 2000, "dropout": 0.0,
    }  # fmt: skip
    for name, theirs in (("nanogpt-char", gpu), ("nanogpt-char-cpu", cpu)):
        model, training = preset(name).model, preset(name).training
        steps = int(training.budget.amount)
        assert training.budget == Budget(steps)
        assert theirs == {
            "eval_interval": training.evaluation_interval, "eval_iters": training.evaluation_batches,
            "gradient_accumulation_steps": training.batch_size // (training.micro_batch_size or training.batch_size),
            "batch_size": training.batch_size, "block_size": model.context_length, "n_layer": model.n_layer,
            "n_head": model.n_head, "n_embd": model.d_model, "dropout": model.residual_dropout, "bias": model.bias,
            "learning_rate": training.learning_rate, "max_iters": steps, "lr_decay_iters": steps,
            "min_lr": pytest.approx(training.learning_rate * training.final_learning_rate_fraction),
            "beta1": training.beta1, "beta2": training.beta2, "weight_decay": training.weight_decay,
            "grad_clip": training.gradient_clip, "warmup_iters": training.warmup_steps,
        }  # fmt: skip
        assert model.attention_dropout == model.residual_dropout == model.embedding_dropout
        assert (model.position, model.norm, model.norm_position) == ("learned", "layer", "pre")
        assert (model.mlp, model.hidden_size, model.norm_eps, model.tied) == ("gelu", 4 * model.d_model, 1e-5, True)
        assert (training.optimizer, training.schedule, training.data_order) == ("adamw", "cosine", "random")
        assert (training.evaluation, training.average, training.seed) == ("random", 0.0, 1337)
        assert (preset(name).tokenizer, preset(name).validation_fraction) == ("char", 0.1)


def test_nanogpts_first_weights():
    network = GPT(replace(preset("nanogpt-char").model, vocab_size=65))
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            assert torch.equal(parameter, torch.ones_like(parameter))
        else:
            smaller = (2 * 6) ** -0.5 if name.endswith(("attention.out.weight", "mlp.down.weight")) else 1.0
            assert parameter.std().item() == pytest.approx(0.02 * smaller, rel=0.05)


def test_fine_tuning_keeps_the_models_shape_and_the_recipes_training():
    recipe = replace(
        preset("finetune"), model=ModelConfig(context_length=512, residual_dropout=0.1, embedding_dropout=0.2)
    )
    llama = ModelConfig(
        vocab_size=32_000, context_length=2048, n_layer=3, n_head=6, n_kv_head=2, d_model=96, qk_norm=False,
        attention_dropout=0.3, rope_theta=5e5,
    )  # fmt: skip
    tuned = fine_tuning(recipe, llama)
    assert tuned.model == replace(
        llama, context_length=512, attention_dropout=0.0, residual_dropout=0.1, embedding_dropout=0.2
    )
    assert replace(tuned, model=recipe.model, training=recipe.training) == recipe
    assert replace(tuned.training, learning_rate=recipe.training.learning_rate) == recipe.training
    assert fine_tuning(recipe, replace(llama, context_length=64)).model.context_length == 64
    assert tuned.parameters() == GPT(llama, device="meta").embedding.numel() * 2 + tuned.parameters(1) - 2 * 96


def test_the_rate_of_a_fine_tuning_follows_the_models_width():
    rates = {
        width: fine_tuning(preset("finetune"), ModelConfig(n_head=4, d_model=width)).training.learning_rate
        for width in (32, 96, 256, 768, 4096)
    }
    assert rates == {32: 3e-3, 96: 1.6e-3, 256: 6e-4, 768: preset("finetune").training.learning_rate, 4096: 3.8e-5}
    quick = fine_tuning(preset("quick"), ModelConfig(n_head=4, d_model=256))
    assert quick.training == preset("quick").training


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"evaluate_every_epoch": True, "evaluation_interval": 100}, "no room for an evaluation_interval of 100"),
        ({"evaluation_batches": 0}, "evaluation_batches is 0"),
        ({"sample_temperature": -0.1}, "sample_temperature is -0.1"),
        ({"sample_temperature": float("nan")}, "sample_temperature is nan"),
    ],
)
def test_what_a_recipe_cannot_mean_is_refused(options, named):
    with pytest.raises(ConfigError, match=named):
        replace(preset("quick").training, **options)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_the_way_to_json_and_back(name: str) -> None:
    assert loads(Recipe, dumps(PRESETS[name])) == PRESETS[name]
