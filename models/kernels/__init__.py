"""What trains faster than torch's operators and equals them by test: Triton kernels on a GPU, compiled C on a CPU.

The Triton kernels are imported only where they are used: Triton is missing elsewhere, and importing it takes a second.
train.c is compiled when the package is built; where it was not, torch's operators do its work.
"""

from __future__ import annotations

import functools
import importlib
import traceback
from types import ModuleType

import torch
from torch import Tensor


def working_kernels(name: str, x: Tensor) -> ModuleType | None:
    """The module `name` of this package, where its kernels work on the device of `x`; else None, and torch is to do it.

    torch.compile, which makes kernels of its own, gets none of them.
    """
    if not x.is_cuda or torch.compiler.is_compiling():
        return None
    return _checked(name, x.device)


@functools.cache
def _checked(name: str, device: torch.device) -> ModuleType | None:
    """The module after its `check`, which compiles the kernels and compares what they compute."""
    try:
        module = importlib.import_module(f".{name}", __name__)
        module.check(device)
    except Exception:  # of many kinds: there is no Triton or no C compiler, or the GPU is another one than it knows
        traceback.print_exc()
        return None
    return module
