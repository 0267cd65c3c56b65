"""The optimizers against torch's own and against a reference written parameter by parameter."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from minigpt_tui.engine.training.update.flat_parameters import FlatParameters
from minigpt_tui.engine.training.update.optimizers import build_optimizer, hidden_pieces, orthogonalise
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import TrainingConfig

MODERN = ModelConfig(vocab_size=11, context_length=8, n_layer=2, n_head=4, n_kv_head=2, d_model=32)
CLASSIC = ModelConfig(
    vocab_size=11, context_length=8, n_layer=2, n_head=2, d_model=24,
    position="learned", norm="layer", mlp="gelu", qk_norm=False, tied=True, bias=True,
)  # fmt: skip


def make(config: ModelConfig, training: TrainingConfig):
    model = GPT(config)
    model.reset_parameters(torch.Generator().manual_seed(3))
    flat = FlatParameters(model)
    return model, flat, build_optimizer(model, flat, training)


def gradient(parameter: torch.Tensor) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def fill_gradients(model: GPT, step: int) -> None:
    """Fill every gradient with noise of its own."""
    generator = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        gradient(parameter).copy_(torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("config", [MODERN, CLASSIC])
def test_flat_buffers_are_the_parameters(config):
    reference = GPT(config)
    reference.reset_parameters(torch.Generator().manual_seed(3))
    model, flat, _ = make(config, TrainingConfig())
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    tokens = torch.randint(11, (2, 8), generator=torch.Generator().manual_seed(1))
    for network in (model, reference):
        network.loss(tokens, tokens.roll(1)).backward()
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(gradient(ours), gradient(theirs))
        assert torch.equal(flat.view(flat.gradients, ours), gradient(theirs))
    flat.values.fill_(0.5)
    assert all(bool((parameter == 0.5).all()) for parameter in model.parameters())
    flat.zero_gradients()
    assert all(not gradient(parameter).any() for parameter in model.parameters())


def test_clipping_equals_torchs():
    reference = GPT(MODERN)
    model, flat, _ = make(MODERN, TrainingConfig())
    fill_gradients(model, 1)
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        theirs.grad = gradient(ours).clone()
    expected = torch.nn.utils.clip_grad_norm_(reference.parameters(), 0.5)
    torch.testing.assert_close(flat.clip_gradients(0.5), expected)
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    before = flat.gradients.clone()
    flat.clip_gradients(1e9)
    assert torch.equal(flat.gradients, before)


@pytest.mark.parametrize("config", [MODERN, CLASSIC])
def test_adamw_equals_torchs(config):
    training = TrainingConfig(optimizer="adamw", learning_rate=1e-2, weight_decay=0.1, beta1=0.9, beta2=0.99)
    model, _, optimizer = make(config, training)
    reference = GPT(config)
    reference.reset_parameters(torch.Generator().manual_seed(3))
    groups = [
        {"params": [p for p in reference.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in reference.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.99))
    for step, factor in enumerate((0.5, 1.0, 1.0, 0.25)):
        fill_gradients(model, step)
        for ours, other in zip(model.parameters(), reference.parameters(), strict=True):
            other.grad = gradient(ours).clone()
        for group in theirs.param_groups:
            group["lr"] = 1e-2 * factor
        optimizer.step(factor)
        theirs.step()
    for ours, other in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 32, 86), (5, 1, 7)])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_orthogonalised_matrices_have_singular_values_near_one(shape, scale):
    # singular values that a polynomial of five steps can reach: the smallest a hundredth of the largest
    generator = torch.Generator().manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    matrices = scale * u @ torch.diag_embed(torch.linspace(1, 0.01, shape[1]).expand(shape[:2])) @ v
    result = orthogonalise(matrices)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.8
    assert values.max() < 1.2
    # the singular vectors are kept: the result is close to the polar factor itself
    assert (result - u @ v).norm() / (u @ v).norm() < 0.2


def test_orthogonalising_zero_gives_zero():
    assert not orthogonalise(torch.zeros(2, 4, 8)).any()


@pytest.mark.parametrize("config", [MODERN, CLASSIC])
def test_muon_equals_a_reference_parameter_by_parameter(config):
    training = TrainingConfig(
        optimizer="muon", learning_rate=0.02, embedding_learning_rate=0.03, head_learning_rate=0.01, momentum=0.9,
        weight_decay=0.1,
    )  # fmt: skip
    model, _, optimizer = make(config, training)
    hidden = dict(hidden_pieces(model))
    assert list(hidden) == model.hidden_matrices()
    expected = {parameter: parameter.detach().clone() for parameter in model.parameters()}
    momentum = {parameter: torch.zeros_like(parameter) for parameter in hidden}
    others = {p: tensor.requires_grad_() for p, tensor in expected.items() if p not in hidden}
    head = set(model.head_parameters())
    adamw = torch.optim.AdamW(
        [
            {"params": [t], "lr": 0.01 if p in head else 0.03, "weight_decay": 0.1 if p.ndim > 1 else 0.0}
            for p, t in others.items()
        ],
        betas=(training.beta1, training.beta2),
    )
    for step in range(3):
        fill_gradients(model, step)
        for parameter, tensor in others.items():
            tensor.grad = gradient(parameter).clone()
        for parameter, pieces in hidden.items():
            momentum[parameter] = 0.9 * momentum[parameter] + 0.1 * gradient(parameter)
            nesterov = 0.9 * momentum[parameter] + 0.1 * gradient(parameter)
            expected[parameter] *= 1 - 0.02 * 0.1
            directions = []
            for piece in nesterov.split(pieces):
                rows, columns = piece.shape
                wide = piece if rows <= columns else piece.T
                direction = orthogonalise(wide[None])[0]
                directions.append((direction if rows <= columns else direction.T) * max(1, rows / columns) ** 0.5)
            expected[parameter] -= 0.02 * torch.cat(directions)
        optimizer.step(1.0)
        adamw.step()
    for parameter, tensor in expected.items():
        torch.testing.assert_close(parameter, tensor, rtol=1e-4, atol=1e-5)


def test_the_fused_products_are_orthogonalised_apart():
    model, _, _ = make(MODERN, TrainingConfig())
    pieces = {tuple(parameter.shape): rows for parameter, rows in hidden_pieces(model)}
    assert pieces[(64, 32)] == [32, 16, 16]  # queries, keys, values
    assert pieces[(32, 32)] == [32]
    feed_forward = MODERN.hidden_size
    assert pieces[(2 * feed_forward, 32)] == [feed_forward, feed_forward]  # gate and up
    assert pieces[(32, feed_forward)] == [32]


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("config", [MODERN, CLASSIC])
def test_every_parameter_is_updated_once_and_resumes_bit_for_bit(kind, config):
    training = TrainingConfig(optimizer=kind)
    model, flat, optimizer = make(config, training)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    fill_gradients(model, 0)
    optimizer.step(1.0)
    assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))

    copy, copy_flat, resumed = make(config, training)
    copy_flat.values.copy_(flat.values)
    resumed.load_state_dict({name: tensor.clone() for name, tensor in optimizer.state_dict().items()})
    for twin, its_optimizer in ((model, optimizer), (copy, resumed)):
        for step in (1, 2):
            fill_gradients(twin, step)
            its_optimizer.step(0.7)
    assert torch.equal(flat.values, copy_flat.values)


def test_a_rate_of_zero_changes_nothing():
    model, flat, optimizer = make(MODERN, TrainingConfig(weight_decay=0.1))
    before = flat.values.clone()
    fill_gradients(model, 0)
    optimizer.step(0.0)
    assert torch.equal(flat.values, before)


def test_a_foreign_state_is_refused():
    _, _, optimizer = make(MODERN, TrainingConfig())
    _, _, other = make(dataclasses.replace(MODERN, n_layer=1), TrainingConfig())
    with pytest.raises(ValueError, match="another model"):
        optimizer.load_state_dict(other.state_dict())
