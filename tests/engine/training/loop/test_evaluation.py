"""Each protocol against its definition, computed one token at a time."""

from __future__ import annotations

import math

import pytest
import torch
from minigpt_tui.engine.training.loop.evaluation import evaluate, n_positions
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT

CONFIG = ModelConfig(vocab_size=13, context_length=8, n_layer=1, n_head=2, d_model=16, attention_dropout=0.5)


def random_tokens(length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(13, (length,), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture
def model() -> GPT:
    network = GPT(CONFIG)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return network.train()


def loss_of(model: GPT, tokens: torch.Tensor, start: int, target: int) -> float:
    """-log p(tokens[target] | tokens[start:target])."""
    with torch.inference_mode():
        logits = model.eval()(tokens[None, start:target].long())[0, -1]
    return -logits.log_softmax(-1)[tokens[target].long()].item()


@pytest.mark.parametrize("protocol", ["full", "random", "sliding"])
def test_a_uniform_model_scores_the_logarithm_of_its_vocabulary(protocol):
    network = GPT(CONFIG)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    score = evaluate(network, random_tokens(100), 100, protocol, batch_size=2)
    assert score.loss == pytest.approx(math.log(13), rel=1e-6)
    assert score.perplexity == pytest.approx(13, rel=1e-5)
    assert score.bits_per_byte == pytest.approx(math.log2(13), rel=1e-6)


@pytest.mark.parametrize("length", [9, 16, 17, 18, 61])
def test_full_predicts_every_token_but_the_first_once(model, length):
    tokens = random_tokens(length)
    expected = [loss_of(model, tokens, (target - 1) // 8 * 8, target) for target in range(1, length)]
    score = evaluate(model, tokens, length, "full")
    assert score.tokens == length - 1 == n_positions("full", length, 8, 1)
    assert score.loss == pytest.approx(sum(expected) / len(expected), rel=1e-5)


@pytest.mark.parametrize("length", [9, 10, 17, 18, 60])
def test_sliding_predicts_every_token_once_with_most_of_the_context(model, length):
    tokens = random_tokens(length)
    starts = [*range(0, length - 9, 2), length - 9]  # windows of 8 predictions, 2 apart, the last at the end
    expected = {}
    for start in starts:
        for target in range(start + 1, start + 9):
            if target not in expected:
                expected[target] = loss_of(model, tokens, start, target)
                assert start == 0 or target - start > 6  # at least three quarters of the context
    assert sorted(expected) == list(range(1, length))
    score = evaluate(model, tokens, length, "sliding")
    assert score.tokens == length - 1
    assert score.loss == pytest.approx(sum(expected.values()) / len(expected), rel=1e-5)


def test_random_is_nanogpts_and_repeats_for_its_seed(model):
    tokens = random_tokens(40)
    assert evaluate(model, tokens, 40, "random", batch_size=3).tokens == 200 * 3 * 8
    score = evaluate(model, tokens, 40, "random", batch_size=3, batches=5, seed=4)
    assert score.tokens == 5 * 3 * 8
    starts = torch.randint(40 - 8, (15,), generator=torch.Generator().manual_seed(4)).tolist()
    expected = [loss_of(model, tokens, start, start + 1 + i) for start in starts for i in range(8)]
    assert score.loss == pytest.approx(sum(expected) / len(expected), rel=1e-5)
    assert evaluate(model, tokens, 40, "random", batch_size=3, batches=5, seed=4) == score
    assert evaluate(model, tokens, 40, "random", batch_size=3, batches=5, seed=5).loss != score.loss


@pytest.mark.parametrize("protocol", ["full", "random", "sliding"])
def test_it_leaves_the_mode_and_the_random_state_alone(model, protocol):
    before = torch.get_rng_state()
    evaluate(model, random_tokens(30), 30, protocol, batch_size=1)
    assert model.training
    assert torch.equal(before, torch.get_rng_state())


def test_bits_per_byte_counts_the_bytes_of_the_text(model):
    tokens = random_tokens(50)
    one, two = (evaluate(model, tokens, n_bytes, "full") for n_bytes in (50, 100))
    assert one.bits_per_byte == pytest.approx(one.loss / math.log(2))
    assert two.bits_per_byte == pytest.approx(one.bits_per_byte / 2)


@pytest.mark.parametrize("protocol", ["full", "random", "sliding"])
def test_progress_rises_to_one(model, protocol):
    seen: list[float] = []  # one number after each pass, of 4,096 tokens
    evaluate(model, random_tokens(20_000), 20_000, protocol, batch_size=32, progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == 1.0


@pytest.mark.parametrize("protocol", ["full", "sliding"])
def test_a_share_is_the_mean_of_so_many_windows_evenly_spaced(model, protocol):
    tokens = random_tokens(8 * 20 + 1)
    places = range(0, 160, 40) if protocol == "full" else None
    part = evaluate(model, tokens, 161, protocol, share=0.2)
    if places is not None:
        expected = [loss_of(model, tokens, start, target) for start in places for target in range(start + 1, start + 9)]
        assert part.tokens == 32
        assert part.loss == pytest.approx(sum(expected) / 32, rel=1e-5)
    assert 0 < part.tokens < evaluate(model, tokens, 161, protocol).tokens
    assert evaluate(model, tokens, 161, protocol, share=1e-9).tokens > 0
