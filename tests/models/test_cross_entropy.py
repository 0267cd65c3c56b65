"""The cross entropy is torch's, whoever computes it."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from minigpt_tui.models.cross_entropy import cross_entropy
from minigpt_tui.models.kernels import working_kernels

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", [65, 4096, 50_304])
def test_losses_and_gradients_are_those_of_torch(device: str, dtype: torch.dtype, size: int) -> None:
    logits = (3 * torch.randn(7, size, device=device)).to(dtype)
    logits[:, -9:] = -torch.inf  # as rows that only fill the head up
    targets = torch.randint(size - 9, (7,), device=device)
    for reduction in ("none", "mean", "sum"):
        found, expected = (logits.clone().requires_grad_() for _ in range(2))
        one = cross_entropy(found, targets, reduction)
        other = F.cross_entropy(expected.float(), targets, reduction=reduction)
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        weights = torch.rand(7, device=device) if reduction == "none" else torch.tensor(0.5, device=device)
        for loss in (one, other):
            (loss * weights).sum().backward()
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-2 if dtype == torch.bfloat16 else 1e-4, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_a_target_that_is_left_out_has_no_loss_and_no_gradient(device: str) -> None:
    logits = torch.randn(3, 5000, device=device, requires_grad=True)
    losses = cross_entropy(logits, torch.tensor([1, -100, 2], device=device), "none")
    losses.sum().backward()
    assert losses[1].item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum(1).gt(0).tolist() == [True, False, True]


@pytest.mark.parametrize("device", DEVICES)
def test_a_logit_that_is_no_number_gives_no_number(device: str) -> None:
    logits = torch.zeros(2, 5000, device=device)
    logits[1, 4711] = torch.nan
    assert cross_entropy(logits, torch.zeros(2, dtype=torch.int64, device=device), "none").isnan().tolist() == [
        False,
        True,
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_the_kernel_works_here() -> None:
    assert working_kernels("cross_entropy", torch.ones(1, device="cuda")) is not None


@pytest.mark.parametrize("fails", ["cannot be imported", "cannot be compiled"])
def test_kernels_that_do_not_work_are_left_to_torch(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    module = ModuleType("broken")

    def check(device: torch.device) -> None:
        raise RuntimeError("no C compiler")

    cast(Any, module).check = check
    name = fails.replace(" ", "_")
    monkeypatch.setitem(sys.modules, f"minigpt_tui.models.kernels.{name}", None if "imported" in fails else module)
    gpu = SimpleNamespace(is_cuda=True, device=torch.device("cuda:7"))
    assert working_kernels(name, cast(Any, gpu)) is None
