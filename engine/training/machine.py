"""The device and the CPU threads of a train process, whether it trains alone or as one of several."""

from __future__ import annotations

import os

import torch
import torch.utils.deterministic

from ...models.cpu import total_memory
from ...models.devices import DeviceChoice, DeviceError, choose_device, choose_threads
from ...models.recipe import TrainingConfig
from ..freed_memory import keep_freed_memory
from .group import Group

_KEPT = 1 << 30  # bytes between one update and the next
POLITENESS = 10  # added to the process's niceness on a CPU: the screen and the replies come first


def set_up_machine(config: TrainingConfig, group: Group | None, leave_core: bool) -> tuple[DeviceChoice, int]:
    """Choose the device, the dtype and the number of CPU threads, and set torch up for them.

    `leave_core` leaves a core to the screen, except in a deterministic run. Raises DeviceError.
    """
    exact = config.deterministic
    if exact:
        repeat_exactly()
    choice = choose_device(device_of(group, config.device), config.dtype, measure=not exact)
    threads = threads_of(group, config.threads, leave_core and not exact)
    set_up_torch(choice, threads)
    return choice, threads


def device_of(group: Group | None, device: str) -> str:
    """The device that this process asks for where the run asks for `device`: of several GPUs each takes its own.

    Raises DeviceError for a device on which only one process can train.
    """
    if group is None:
        return device
    wanted = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if wanted not in ("cpu", "cuda"):
        raise DeviceError(
            f"{group.size} processes cannot train together on '{device}'; choose cpu, or cuda, where each takes a GPU "
            "of its own"
        )
    return wanted if wanted == "cpu" else f"cuda:{group.local_rank}"


def threads_of(group: Group | None, requested: int, leave_core: bool) -> int:
    """CPU threads of this process; the processes of one machine share its cores."""
    threads = choose_threads(requested, leave_core)
    return threads if requested or group is None else max(1, threads // group.local_size)


def repeat_exactly() -> None:
    """Let torch use only deterministic kernels, and raise where there is none; to be called before anything else."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it is first used
    # torch.use_deterministic_algorithms is this call; it also imports torch._inductor, which costs a second
    torch.set_deterministic_debug_mode("error")
    # nothing here reads memory before it is written; filling it takes time
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


def set_up_torch(choice: DeviceChoice, threads: int) -> None:
    """Give torch its threads and its device; on a CPU the screen and the replies get priority."""
    torch.set_num_threads(threads)
    if choice.device.type == "cpu":
        keep_freed_memory(_KEPT)
    if choice.device.type == "cpu" and hasattr(os, "nice"):
        os.nice(max(0, POLITENESS - os.nice(0)))
    if choice.device.type == "cuda":
        torch.cuda.set_device(choice.device)


def memory_of(device: torch.device, group: Group | None) -> int | None:
    """Bytes of memory on `device`, used or not; None where the system does not say.

    The processes of one machine share its main memory.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    there = total_memory()
    return there // (group.local_size if group else 1) if there else None
