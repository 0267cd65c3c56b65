"""The step of one position says what the whole model says: every option, any rows and threads, newer weights."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import ModelConfig, parameter_count
from minigpt_tui.models.fast.decoding import DecodeStep, prepare_decoding
from minigpt_tui.models.fast.quantization import quantize_int8
from minigpt_tui.models.gpt import GPT

from ..test_gpt import MODERN, cases, random_model, random_tokens

LARGE = replace(MODERN, context_length=400, d_model=160, n_kv_head=2, d_ff=700)


def prepared(config: ModelConfig, way: str = "native", int8: bool = False, seed: int = 1) -> GPT:
    """A model that decodes this way."""
    model = random_model(config, seed)
    if int8:
        for parameter in model.hidden_matrices():
            parameter.data *= 0.3
        quantize_int8(model)
    prepare_decoding(model)
    assert isinstance(model.step, DecodeStep) == (way == "native")
    return model


def decoded(model: GPT, tokens: torch.Tensor, cache: KVCache, start: int) -> torch.Tensor:
    """What follows each token from `start` on, read one by one behind a prompt: [B, T - start, V]."""
    with torch.inference_mode():
        model(tokens[:, :start], cache)
        parts = [model.next_logits(tokens[:, i : i + 1], cache) for i in range(start, tokens.shape[1])]
    return torch.stack(parts, 1)


@torch.inference_mode()
def whole(model: GPT, tokens: torch.Tensor) -> torch.Tensor:
    """The same in one pass of the model."""
    return model(tokens)


@cases
@pytest.mark.parametrize("rows", [1, 3])
def test_a_step_is_the_whole_models(config, rows, way):
    tokens, expected = random_tokens(rows, 24), whole(random_model(config), random_tokens(rows, 24))
    model = prepared(config, way)
    for start in (1, 7, 23):
        logits = decoded(model, tokens, cache := KVCache(config, rows, 24), start)
        torch.testing.assert_close(logits, expected[:, start:], atol=2e-5, rtol=1e-4)
        assert cache.length == 24
    cache.truncate(9)
    with torch.inference_mode():
        torch.testing.assert_close(model(tokens[:, 9:], cache), expected[:, 9:], atol=2e-5, rtol=1e-4)


@cases
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_int8_weights_say_the_same_step_by_step(config, rows, way):
    """For one to three rows the compiled step rounds the inputs of a product to 16 bits; logits are of size 2 to 5."""
    tokens, model = random_tokens(rows, 24), prepared(config, way, int8=True)
    expected = whole(model, tokens)[:, 5:]
    logits = decoded(model, tokens, KVCache(model.config, rows, 24), 5)
    rounds_inputs = way == "native" and rows < 4
    torch.testing.assert_close(logits, expected, atol=1e-3 if rounds_inputs else 2e-5, rtol=1e-4)
    assert (logits - expected).norm() < 2e-4 * expected.norm()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("limit", ["", "avx2", "plain"])
@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
def test_every_kind_of_processor_computes_the_same(monkeypatch, limit, int8):
    """Those that this one is not are left out: a limit means that or less."""
    expected = decoded(prepared(LARGE, int8=int8), random_tokens(1, 300), KVCache(LARGE, 1, 300), 280)
    monkeypatch.setenv("MINIGPT_NATIVE", limit)
    logits = decoded(prepared(LARGE, int8=int8), random_tokens(1, 300), KVCache(LARGE, 1, 300), 280)
    assert (logits - expected).norm() < (2e-4 if int8 else 1e-5) * expected.norm()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
def test_the_number_of_threads_changes_no_bit(rows, int8):
    tokens, model, found = random_tokens(rows, 300), prepared(LARGE, int8=int8), []
    filled = KVCache(LARGE, rows, 300)
    with torch.inference_mode():
        model(tokens[:, :290], filled)
    try:
        for threads in (1, 2, 5, 1):
            cache = filled.rows(range(rows))
            torch.set_num_threads(threads)
            with torch.inference_mode():
                found.append([model.next_logits(tokens[:, i : i + 1], cache) for i in range(290, 300)])
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(torch.stack(logits), torch.stack(found[0])) for logits in found)


@cases
def test_newer_weights_are_taken_in_place(config, way):
    model, newer, tokens = prepared(config, way), random_model(config, seed=4), random_tokens(1, 12)
    decoded(model, tokens, KVCache(config, 1, 12), 1)
    places = [parameter.data_ptr() for parameter in model.parameters()]
    model.load_state_dict(newer.state_dict())
    prepare_decoding(model)
    assert [parameter.data_ptr() for parameter in model.parameters()] == places
    logits = decoded(model, tokens, KVCache(config, 1, 12), 1)
    torch.testing.assert_close(logits, whole(newer, tokens)[:, 1:], atol=2e-5, rtol=1e-4)


def test_weights_that_lie_otherwise_in_memory_are_multiplied_alike(way):
    model, tokens = random_model(MODERN), random_tokens(1, 8)
    expected = whole(model, tokens)
    for matrix in model.hidden_matrices():
        matrix.data = matrix.data.t().contiguous().t()
    prepare_decoding(model)
    logits = decoded(model, tokens, KVCache(MODERN, 1, 8), 1)
    torch.testing.assert_close(logits, expected[:, 1:], atol=2e-5, rtol=1e-4)


def test_a_step_serves_any_number_of_rows_in_turn(way):
    model, tokens = prepared(MODERN, way), random_tokens(3, 8)
    expected = whole(model, tokens)
    for rows in ([0], [0, 1, 2], [2], [1, 0]):
        logits = decoded(model, tokens[rows], KVCache(MODERN, len(rows), 8), 1)
        torch.testing.assert_close(logits, expected[rows, 1:], atol=2e-5, rtol=1e-4)


def test_a_cache_may_grow_and_lose_rows_between_two_steps(way):
    model, tokens = prepared(MODERN, way), random_tokens(3, 9)
    expected, cache = whole(model, tokens), KVCache(MODERN, 3, 7)
    decoded(model, tokens[:, :7], cache, 1)
    cache.grow(24)
    cache.keep([0, 2])
    with torch.inference_mode():
        for i in (7, 8):
            logits = model.next_logits(tokens[[0, 2], i : i + 1], cache)
            torch.testing.assert_close(logits, expected[[0, 2], i], atol=2e-5, rtol=1e-4)


def test_logits_outlive_the_next_step(way):
    model, tokens = prepared(MODERN, way), random_tokens(1, 2)
    cache = KVCache(MODERN, 1, 2)
    with torch.inference_mode():
        first = model.next_logits(tokens[:, :1], cache)
        before = first.clone()
        model.next_logits(tokens[:, 1:], cache)
    assert torch.equal(first, before)


def test_a_step_refuses_what_does_not_fit(way):
    model = prepared(MODERN, way)
    cache = KVCache(MODERN, 1, 2)
    with torch.inference_mode():
        model(random_tokens(1, 2), cache)
        with pytest.raises(ValueError, match="3 positions do not fit a cache of 2"):
            model.next_logits(random_tokens(1, 1), cache)
        cache.truncate(1)
        for token in (-1, MODERN.vocab_size):
            with pytest.raises(IndexError):
                model.next_logits(torch.tensor([[token]]), cache)
    assert cache.length == 1


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_give_no_logits_that_look_like_some(way, int8, value):
    model = random_model(replace(MODERN, mlp="relu"))
    with torch.no_grad():
        model.embedding[3] = value
    if int8:
        quantize_int8(model)
    prepare_decoding(model)
    with torch.inference_mode():
        assert model.next_logits(torch.tensor([[3]]), KVCache(MODERN, 1, 2)).isnan().all()


def test_scores_far_apart_leave_one_position(way):
    model = random_model(replace(MODERN, qk_norm=False))
    for matrix in model.hidden_matrices():
        matrix.data *= 1e3
    tokens, expected = random_tokens(1, 8), whole(model, random_tokens(1, 8))
    prepare_decoding(model)
    logits = decoded(model, tokens, KVCache(model.config, 1, 8), 1)
    torch.testing.assert_close(logits, expected[:, 1:], atol=1e-2, rtol=1e-3)


def test_a_prepared_model_only_generates(way):
    model = prepared(MODERN, way)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameter_count(MODERN)


def test_other_types_keep_to_the_whole_model(way):
    model = random_model(MODERN, compute_dtype=torch.bfloat16)
    prepare_decoding(model)
    assert model.step is None
    twin = copy.deepcopy(model)
    assert twin.step is None


@pytest.mark.usefixtures("compiled")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted where Linux lists them")
def test_the_threads_go_with_the_model():
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    model, tokens = prepared(LARGE), random_tokens(1, 2)
    before = threads()
    torch.set_num_threads(4)
    try:
        with torch.inference_mode():
            model.next_logits(tokens[:, :1], KVCache(LARGE, 1, 2))
        assert threads() == before + 3
        del model
        assert threads() == before
    finally:
        torch.set_num_threads(1)


@pytest.mark.usefixtures("compiled")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_decodes_as_its_parent_does():
    model, tokens = prepared(LARGE), random_tokens(1, 2)

    def step() -> torch.Tensor:
        with torch.inference_mode():
            return model.next_logits(tokens[:, :1], KVCache(LARGE, 1, 2))

    def in_child(work: Callable[[], bool]) -> int:
        if (child := os.fork()) == 0:
            os._exit(0 if work() else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    torch.set_num_threads(3)
    try:
        expected = step()
        assert in_child(lambda: torch.equal(step(), expected)) == 0
        assert torch.equal(step(), expected)
    finally:
        torch.set_num_threads(1)
