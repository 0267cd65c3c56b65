"""AdamW, and Muon: orthogonalised momentum for the hidden matrices with AdamW for all other parameters.

Muon: Keller Jordan et al., "Muon: an optimizer for the hidden layers in neural networks" (2024). The polynomials of its
Newton-Schulz iteration are those of Amsel et al., "The Polar Express" (2025), which reach the sign of each singular
value fastest in a fixed number of steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....models.gpt import GPT
from ....models.recipe import TrainingConfig
from ..group import Group
from .flat_parameters import FlatParameters

# One row an iteration: X <- aX + (bA + cAA)X with A = XX'. Made for singular values in [0.001, 1 / 1.02].
_POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)


def orthogonalise(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The nearest semi-orthogonal matrix of each matrix in a batch (n, rows, cols), rows <= cols.

    Singular values come to within about 15 percent of 1. Computed, and returned, in `dtype`; zero stays zero.
    """
    norms = torch.linalg.vector_norm(matrices, dim=(-2, -1), keepdim=True)
    x = (matrices / (1.02 * norms).clamp_min(1e-30)).to(dtype)
    for a, b, c in _POLAR_EXPRESS:
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


class Optimizer(ABC):
    """Updates `FlatParameters` from their gradients; its state is a few tensors."""

    @abstractmethod
    def step(self, factor: float | Tensor) -> None:
        """One update with every learning rate multiplied by `factor`, the schedule's value.

        As a tensor () on the parameters' device it is read when the kernels run, as a CUDA graph needs it.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """The state by name; the tensors are the live ones, not copies."""

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy a state into this one. Raises ValueError where it belongs to another model or optimizer."""
        own = self.state_dict()
        if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
            raise ValueError("the optimizer's state belongs to another model or optimizer")
        for name, tensor in own.items():
            tensor.copy_(state[name])


@dataclass(frozen=True)
class _Segment:
    """A slice of the flat buffers that AdamW updates at one rate."""

    where: slice
    learning_rate: float
    weight_decay: float


