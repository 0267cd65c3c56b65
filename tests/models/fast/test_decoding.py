"""The step of one position says what the whole model says: every option, layout, number of rows, and newer weights."""

from __future__ import annotations

import copy

import pytest
import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import parameter_count
from minigpt_tui.models.fast.decoding import prepare_decoding, set_weight_layout
from minigpt_tui.models.fast.quantization import quantize_int8
from minigpt_tui.models.gpt import GPT
from torch.backends import mkldnn

from ..test_gpt import MODERN, cases, random_model, random_tokens


def decoded(model: GPT, tokens: torch.Tensor, cache: KVCache, start: int) -> torch.Tensor:
    """What follows each token from `start` on, read one by one behind a prompt: [B, T - start, V]."""
    calls, step = [], model.step
    assert step is not None

    def counted(tokens: torch.Tensor, cache: KVCache) -> torch.Tensor:
        calls.append(cache.length)
        return step(tokens, cache)

    model.step = counted
    with torch.inference_mode():
        model(tokens[:, :start], cache)
        parts = [model.next_logits(tokens[:, i : i + 1], cache) for i in range(start, tokens.shape[1])]
    model.step = step
    assert calls == list(range(start, tokens.shape[1]))
    return torch.stack(parts, 1)


@cases
@pytest.mark.parametrize("column_major", [False, True])
@pytest.mark.parametrize("rows", [1, pytest.param(3, marks=pytest.mark.long)])
def test_a_step_is_the_whole_models(config, column_major, rows):
    model, tokens = random_model(config), random_tokens(rows, 24)
    with torch.inference_mode():
        expected = model(tokens)
    prepare_decoding(model)
    set_weight_layout(model, column_major)
    for start in (1, 7, 23):
        logits = decoded(model, tokens, cache := KVCache(config, rows, 24), start)
        torch.testing.assert_close(logits, expected[:, start:], atol=2e-5, rtol=1e-4)
        assert cache.length == 24
    cache.truncate(9)
    with torch.inference_mode():
        torch.testing.assert_close(model(tokens[:, 9:], cache), expected[:, 9:], atol=2e-5, rtol=1e-4)


@cases
def test_newer_weights_are_taken_in_place(config):
    model, newer, tokens = random_model(config), random_model(config, seed=4), random_tokens(1, 12)
    prepare_decoding(model)
    set_weight_layout(model, column_major=True)
    decoded(model, tokens, KVCache(config, 1, 12), 1)
    places = [parameter.data_ptr() for parameter in model.parameters()]
    model.load_state_dict(newer.state_dict())
    prepare_decoding(model)
    assert [parameter.data_ptr() for parameter in model.parameters()] == places
    with torch.inference_mode():
        expected = newer(tokens)
    logits = decoded(model, tokens, KVCache(config, 1, 12), 1)
    torch.testing.assert_close(logits, expected[:, 1:], atol=2e-5, rtol=1e-4)


@cases
@pytest.mark.parametrize("rows", [1, 2])
def test_int8_weights_say_the_same_step_by_step(config, rows):
    model, tokens = random_model(config), random_tokens(rows, 24)
    for parameter in model.hidden_matrices():
        parameter.data *= 0.3
    quantize_int8(model)
    prepare_decoding(model)
    with torch.inference_mode():
        expected = model(tokens)
    logits = decoded(model, tokens, KVCache(model.config, len(tokens), 24), 5)
    torch.testing.assert_close(logits, expected[:, 5:], atol=2e-5, rtol=1e-4)


def test_a_step_serves_any_number_of_rows_in_turn():
    model, tokens = random_model(MODERN), random_tokens(3, 8)
    with torch.inference_mode():
        expected = model(tokens)
    prepare_decoding(model)
    for rows in ([0], [0, 1, 2], [2], [1, 0]):
        logits = decoded(model, tokens[rows], KVCache(MODERN, len(rows), 8), 1)
        torch.testing.assert_close(logits, expected[rows, 1:], atol=2e-5, rtol=1e-4)


def test_logits_outlive_the_next_step():
    model, tokens = random_model(MODERN), random_tokens(1, 2)
    prepare_decoding(model)
    cache = KVCache(MODERN, 1, 2)
    with torch.inference_mode():
        first = model.next_logits(tokens[:, :1], cache)
        before = first.clone()
        model.next_logits(tokens[:, 1:], cache)
    assert torch.equal(first, before)


def test_a_step_refuses_what_does_not_fit():
    model = random_model(MODERN)
    prepare_decoding(model)
    cache = KVCache(MODERN, 1, 2)
    with torch.inference_mode():
        model(random_tokens(1, 2), cache)
        with pytest.raises(ValueError, match="3 positions do not fit a cache of 2"):
            model.next_logits(random_tokens(1, 1), cache)
    assert cache.length == 2


def test_a_prepared_model_only_generates():
    model = random_model(MODERN)
    prepare_decoding(model)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameter_count(MODERN)


def test_other_types_keep_to_the_whole_model():
    model = random_model(MODERN, compute_dtype=torch.bfloat16)
    prepare_decoding(model)
    assert model.step is None
    twin = copy.deepcopy(model)
    assert twin.step is None


@pytest.mark.parametrize("enabled", [True, False])
def test_a_step_leaves_onednn_as_it_was_even_where_it_fails(enabled, monkeypatch):
    monkeypatch.setattr(mkldnn, "enabled", enabled)
    model = random_model(MODERN)
    prepare_decoding(model)
    with torch.inference_mode():
        model.next_logits(random_tokens(1, 1), KVCache(MODERN, 1, 2))
        assert mkldnn.enabled is enabled
        with pytest.raises(IndexError):
            model.next_logits(torch.tensor([[MODERN.vocab_size]]), KVCache(MODERN, 1, 2))
        assert mkldnn.enabled is enabled
