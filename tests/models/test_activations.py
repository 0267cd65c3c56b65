"""Each activation is its formula, and training on a CPU gets the gradients that torch would make of it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from minigpt_tui.models.activations import ACTIVATIONS
from torch import Tensor

FORMULAS = {
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: x.clamp_min(0),
    "relu2": lambda x: x.clamp_min(0) ** 2,
    "swiglu": lambda x: x[..., :6] * torch.sigmoid(x[..., :6]) * x[..., 6:],
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_formula_with_and_without_gradients(name: str) -> None:
    x = torch.randn(3, 5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = FORMULAS[name](x)
    torch.testing.assert_close(ACTIVATIONS[name](x), expected)
    with torch.no_grad():
        torch.testing.assert_close(ACTIVATIONS[name](x), expected)
    assert torch.autograd.gradcheck(ACTIVATIONS[name], x.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_of_swiglu_is_torchs_own_bit_for_bit(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    x, gradient = (torch.randn(4, 7, width, generator=generator).to(dtype) for width in (48, 24))

    def plain(x: Tensor) -> Tensor:
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate) * up

    made = []
    for swiglu in (plain, ACTIVATIONS["swiglu"]):
        leaf = x.clone().requires_grad_()
        swiglu(leaf).backward(gradient)
        made.append(leaf.grad)
    assert torch.equal(*made)