class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter, 2019) over segments of the flat buffers, one fused operation for each."""

    epsilon = 1e-8

    def __init__(self, flat: FlatParameters, segments: list[_Segment], config: TrainingConfig) -> None:
        self._betas = config.beta1, config.beta2
        self._segments = [segment for segment in segments if segment.where.stop > segment.where.start]
        start = min(segment.where.start for segment in self._segments)
        stop = max(segment.where.stop for segment in self._segments)
        self._first = torch.zeros_like(flat.values[start:stop])
        self._second = torch.zeros_like(self._first)
        self._steps = torch.zeros((), device=flat.values.device)
        self._buffers = [
            [buffer[segment.where] for buffer in (flat.values, flat.gradients)]
            + [
                moment[segment.where.start - start : segment.where.stop - start]
                for moment in (self._first, self._second)
            ]
            for segment in self._segments
        ]

    @torch.no_grad()
    def step(self, factor: float | Tensor) -> None:
        """One update of every segment."""
        beta1, beta2 = self._betas
        self._steps += 1
        for segment, (values, gradients, first, second) in zip(self._segments, self._buffers, strict=True):
            # torch.optim.AdamW(fused=True) is this call; importing torch.optim's class costs a second (torch._dynamo)
            torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
                [values], [gradients], [first], [second], [], [self._steps],
                lr=segment.learning_rate * factor, beta1=beta1, beta2=beta2, weight_decay=segment.weight_decay,
                eps=self.epsilon, amsgrad=False, maximize=False,
            )  # fmt: skip

    def state_dict(self) -> dict[str, Tensor]:
        """Both moments and the number of updates."""
        return {"first_moment": self._first, "second_moment": self._second, "updates": self._steps}


class _EqualShapes:
    """Matrices that are orthogonalised as one batch: all have the same shape, or the same after transposition.

    Each rank of a group orthogonalises a part of them.
    """

    def __init__(self, values: list[Tensor], updates: list[Tensor], group: Group | None) -> None:
        self._group = group
        self.values = [_wide(matrix) for matrix in values]
        self.updates = [_wide(matrix) for matrix in updates]
        scales = [max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5 for matrix in values]
        self.scales = torch.tensor(scales, device=values[0].device)[:, None, None]

    def step(self, learning_rate: float | Tensor, dtype: torch.dtype) -> None:
        changes = self._orthogonal(dtype) * (self.scales * -learning_rate)
        torch._foreach_add_(self.values, list(changes.unbind()))  # pyright: ignore[reportPrivateImportUsage]

    def _orthogonal(self, dtype: torch.dtype) -> Tensor:
        if self._group is None:
            return orthogonalise(torch.stack(self.updates), dtype)
        count = -(-len(self.updates) // self._group.size)
        first = count * self._group.rank
        own = self.updates[first : first + count]
        padding = torch.zeros_like(self.updates[0])  # every rank sends as many
        part = orthogonalise(torch.stack(own + [padding] * (count - len(own))), dtype)
        return self._group.all_gather(part)[: len(self.updates)]


class Muon(Optimizer):
    """Orthogonalised Nesterov momentum for the hidden matrices, the optimizer `rest` for the other parameters.

    Each update is scaled by sqrt(max(1, rows / cols)); weight decay is decoupled. `matrices` are parameters, each with
    the numbers of rows of the matrices that were fused into it (queries, keys and values; gate and up).
    """

    def __init__(
        self,
        flat: FlatParameters,
        matrices: list[tuple[nn.Parameter, list[int]]],
        config: TrainingConfig,
        rest: Optimizer,
        dtype: torch.dtype = torch.float32,
        group: Group | None = None,
    ) -> None:
        self._learning_rate, self._weight_decay = config.learning_rate, config.weight_decay
        self._beta, self._dtype, self._rest = config.momentum, dtype, rest
        self._values, self._gradients = flat.values[flat.hidden], flat.gradients[flat.hidden]
        self._momentum = torch.zeros_like(self._values)
        self._update = torch.zeros_like(self._values)
        shapes: defaultdict[torch.Size, tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
        for parameter, pieces in matrices:
            # the hidden matrices lie at the front of the buffers, so the flat layout holds for their slice as well
            updates = flat.view(self._update, parameter).split(pieces)
            for value, update in zip(flat.view(flat.values, parameter).split(pieces), updates, strict=True):
                for matrices_of_shape, matrix in zip(shapes[_wide(value).shape], (value, update), strict=True):
                    matrices_of_shape.append(matrix)
        self._groups = [_EqualShapes(values, updates, group) for values, updates in shapes.values()]

    @torch.no_grad()
    def step(self, factor: float | Tensor) -> None:
        """One update of every parameter."""
        self._rest.step(factor)
        learning_rate = self._learning_rate * factor
        self._momentum.lerp_(self._gradients, 1 - self._beta)
        torch.lerp(self._gradients, self._momentum, self._beta, out=self._update)
        if self._weight_decay:
            self._values.mul_(1 - learning_rate * self._weight_decay)
        for group in self._groups:
            group.step(learning_rate, self._dtype)

    def state_dict(self) -> dict[str, Tensor]:
        """The momentum of the matrices, and the state of the rest."""
        return {"momentum": self._momentum, **self._rest.state_dict()}


def build_optimizer(model: GPT, flat: FlatParameters, config: TrainingConfig, group: Group | None = None) -> Optimizer:
    """The optimizer that the recipe names. Weight decay is for matrices and embeddings only, as in nanoGPT.

    The ranks of a `group` must all have the same gradients; they share Muon's work and repeat AdamW's.
    """
    decay = config.weight_decay
    if config.optimizer == "adamw":
        everything = slice(flat.hidden.start, flat.head.stop)
        segments = [
            _Segment(everything, config.learning_rate, decay),
            _Segment(flat.vectors, config.learning_rate, 0.0),
        ]
        return AdamW(flat, segments, config)
    segments = [
        _Segment(flat.embedding, config.embedding_learning_rate, decay),
        _Segment(flat.head, config.head_learning_rate, decay),
        _Segment(flat.vectors, config.embedding_learning_rate, 0.0),
    ]
    return Muon(flat, hidden_pieces(model), config, AdamW(flat, segments, config), model.compute_dtype, group)


def hidden_pieces(model: GPT) -> list[tuple[nn.Parameter, list[int]]]:
    """The parameters of `model.hidden_matrices()`, each with the numbers of rows of the matrices fused into it."""
    config = model.config
    width, feed_forward = config.size_per_head, config.hidden_size
    fused = {"qkv": [config.n_head * width, config.kv_heads * width, config.kv_heads * width]}
    if config.mlp == "swiglu":
        fused["up"] = [feed_forward, feed_forward]
    layers = {parameter: name.split(".")[-2] for name, parameter in model.blocks.named_parameters()}
    return [(matrix, fused.get(layers[matrix], [matrix.shape[0]])) for matrix in model.hidden_matrices()]


def _wide(matrix: Tensor) -> Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
