"""All parameters of a model in one buffer, all gradients in another.

Norms, clipping, averaging and the optimizers' arithmetic then take one operation each, however many tensors the model
has. On small models, where the time goes into dispatching operations, that is most of the optimizer's cost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....models.gpt import GPT

_ALIGNMENT = 16  # elements; each parameter begins on a cache line of 64 bytes


class FlatLayout:
    """The offset of each parameter of a model in one buffer for all of them.

    The hidden matrices come first, then embeddings, output layer and vectors, each part a slice. It needs the
    parameters' shapes alone.
    """

    def __init__(self, model: GPT) -> None:
        parts = (
            model.hidden_matrices(),
            model.embedding_parameters(),
            model.head_parameters(),
            model.vector_parameters(),
        )
        self.offsets: dict[nn.Parameter, int] = {}
        bounds, end = [0], 0
        for part in parts:
            for parameter in part:
                if parameter in self.offsets:
                    raise ValueError("a parameter belongs to two groups of the model")
                self.offsets[parameter] = end
                end += -(-parameter.numel() // _ALIGNMENT) * _ALIGNMENT
            bounds.append(end)
        if len(self.offsets) != len(list(model.parameters())):
            raise ValueError("a parameter belongs to no group of the model")
        self.hidden, self.embedding, self.head, self.vectors = map(slice, bounds[:-1], bounds[1:])
        self.size = end

    def view(self, flat: Tensor, parameter: nn.Parameter) -> Tensor:
        """The part of a buffer with this layout that belongs to `parameter`, in its shape."""
        offset = self.offsets[parameter]
        return flat[offset : offset + parameter.numel()].view(parameter.shape)


class FlatParameters(FlatLayout):
    """Moves the master weights of `model` into `values` and their gradients into `gradients`, both (n,) float32.

    The model's parameters become views of them. Gradients accumulate until `zero_gradients`; never set a parameter's
    `grad` to None.

    `sums` (n + 1,) holds the gradients and after them `loss`, so that one all-reduce adds up both.
    """

    def __init__(self, model: GPT) -> None:
        super().__init__(model)
        end, device = self.size, next(model.parameters()).device
        self.values = torch.zeros(end, device=device)
        self.sums = torch.zeros(end + 1, device=device)
        self.gradients, self.loss = self.sums[:end], self.sums[end]
        for parameter in self.offsets:
            view = self.view(self.values, parameter)
            view.copy_(parameter.detach())
            parameter.data = view
            parameter.grad = self.view(self.gradients, parameter)

    def zero_gradients(self) -> None:
        """Begin a new accumulation, of gradients and loss."""
        self.sums.zero_()

    def clip_gradients(self, largest: float) -> Tensor:
        """Scale the gradients down to a norm of at most `largest`; returns the norm before, on the device."""
        norm = self.gradients.norm()
        self.gradients.mul_((largest / (norm + 1e-6)).clamp(max=1.0))
        return norm
