"""Weights in eight bits, for generation on a CPU: a decode step reads every weight once, and reads a quarter.

Each row of a matrix is rounded to whole numbers from -127 to 127 with a scale of its own (LLM.int8(), Dettmers et al.,
2022, without its outliers: activations stay in bfloat16). Norms, biases and position tables stay as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .gpt import GPT, Linear

LARGEST = 127
BLOCK = 16  # torch's kernel reads so many columns at a time, and past the end of a row that is no multiple of them


class QuantizationError(Exception):
    """The weights cannot be rounded here; the message says why and what to do."""


class Int8Linear(nn.Module):
    """A linear layer from int8 rows [out, in + padding] and scales [out]; products in bfloat16, sums in float32."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        weight = weight.detach().float()
        self.padding = -weight.shape[1] % BLOCK
        scale = weight.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / LARGEST
        scale = scale.bfloat16()  # the rows are rounded to multiples of what is really multiplied with
        rounded = (weight / scale[:, None]).round_().clamp_(-LARGEST, LARGEST).to(torch.int8)
        self.register_buffer("weight", F.pad(rounded, (0, self.padding)))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out], in the dtype of x."""
        rows = x.reshape(-1, x.shape[-1]).bfloat16()
        if self.padding:
            rows = F.pad(rows, (0, self.padding))
        y = torch.ops.aten._weight_int8pack_mm(rows, self.weight, self.scale).view(*x.shape[:-1], -1).to(x.dtype)
        return y if self.bias is None else y + self.bias.to(x.dtype)


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
