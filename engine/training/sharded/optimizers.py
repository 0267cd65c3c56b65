"""The optimizers of `update.optimizers` for a sharded model: their state is sharded in the same way."""

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
from .model import local_gradient, local_rows


@dataclass(frozen=True)
class _ParameterGroup:
    """Parameters that AdamW updates at one rate."""

    parameters: list[nn.Parameter]
    learning_rate: float
    weight_decay: float


class ShardedOptimizer:
    """Muon for the hidden matrices and AdamW for the others, or AdamW for all, as in `build_optimizer`.

    `moments` holds the state by name and parameter: this rank's rows of momentum, first and second moment.
    AdamW needs nothing of the other ranks. Muon needs whole matrices: `_MatrixPerRank`.
    """

    def __init__(self, model: GPT, shards: dict[str, DTensor], config: TrainingConfig, group: Group) -> None:
        self._config, self._dtype = config, model.compute_dtype
        self.updates = torch.zeros((), device=model.embedding.device)
        self.moments: dict[str, Tensor] = {}
        self._parameter_groups = _parameter_groups(model, config)
        self._names: dict[Tensor, str] = {shard: name for name, shard in shards.items()}
        for parameter_group in self._parameter_groups:
            for parameter in parameter_group.parameters:
                for moment in ("first_moment", "second_moment"):
                    self._add_moment(moment, parameter)
        equal_shapes: defaultdict[torch.Size, list[tuple[nn.Parameter, list[int]]]] = defaultdict(list)
        if config.optimizer == "muon":
            for parameter, pieces in hidden_pieces(model):
                self._add_moment("momentum", parameter)
                equal_shapes[parameter.shape].append((parameter, pieces))
        self._muon_batches = [
            _MatrixPerRank(matrices[i : i + group.size], group)
            for matrices in equal_shapes.values()
            for i in range(0, len(matrices), group.size)
        ]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update from the parameters' gradients, with every learning rate multiplied by `factor`."""
        self.updates += 1
        self._step_adamw(factor)
        self._step_muon(factor)

    def _step_adamw(self, factor: float) -> None:
        config = self._config
        for parameter_group in self._parameter_groups:
            if rows := list(self._local_rows(parameter_group)):
                values, gradients, first, second = map(list, zip(*rows, strict=True))
                torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
                    values, gradients, first, second, [], [self.updates] * len(rows),
                    lr=parameter_group.learning_rate * factor, beta1=config.beta1, beta2=config.beta2,
                    weight_decay=parameter_group.weight_decay, eps=AdamW.epsilon, amsgrad=False, maximize=False,
                )  # fmt: skip

    def _step_muon(self, factor: float) -> None:
        config = self._config
        learning_rate = config.learning_rate * factor
        for batch in self._muon_batches:
            updates = []
            for parameter, _ in batch.matrices:
                momentum, gradient = self.moments[f"momentum.{self._names[parameter]}"], local_gradient(parameter)
                momentum.lerp_(gradient, 1 - config.momentum)
                updates.append(gradient.lerp(momentum, config.momentum))
            updates = batch.orthogonalised(updates, self._dtype)
            for (parameter, _), update in zip(batch.matrices, updates, strict=True):
                values = local_rows(parameter)
                if config.weight_decay:
                    values.mul_(1 - learning_rate * config.weight_decay)
                values.add_(update, alpha=-learning_rate)

    def _add_moment(self, moment: str, parameter: nn.Parameter) -> None:
        self.moments[f"{moment}.{self._names[parameter]}"] = torch.zeros_like(local_rows(parameter))

    def _local_rows(self, group: _ParameterGroup) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Values, gradients and both moments of the parameters of which this rank has rows."""
        for parameter in group.parameters:
            name, values = self._names[parameter], local_rows(parameter)
            if values.numel():
                first, second = (self.moments[f"{moment}.{name}"] for moment in ("first_moment", "second_moment"))
                yield values, local_gradient(parameter), first, second


class _MatrixPerRank:
    """At most as many matrices of one shape as there are ranks: each rank orthogonalises one of them.

    So at most one whole matrix and its result are in a rank's memory. `matrices` are parameters with the numbers of
    rows of the matrices that were fused into each.
    """

    def __init__(self, matrices: list[tuple[nn.Parameter, list[int]]], group: Group) -> None:
        self.matrices, self._group = matrices, group
        self._own_pieces = matrices[group.rank][1] if group.rank < len(matrices) else []
        self._shape = matrices[0][0].shape
        self._rows = -(-self._shape[0] // group.size)  # of a shard; the last ones may have fewer

    def orthogonalised(self, updates: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
        """The own rows of each matrix, orthogonalised as a whole and scaled; `updates` are these rows before."""
        outgoing = updates[0].new_zeros(self._group.size, self._rows, self._shape[1])
        for rows, update in zip(outgoing, updates, strict=False):
            rows[: len(update)] = update
        whole = self._group.all_to_all(outgoing).flatten(0, 1)
        first = 0
        for rows in self._own_pieces:
            piece = whole[first : first + rows]
            piece.copy_(_muon_update(piece, dtype))
            first += rows
        returned = self._group.all_to_all(whole.view_as(outgoing))
        return [rows[: len(update)] for rows, update in zip(returned, updates, strict=False)]


def _muon_update(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Of one matrix (rows, cols): orthogonalised, times sqrt(max(1, rows / cols))."""
    rows, columns = matrix.shape
    wide = matrix if rows <= columns else matrix.mT
    update = orthogonalise(wide[None], dtype)[0].float() * max(1.0, rows / columns) ** 0.5
    return update if rows <= columns else update.mT


def _parameter_groups(model: GPT, config: TrainingConfig) -> list[_ParameterGroup]:
    """What AdamW updates; weight decay is for matrices and embeddings only."""
    embedding, head, vectors = model.embedding_parameters(), model.head_parameters(), model.vector_parameters()
    decay = config.weight_decay
    if config.optimizer == "adamw":
        matrices = [*model.hidden_matrices(), *embedding, *head]
        return [
            _ParameterGroup(matrices, config.learning_rate, decay),
            _ParameterGroup(vectors, config.learning_rate, 0.0),
        ]
    return [
        _ParameterGroup(embedding, config.embedding_learning_rate, decay),
        _ParameterGroup(head, config.head_learning_rate, decay),
        _ParameterGroup(vectors, config.embedding_learning_rate, 0.0),
    ]
