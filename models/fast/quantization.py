"""Weights in eight bits, for generation on a CPU: a decode step reads every weight once, and reads a quarter.

Only the weights are rounded, as whole numbers with a scale and an offset for each group of them; activations stay in
float32. Norms, biases, the embedding and position tables stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...data.storage.errors import UserError
from ..gpt import GPT, Linear
from .weighted_sums import Operation, RoundedTable

_MANY = 16  # rows from which on it is quicker to write the matrix out in float32


class QuantizationError(UserError):
    """The weights cannot be rounded here; the message says why and what to do."""


class Int8Linear(nn.Module):
    """A linear layer whose matrix is a RoundedTable."""

    table: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self._rounding = RoundedTable(*weight.shape)
        self.register_buffer("table", self._rounding.rounded(weight.detach()))
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out], in the dtype of x."""
        rows = x.reshape(-1, self.in_features).float()
        y = self.operation(len(rows))(rows).view(*x.shape[:-1], -1).to(x.dtype)
        return y if self.bias is None else y + self.bias.to(x.dtype)

    def partial_sums(self) -> Operation | None:
        """The product of one row in parts, [1, in] -> [out, parts], where that is quicker: then without the bias."""
        return self._rounding.partial_sums(self.table)

    def operation(self, rows: int) -> Operation:
        """The product without the bias for so many rows: float32 [rows, in] -> [rows, out]."""
        if rows < _MANY:
            return self._rounding.sums(self.table, rows)
        return lambda x: self._rounding.product(x, self.table)


@torch.no_grad()
def quantize_int8(model: GPT) -> None:
    """Replace the matrices of a trained model, which must be on a CPU and is only for generation from now on.

    Raises QuantizationError on another device, or where this build of torch cannot multiply such matrices.
    """
    if model.embedding.device.type != "cpu":
        raise QuantizationError(
            f"int8 weights are for CPUs, and this model is on {model.embedding.device}; leave --quantize out there"
        )
    try:
        Int8Linear(torch.ones(32, 32))(torch.ones(1, 32))
    except (AttributeError, RuntimeError, NotImplementedError) as error:
        raise QuantizationError(
            f"this build of torch has no int8 products on this CPU ({str(error).splitlines()[0][:100]}); leave "
            "--quantize out"
        ) from None
    model.eval().requires_grad_(False)
    for module in model.blocks.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, Linear):
                setattr(module, name, Int8Linear(child.weight, child.bias))
    model.rounded_head = Int8Linear(model.embedding if model.head is None else model.head)
    model.head = None
