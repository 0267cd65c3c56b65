"""Blocks by compiled functions have the outputs and gradients that torch's operators have, for every kind of block."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from minigpt_tui.models import gpt
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.native import train
from minigpt_tui.models.native.library import library
from minigpt_tui.models.native.structs import Work
from torch import Tensor

pytestmark = pytest.mark.skipif(library() is None, reason="built without a C compiler")

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grouped keys": {"n_kv_head": 2},
    "one key head": {"n_kv_head": 1},
    "no QK-norm": {"qk_norm": False},
    "learned positions": {"position": "learned"},
    "sinusoidal positions, no QK-norm": {"position": "sinusoidal", "qk_norm": False},
    "relu": {"mlp": "relu"},
    "relu2": {"mlp": "relu2"},
    "gelu": {"mlp": "gelu"},
    "gelu_tanh": {"mlp": "gelu_tanh"},
    "no MLP": {"mlp": "none"},
    "odd sizes": {"n_head": 3, "n_kv_head": 3, "d_model": 30, "d_ff": 71},
    "residual dropout": {"residual_dropout": 0.2},
    "attention dropout": {"attention_dropout": 0.2},
    "biases": {"bias": True},
    "LayerNorm": {"norm": "layer"},
    "post-norm": {"norm_position": "post"},
    "tied": {"tied": True},
}


def model_of(**changes: Any) -> GPT:
    shape: dict[str, Any] = {"context_length": 24, "n_layer": 2, "n_head": 4, "d_model": 48, "vocab_size": 33}
    model = GPT(ModelConfig(**{**shape, **changes}))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.7 if parameter.ndim == 1 else 0.0, 0.3, generator=generator)
    return model.train()


def learned(model: GPT, length: int = 24) -> list[Tensor]:
    """The loss and all gradients of one batch."""
    tokens = torch.randint(33, (5, length + 1), generator=torch.Generator().manual_seed(2))
    torch.manual_seed(3)  # dropout's
    model.zero_grad()
    loss = model.loss(tokens[:, :-1], tokens[:, 1:])
    loss.backward()
    return [loss.detach(), *(parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None)]


@pytest.fixture
def by_torch(monkeypatch: pytest.MonkeyPatch):
    """What a function returns where nothing is compiled."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(gpt, "fuses", lambda x: False)
            return function(*arguments)

    return call


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_loss_and_gradients_are_those_of_torch(kind: str, threads: int, by_torch) -> None:
    model, before = model_of(**KINDS[kind]), torch.get_num_threads()
    expected = by_torch(learned, model)
    torch.set_num_threads(threads)
    try:
        made = learned(model)
    finally:
        torch.set_num_threads(before)
    assert len(made) == len(expected) == 1 + len(list(model.parameters()))
    for one, other in zip(made, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5 * max(1.0, other.abs().max().item()))


def test_a_model_with_other_products_keeps_them() -> None:
    model = model_of()
    used = []
    for module in model.modules():
        if isinstance(module, gpt.Linear):
            module.multiply = lambda x, weight, bias: (
                used.append(weight.shape),
                torch.nn.functional.linear(x, weight),
            )[1]
    learned(model)
    assert len(used) == 2 * 4


def test_the_functions_are_used(monkeypatch) -> None:
    done: list[Work] = []
    compute = train.compute
    for module in ("mlp", "attention", "rms_norm"):
        monkeypatch.setattr(
            f"minigpt_tui.models.kernels.{module}.compute",
            lambda work, rows, **values: (done.append(work), compute(work, rows, **values)),
        )
    learned(model_of(n_layer=1))
    assert set(done) == set(Work)


def test_the_number_of_threads_changes_no_result(monkeypatch) -> None:
    model, results = model_of(), []
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)  # torch's products keep theirs
        results.append(learned(model))
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


def test_a_shorter_sequence_and_a_pass_without_gradients_are_those_of_torch(by_torch) -> None:
    model = model_of(n_kv_head=2)
    for made, expected in zip(learned(model, 5), by_torch(learned, model, 5), strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-4, atol=2e-5)
    tokens = torch.randint(33, (2, 24), generator=torch.Generator().manual_seed(4))

    def logits() -> Tensor:
        with torch.inference_mode():
            return model(tokens)

    torch.testing.assert_close(logits(), by_torch(logits), rtol=1e-4, atol=1e-4)


def test_extreme_activations_stay_finite_where_those_of_torch_do(by_torch) -> None:
    model = model_of()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_({"up": 1e4, "q_norm": 300.0}.get(name.split(".")[-2] if "." in name else "", 1.0))
    for made, expected in zip(learned(model), by_torch(learned, model), strict=True):
        assert torch.equal(made.isfinite(), expected.isfinite())
        torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-3 * max(1.0, expected.abs().max().item()))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_seen_in_the_loss(value: float) -> None:
    for name in ("mlp.up.weight", "attention.qkv.weight", "attention_norm.weight"):
        model = model_of()
        with torch.no_grad():
            model.blocks[0].get_parameter(name).view(-1)[0] = value
        assert not learned(model)[0].isfinite(), name


@pytest.mark.parametrize("limit", ["0", "plain", "avx2"])
def test_the_environment_leaves_it_out_or_keeps_it_to_an_older_processor(limit: str) -> None:
    code = (
        "import torch; from minigpt_tui.models.native.library import library; from minigpt_tui.models.gpt import GPT; "
        "from minigpt_tui.models.config import ModelConfig; x = torch.zeros(1, 4, dtype=torch.long); "
        "m = GPT(ModelConfig(vocab_size=9, n_layer=1, n_head=2, d_model=16)); "
        "print(library() is not None, m.loss(x, x).item())"
    )
    environment = {**os.environ, "MINIGPT_NATIVE": limit}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    is_loaded, loss = done.stdout.split()
    assert is_loaded == str(limit != "0")
    assert float(loss) == pytest.approx(torch.tensor(9.0).log().item(), abs=1e-5)
