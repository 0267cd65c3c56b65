"""The optimizers of `optimizers` for a model that is spread over processes: their state is spread in the same way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from ....models.gpt import GPT
from ....models.recipe import TrainingConfig
from ..group import Group
from ..update.optimizers import AdamW, hidden_pieces, orthogonalise


@dataclass(frozen=True)
class _Part:
    """Parameters that AdamW updates at one rate."""

    parameters: list[nn.Parameter]
    learning_rate: float
    weight_decay: float


class ShardedOptimizer:
    """Muon for the hidden matrices and AdamW for the others, or AdamW for all, as `build_optimizer` shares them out.

    `moments` holds the state by name and parameter: this process's rows of momentum, first and second moment.
    AdamW needs nothing of the other processes. Muon turns each matrix as a whole: `_Turn`.
    """

    def __init__(self, model: GPT, shards: dict[str, DTensor], config: TrainingConfig, group: Group) -> None:
        self._config, self._dtype = config, model.compute_dtype
        self.updates = torch.zeros((), device=model.embedding.device)
        self.moments: dict[str, Tensor] = {}
        self._parts = _parts(model, config)
        self._names: dict[Tensor, str] = {shard: name for name, shard in shards.items()}
        for part in self._parts:
            for parameter in part.parameters:
                for moment in ("first_moment", "second_moment"):
                    self._add(moment, parameter)
        turns: defaultdict[torch.Size, list[tuple[nn.Parameter, list[int]]]] = defaultdict(list)
        if config.optimizer == "muon":
            for parameter, pieces in hidden_pieces(model):
                self._add("momentum", parameter)
                turns[parameter.shape].append((parameter, pieces))
        self._turns = [
            _Turn(alike[i : i + group.size], group)
            for alike in turns.values()
            for i in range(0, len(alike), group.size)
        ]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update with every learning rate multiplied by `factor`, from the parameters' gradients."""
        config = self._config
        self.updates += 1
        for part in self._parts:
            if rows := list(self._of(part)):
                values, gradients, first, second = map(list, zip(*rows, strict=True))
                torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
                    values, gradients, first, second, [], [self.updates] * len(rows),
                    lr=part.learning_rate * factor, beta1=config.beta1, beta2=config.beta2,
                    weight_decay=part.weight_decay, eps=AdamW.epsilon, amsgrad=False, maximize=False,
                )  # fmt: skip
        learning_rate, mix = config.learning_rate * factor, config.momentum
        for turn in self._turns:
            directions = []
            for parameter, _ in turn.matrices:
                momentum, gradient = self.moments[f"momentum.{self._names[parameter]}"], gradient_of(parameter)
                momentum.lerp_(gradient, 1 - mix)
                directions.append(gradient.lerp(momentum, mix))
            directions = turn.orthogonal(directions, self._dtype)
            for (parameter, _), direction in zip(turn.matrices, directions, strict=True):
                values = rows_of(parameter)
                if config.weight_decay:
                    values.mul_(1 - learning_rate * config.weight_decay)
                values.add_(direction, alpha=-learning_rate)

    def _add(self, moment: str, parameter: nn.Parameter) -> None:
        self.moments[f"{moment}.{self._names[parameter]}"] = torch.zeros_like(rows_of(parameter))

    def _of(self, part: _Part) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Values, gradients and both moments of the parameters of which this process has rows."""
        for parameter in part.parameters:
            name, values = self._names[parameter], rows_of(parameter)
            if values.numel():
                first, second = (self.moments[f"{moment}.{name}"] for moment in ("first_moment", "second_moment"))
                yield values, gradient_of(parameter), first, second


class _Turn:
    """As many equal-shaped matrices as there are processes, or fewer: each process orthogonalises one of them.

    So at most one whole matrix and its result are in a process's memory. `matrices` are parameters with the rows of
    the pieces that they consist of.
    """

    def __init__(self, matrices: list[tuple[nn.Parameter, list[int]]], group: Group) -> None:
        self.matrices, self._group = matrices, group
        self._own = matrices[group.rank][1] if group.rank < len(matrices) else []
        self._shape = matrices[0][0].shape
        self._rows = -(-self._shape[0] // group.size)  # of a shard; the last ones may have fewer

    def orthogonal(self, updates: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
        """Of each matrix this process's rows, orthogonalised as a whole and scaled; `updates` are these rows before."""
        outgoing = updates[0].new_zeros(self._group.size, self._rows, self._shape[1])
        for rows, update in zip(outgoing, updates, strict=False):
            rows[: len(update)] = update
        whole = self._group.all_to_all(outgoing).flatten(0, 1)
        first = 0
        for rows in self._own:
            piece = whole[first : first + rows]
            piece.copy_(_direction(piece, dtype))
            first += rows
        returned = self._group.all_to_all(whole.view_as(outgoing))
        return [rows[: len(update)] for rows, update in zip(returned, updates, strict=False)]


def _direction(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Muon's step for one matrix (rows, cols): orthogonal, times sqrt(max(1, rows / cols))."""
    rows, columns = matrix.shape
    wide = matrix if rows <= columns else matrix.mT
    direction = orthogonalise(wide[None], dtype)[0].float() * max(1.0, rows / columns) ** 0.5
    return direction if rows <= columns else direction.mT


def _parts(model: GPT, config: TrainingConfig) -> list[_Part]:
    """What AdamW updates: decay is for matrices and embeddings only."""
    embedding, head, vectors = model.embedding_parameters(), model.head_parameters(), model.vector_parameters()
    decay = config.weight_decay
    if config.optimizer == "adamw":
        matrices = [*model.hidden_matrices(), *embedding, *head]
        return [_Part(matrices, config.learning_rate, decay), _Part(vectors, config.learning_rate, 0.0)]
    return [
        _Part(embedding, config.embedding_learning_rate, decay),
        _Part(head, config.head_learning_rate, decay),
        _Part(vectors, config.embedding_learning_rate, 0.0),
    ]


def rows_of(parameter: Tensor) -> Tensor:
    """Of a parameter that is spread this process's rows; the live tensor."""
    assert isinstance(parameter, DTensor)
    return parameter.to_local().detach()


def gradient_of(parameter: Tensor) -> Tensor:
    """Of its gradient this process's rows."""
    assert isinstance(parameter.grad, DTensor)
    return parameter.grad.to_local()
