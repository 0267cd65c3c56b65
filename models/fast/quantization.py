"""int8 weights for generation on a CPU: a decode step reads every weight once, so it reads a quarter of the bytes.

Weight-only quantization: each 64 weights from neighbouring inputs to one output share a scale. Norms, biases, the
embedding and position tables are not quantized. decode.c multiplies them as they are; here they are turned into
float32 for each product, which pays for the many rows of a prompt.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...data.storage.errors import UserError
from ..gpt import GPT, Linear, Multiply
from ..native.structs import GROUP


class QuantizationError(UserError):
    """The model cannot be quantized here; the message says why and what to do."""


class Int8Linear(nn.Module):
    """A linear layer whose weight is `weight` [out, groups, GROUP] in int8 times `scales` [out, groups].

    The inputs are padded with zeros to whole groups.
    """

    weight: Tensor
    scales: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.multiply: Multiply = F.linear
        groups = F.pad(weight.detach().float(), (0, -self.in_features % GROUP)).unflatten(1, (-1, GROUP))
        scales = groups.abs().amax(-1) / 127
        steps = torch.where(scales > 0, scales, 1.0)[..., None]
        self.register_buffer("weight", (groups / steps).round().clamp(-127, 127).to(torch.int8))
        self.register_buffer("scales", scales)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def dequantized(self) -> Tensor:
        """The rounded weight in float32, [out, in]."""
        return (self.weight * self.scales[..., None]).flatten(1)[:, : self.in_features]

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out], in the dtype of x."""
        return self.multiply(x, self.dequantized().to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


@torch.no_grad()
def quantize_int8(model: GPT) -> None:
    """Replace the matrices of a trained model by int8 ones; it must be on a CPU and only generates from now on.

    Raises QuantizationError on another device.
    """
    if model.embedding.device.type != "cpu":
        raise QuantizationError(
            f"int8 weights are for CPUs, and this model is on {model.embedding.device}; leave --quantize out there"
        )
    model.eval().requires_grad_(False)
    for module in model.blocks.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, Linear):
                setattr(module, name, Int8Linear(child.weight, child.bias))
    model.int8_head = Int8Linear(model.embedding if model.head is None else model.head)
    model.head = None
