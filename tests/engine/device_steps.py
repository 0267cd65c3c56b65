"""What a step does on a device that is not the CPU, without one: torch's `meta` device, whose tensors have no values.

To read one raises NotImplementedError, as does an operator between it and a tensor of the CPU. What a model chooses by
its device it chooses as on a GPU, but for kernels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("meta")
_WITHOUT_META = "_fused_adamw_"  # it changes its arguments in place and returns nothing


class Operators(TorchDispatchMode):
    """The operators of a step: their names, the shapes of their tensors and all of their other arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.on_cpu: list[str] = []  # the names of those that made a tensor on the CPU

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, str(function)
        result = None if _WITHOUT_META in name else function(*args, **kwargs)
        given = [_described(value) for value in tree_leaves((args, kwargs))]
        self.calls.append((name, *given))
        if any(isinstance(value, Tensor) and value.device.type == "cpu" for value in tree_leaves(result)):
            self.on_cpu.append(name)
        return result


def _described(value: object) -> object:
    return ("tensor", *value.shape, value.dtype) if isinstance(value, Tensor) else value
