"""The norm of each layer's weights, and how far one update moves them: whether it grows, and how fast it learns.

An update that is a thousandth of the weights is usual; far more is a learning rate that is too high for that layer, far
less one that hardly learns (karpathy.github.io/neuralnets/dynamics, "ratio of weights:updates").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....models.gpt import GPT
from .flat_parameters import FlatParameters

Norms = dict[str, float]  # by the name of the layer


def layers_of(model: GPT) -> dict[str, list[nn.Parameter]]:
    """The parameters of each layer: "embedding", "block 0" and so on, and "norm" and "head" where there are such."""
    layers = {"embedding": model.embedding_parameters()}
    for number, block in enumerate(model.blocks):
        layers[f"block {number}"] = list(block.parameters())
    layers["norm"] = list(model.norm.parameters()) if model.norm else []
    layers["head"] = model.head_parameters()
    return {name: parameters for name, parameters in layers.items() if parameters}


class UpdateMeasurement:
    """Keeps the weights as they are, to compare them with what the next update makes of them.

    It works with updates of any kind that write to the same `flat` parameters, also as one CUDA graph.
    """

    @torch.no_grad()
    def __init__(self, model: GPT, flat: FlatParameters) -> None:
        self._layers, self._flat = layers_of(model), flat
        self._before = flat.values.clone()
        self._weights = self._norms()

    @torch.no_grad()
    def measure(self) -> tuple[Norms, Norms]:
        """After the update: of each layer the norm of the weights before it, and that of the update over it.

        Waits for the device. Once only.
        """
        self._before.sub_(self._flat.values)
        weights, updates = torch.stack((self._weights, self._norms())).tolist()
        ratios = [update / weight if weight else 0.0 for weight, update in zip(weights, updates, strict=True)]
        return dict(zip(self._layers, weights, strict=True)), dict(zip(self._layers, ratios, strict=True))

    def _norms(self) -> Tensor:
        """The norm of each layer in what is kept, (layers,)."""
        view = self._flat.view
        norms = [
            torch.stack([view(self._before, parameter).norm() for parameter in parameters]).norm()
            for parameters in self._layers.values()
        ]
        return torch.stack(norms)
