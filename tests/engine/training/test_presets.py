"""Each recipe by name learns and writes; all but the smallest are made small first, and are otherwise as they are."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import Tokenizer, TokenizerError, TokenizerKind, build_tokenizer
from minigpt_tui.engine.training.loop.sample import SampleWriter
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.presets import PRESETS, fine_tuning, preset
from minigpt_tui.models.recipe import Recipe

RANKS = Path(__file__).parents[3].parent / "shared" / "data" / "tiktoken-cache"
TEXT = Path(argparse.__file__).read_text(encoding="utf-8")[:20_000]
LARGE = 300_000  # parameters


@cache
def tokenizer_of(kind: TokenizerKind, bpe_vocab_size: int) -> Tokenizer:
    return build_tokenizer(kind, alphabet=TEXT, pieces=lambda: [TEXT], bpe_vocab_size=bpe_vocab_size)


def made_small(recipe: Recipe) -> Recipe:
    """A few sequences at a time, and where the model is large, few layers and channels."""
    training = replace(recipe.training, batch_size=4, micro_batch_size=2 if recipe.training.micro_batch_size else 0)
    model = recipe.model
    if recipe.parameters() > LARGE:
        kv_heads = 1 if model.kv_heads < model.n_head else 0
        model = replace(model, n_layer=2, n_head=2, n_kv_head=kv_heads, d_model=32, context_length=32)
    return replace(recipe, model=model, training=training)


def learn(recipe: Recipe, tokenizer: Tokenizer, model: GPT) -> tuple[float, float]:
    """The loss on the same windows before and after some updates."""
    tokens = torch.tensor(tokenizer.encode(TEXT), dtype=torch.int32)
    windows = tokens.long().unfold(0, recipe.model.context_length + 1, recipe.model.context_length)[:8]
    learner = ReplicatedLearner(model, tokens, recipe.training, Notes())

    def loss() -> float:
        with torch.inference_mode():
            return model.eval().loss(windows[:, :-1], windows[:, 1:]).item()

    before = loss()
    model.train()
    for _ in range(10):
        learner.update(1.0)
    return before, loss()


def new_model(config: ModelConfig) -> GPT:
    model = GPT(config)
    model.reset_parameters(torch.Generator().manual_seed(1))
    return model


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long) if name in ("gpt2-medium", "gpt2-large", "gpt2-xl") else name
        for name in PRESETS
        if name != "finetune"
    ],
)
def test_each_preset_learns_and_writes(name, monkeypatch):
    recipe = made_small(preset(name))
    if recipe.tokenizer == "gpt2":
        if not RANKS.is_dir():
            pytest.skip(f"GPT-2's tokenizer is not at {RANKS}")
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(RANKS))
    tokenizer = tokenizer_of(recipe.tokenizer, recipe.bpe_vocab_size)
    model = new_model(replace(recipe.model, vocab_size=tokenizer.vocab_size))
    before, after = learn(recipe, tokenizer, model)
    assert after < before
    sample = SampleWriter(tokenizer, recipe.training.all_sample_prompts, recipe.training.sample_temperature)
    assert sample.prompts == (recipe.training.sample_prompt,)
    assert sample.write(model, seed=3, length=20)
    assert model.training is False  # as it was


def test_finetune_goes_on_with_a_model_and_begins_none():
    recipe = preset("finetune")
    tokenizer = tokenizer_of("char", 0)
    model = new_model(ModelConfig(vocab_size=tokenizer.vocab_size, n_layer=1, n_head=2, d_model=32))
    learn(made_small(preset("quick")), tokenizer, model)  # it knows something now
    before, after = learn(made_small(fine_tuning(recipe, model.config)), tokenizer, model)
    assert after < before
    with pytest.raises(TokenizerError, match="comes with its model"):
        build_tokenizer(recipe.tokenizer, alphabet=TEXT, pieces=lambda: [TEXT])
