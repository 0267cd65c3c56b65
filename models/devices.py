"""Which device, which dtype and how many threads: from what the machine has and, on a CPU, from a measurement."""

from __future__ import annotations

import functools
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from ..data.storage.errors import UserError
from .cpu import cpu_name, physical_cores

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BF16_SPEEDUP = 1.25  # of a matrix product from which on bfloat16 pays: casts and element-wise operators are slower
MAX_THREADS = 8  # at the sizes that a CPU trains, more of them only wait for each other


class DeviceError(UserError):
    """A device or dtype that cannot be used; one sentence that says what is there."""


@dataclass(frozen=True)
class DeviceChoice:
    """Where a model runs, in which dtype, and one sentence why."""

    device: torch.device
    dtype: torch.dtype
    name: str  # the hardware, for people
    reason: str


def available_devices() -> list[str]:
    """The devices of this machine, best first; "cpu" is always the last."""
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    devices += ["mps"] if torch.backends.mps.is_available() else []
    devices += [f"xpu:{index}" for index in range(torch.xpu.device_count())] if torch.xpu.is_available() else []
    return [*devices, "cpu"]


def choose_device(
    device: str = "auto", dtype: str = "auto", *, training: bool = True, measure: bool = True
) -> DeviceChoice:
    """Choose device and dtype; "auto" takes the best one available. Raises DeviceError for one that is not available.

    With training=False a CPU computes in float32: a decode step reads each weight once, and bfloat16 gains nothing.
    Without `measure` the dtype on a CPU follows from its instruction set, so the same machine always gets the same.
    """
    available = available_devices()
    wanted = available[0] if device == "auto" else device
    found = next((name for name in available if wanted in (name, name.split(":")[0])), None)
    if found is None:
        raise DeviceError(f"the device '{device}' is not available; choose auto or one of {', '.join(available)}")
    if dtype != "auto" and dtype not in DTYPES:
        raise DeviceError(f"the dtype '{dtype}' is not known; choose auto, {' or '.join(DTYPES)}")
    target = torch.device(found)
    best, why = _best_dtype(target, training, measure)
    if dtype != "auto":
        best, why = DTYPES[dtype], f"{dtype} was asked for"
    place = f"{found} was asked for" if device != "auto" else f"{found} is the best device here"
    return DeviceChoice(target, best, hardware_name(target), f"{place}; {why}")


def hardware_name(device: torch.device) -> str:
    """The product name of the device, for people."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "xpu":
        return torch.xpu.get_device_name(device)
    return f"Apple GPU ({platform.machine()})" if device.type == "mps" else cpu_name()


def memory_in_use(device: torch.device) -> int:
    """Bytes that this process holds on the device; on a CPU its resident memory (0 where the system does not say)."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    if device.type == "xpu":
        return torch.xpu.memory_reserved(device)
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _peak_memory()


@contextmanager
def varying_lengths() -> Iterator[None]:
    """Within it no attention kernel is used that is planned anew for each length of a text, as cuDNN's are."""
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


def choose_threads(requested: int, leave_core: bool) -> int:
    """How many threads torch should use: what was asked for, else the physical cores, less one for the app's screen."""
    if requested > 0:
        return min(requested, os.cpu_count() or 1)
    return max(1, min(physical_cores() - leave_core, MAX_THREADS))


def _best_dtype(device: torch.device, training: bool, measure: bool) -> tuple[torch.dtype, str]:
    """The dtype that is fast and safe on this device, and why."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= (8, 0):
            return torch.bfloat16, "bfloat16 because its tensor cores have it"
        return torch.float32, f"float32 because compute capability {capability[0]}.{capability[1]} has no bfloat16"
    if device.type == "xpu":
        return torch.bfloat16, "bfloat16 because the device has it"
    if device.type == "mps":
        return torch.float32, "float32 because it is the safe choice on Apple's GPU"
    if not training:
        return torch.float32, "float32 because a decode step gains nothing from bfloat16"
    if not measure:
        if torch.cpu._is_avx512_bf16_supported():
            return torch.bfloat16, "bfloat16 because this CPU has instructions for it"
        return torch.float32, "float32 because this CPU has no instructions for bfloat16"
    speedup = bfloat16_speedup()
    if speedup >= BF16_SPEEDUP:
        return torch.bfloat16, f"bfloat16 because this CPU multiplies {speedup:.1f} times as fast in it"
    return torch.float32, f"float32 because this CPU multiplies only {speedup:.1f} times as fast in bfloat16"


@functools.cache
def bfloat16_speedup() -> float:
    """How many times as fast as in float32 this CPU multiplies in bfloat16, measured within some 20 milliseconds."""
    best = {dtype: float("inf") for dtype in (torch.float32, torch.bfloat16)}
    operands = {dtype: (torch.ones(512, 128, dtype=dtype), torch.ones(384, 128, dtype=dtype)) for dtype in best}
    for x, weight in operands.values():  # the first product of each dtype makes its kernel, which may take longer
        F.linear(x, weight)
    deadline = time.perf_counter() + 0.02
    for turn in range(40):  # in turns, so that a neighbour on the same cores disturbs both alike
        for dtype, (x, weight) in operands.items():
            start = time.perf_counter()
            F.linear(x, weight)
            best[dtype] = min(best[dtype], time.perf_counter() - start)
        if turn >= 5 and time.perf_counter() > deadline:
            break
    return best[torch.float32] / best[torch.bfloat16]


def _peak_memory() -> int:
    """Where there is no /proc: the largest resident size so far."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
