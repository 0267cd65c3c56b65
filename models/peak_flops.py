"""The fastest that known GPUs multiply, from their makers' data sheets: what model FLOPs utilisation is measured by."""

from __future__ import annotations

import re

import torch

from .devices import hardware_name

# Dense bfloat16 products that are summed up in float32, in 10^12 operations a second; the first pattern that is found
# in the device's name holds.
_TERAFLOPS = (
    (r"\bB200\b", 2250),
    (r"\b(H100|H800)\b.*\bPCIe\b", 756),
    (r"\b(H100|H200)\b.*\bNVL\b", 835),
    (r"\b(H100|H200|H800|GH200)\b", 989),
    (r"\b(A100|A800)\b", 312),
    (r"\bL40S\b", 362),
    (r"\bL40\b", 181),
    (r"\bL4\b", 121),
    (r"\bA40\b", 150),
    (r"\bA30\b", 165),
    (r"\bA10\b", 125),
    (r"\bA10G\b", 70),
    (r"\bRTX 6000 Ada\b", 364),
    (r"\bRTX 5090$", 209),  # what has more to its name, such as D, Ti or Laptop GPU, is another chip
    (r"\bRTX 4090$", 165),
    (r"\bRTX 3090$", 71),
    (r"\bMI300X\b", 1307),
)


def peak_flops(device: torch.device, dtype: torch.dtype) -> float | None:
    """Operations a second that `device` can at most do in `dtype`; None for what is not in the table."""
    if device.type != "cuda" or dtype != torch.bfloat16:
        return None
    return peak_of(hardware_name(device))


def peak_of(name: str) -> float | None:
    """The same for a device's name, in bfloat16; None for an instance of a GPU that is shared (MIG)."""
    if re.search(r"\bMIG\b", name):
        return None
    return next((1e12 * teraflops for pattern, teraflops in _TERAFLOPS if re.search(pattern, name)), None)
