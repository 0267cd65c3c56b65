from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.fast.quantization import Int8Linear, QuantizationError, quantize_int8
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.native.structs import GROUP

MODERN = ModelConfig(vocab_size=61, context_length=24, n_layer=2, n_head=4, n_kv_head=2, d_model=64)
CLASSIC = replace(
    MODERN, position="learned", norm="layer", mlp="gelu", qk_norm=False, tied=True, bias=True, n_kv_head=0
)


def model(config: ModelConfig) -> GPT:
    """Weights of which each matters."""
    made = GPT(config)
    generator = torch.Generator().manual_seed(1)
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1 + (parameter.ndim == 1)
    return made.eval()


@pytest.mark.parametrize(("out", "inner"), [(40, 64), (1152, 8), (391, 200), (3, 2)])
def test_each_group_is_rounded_by_at_most_half_a_step(out: int, inner: int) -> None:
    weight = torch.randn(out, inner, generator=torch.Generator().manual_seed(0)) * torch.logspace(-4, 2, out)[:, None]
    found = Int8Linear(weight).dequantized()
    assert found.shape == weight.shape
    for start in range(0, inner, GROUP):
        exact, rounded = weight[:, start : start + GROUP], found[:, start : start + GROUP]
        assert ((rounded - exact).abs() <= 0.51 * exact.abs().amax(1, keepdim=True) / 127).all()


def test_a_matrix_of_zeros_stays_one() -> None:
    layer = Int8Linear(torch.zeros(32, 32))
    for rows in (1, 20):
        assert torch.equal(layer(torch.ones(rows, 32)), torch.zeros(rows, 32))


def test_weights_that_are_no_numbers_stay_none() -> None:
    weight = torch.ones(4, 2 * GROUP)
    weight[1, 3], weight[2, 70] = torch.nan, torch.inf
    assert Int8Linear(weight)(torch.ones(1, 2 * GROUP)).isfinite().tolist() == [[True, False, False, True]]


@pytest.mark.parametrize("shape", [(1, 64), (7, 64), (2, 5, 64), (3, 9, 64)])
def test_a_product_is_near_the_exact_one(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(2)
    weight, bias = torch.randn(48, 64, generator=generator), torch.randn(48, generator=generator)
    x = torch.randn(shape, generator=generator)
    exact = torch.nn.functional.linear(x, weight, bias)
    rounded = Int8Linear(weight, bias)(x)
    assert rounded.shape == exact.shape
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() / exact.norm() < 0.01


@pytest.mark.parametrize("width", [1, 8, 33, 88, 344])
def test_rows_of_any_width_are_multiplied(width: int) -> None:
    generator = torch.Generator().manual_seed(4)
    weight, x = torch.randn(40, width, generator=generator), torch.randn(3, width, generator=generator)
    exact, rounded = torch.nn.functional.linear(x, weight), Int8Linear(weight)(x)
    assert (rounded - exact).norm() / exact.norm() < 0.01


@pytest.mark.parametrize("config", [MODERN, CLASSIC, replace(MODERN, mlp="none"), replace(CLASSIC, tied=False)],
                         ids=["modern", "classic", "attention only", "not tied"])  # fmt: skip
def test_a_model_says_nearly_the_same(config: ModelConfig) -> None:
    exact, rounded = model(config), model(config)
    quantize_int8(rounded)
    tokens = torch.randint(61, (2, 24), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        before, after = exact(tokens).softmax(-1), rounded(tokens).softmax(-1)
        cache = KVCache(config, 2, 24)
        parts = torch.cat([rounded(tokens[:, :9], cache), rounded(tokens[:, 9:], cache)], 1).softmax(-1)
    assert (before - after).abs().max() < 0.1
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, parts, atol=1e-5, rtol=0)
    assert all(parameter.ndim == 1 or name in ("embedding", "positions") for name, parameter in
               rounded.named_parameters())  # fmt: skip


def test_weights_are_exchanged_as_a_state() -> None:
    first, second = model(MODERN), GPT(MODERN)
    quantize_int8(first)
    quantize_int8(second)
    second.load_state_dict(first.state_dict())
    tokens = torch.arange(10)[None]
    with torch.inference_mode():
        assert torch.equal(first(tokens), second(tokens))


def test_another_device_is_refused() -> None:
    with pytest.raises(QuantizationError, match="for CPUs"):
        quantize_int8(GPT(MODERN, device="meta"))
