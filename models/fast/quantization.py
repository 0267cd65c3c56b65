"""int8 weights for generation on a CPU: a decode step reads every weight once, so it reads a quarter of the bytes.

Weight-only quantization, with a scale and a zero point for each group of weights (matrix_vector.py). Activations stay
in float32; norms, biases, the embedding and position tables are not quantized.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...data.storage.errors import UserError
from ..gpt import GPT, Linear
from .matrix_vector import Int8Format, Operation

_DEQUANTIZE_ROWS = 16  # rows from which on it is faster to dequantize the matrix first


class QuantizationError(UserError):
    """The model cannot be quantized here; the message says why and what to do."""


class Int8Linear(nn.Module):
    """A linear layer whose weight is stored in Int8Format."""

    table: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self._format = Int8Format(*weight.shape)
        self.register_buffer("table", self._format.quantize(weight.detach()))
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out], in the dtype of x."""
        rows = x.reshape(-1, self.in_features).float()
        y = self.operation(len(rows))(rows).view(*x.shape[:-1], -1).to(x.dtype)
        return y if self.bias is None else y + self.bias.to(x.dtype)

    def partial_sums(self) -> Operation | None:
        """Partial sums of the product of one row, without the bias: [1, in] -> [out, parts]; None for many outputs."""
        return self._format.partial_sums(self.table)

    def operation(self, rows: int) -> Operation:
        """The product without the bias, for this number of rows: float32 [rows, in] -> [rows, out]."""
        if rows < _DEQUANTIZE_ROWS:
            return self._format.matvec(self.table, rows)
        return lambda x: self._format.matmul(x, self.table)


@torch.no_grad()
def quantize_int8(model: GPT) -> None:
    """Replace the matrices of a trained model by int8 ones; it must be on a CPU and only generates from now on.

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
    model.int8_head = Int8Linear(model.embedding if model.head is None else model.head)
    model.head = None
