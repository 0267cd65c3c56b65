"""A model learns all there is to learn: a page by heart, with each optimizer."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.training.loop.evaluation import evaluate
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import Optimizer, TrainingConfig

PAGE = 200  # characters, which are one window: of none but the first is there no text before it
STEPS = 120


@pytest.mark.parametrize(("optimizer", "rate"), [("muon", 0.02), ("adamw", 0.005)])
def test_a_page_is_learned_by_heart(optimizer: Optimizer, rate: float) -> None:
    page = Path(argparse.__file__).read_text(encoding="utf-8")[2000 : 2000 + PAGE + 1]
    tokenizer = CharTokenizer("".join(sorted(set(page))))
    tokens = torch.tensor(tokenizer.encode(page), dtype=torch.uint8)
    model = GPT(ModelConfig(vocab_size=tokenizer.vocab_size, context_length=PAGE, n_layer=2, n_head=4, d_model=64))
    model.reset_parameters(torch.Generator().manual_seed(1))
    before = evaluate(model, tokens, len(page), "full").loss
    assert before == pytest.approx(math.log(tokenizer.vocab_size), rel=0.1)
    training = TrainingConfig(
        optimizer=optimizer, learning_rate=rate, embedding_learning_rate=0.01, head_learning_rate=0.01, batch_size=1,
        dtype="float32",
    )  # fmt: skip
    learner = ReplicatedLearner(model, tokens, training, Notes(warn=pytest.fail))
    for step in range(STEPS):
        learner.update(1 - step / STEPS)
    after = evaluate(model, tokens, len(page), "full")
    assert after.tokens == PAGE
    assert after.loss < 0.02
    with torch.inference_mode():
        likeliest = model.eval()(tokens[None, :-1].long())[0].argmax(-1)
    assert torch.equal(likeliest, tokens[1:].long())
