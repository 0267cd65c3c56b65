"""The model's loss as torch.compile makes it: fewer and larger operators, after a compilation that takes a while."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from .notes import Notes

Loss = Callable[[Tensor, Tensor], Tensor]


def compiled(loss: Loss, notes: Notes, try_out: Callable[[Loss], None]) -> Loss | None:
    """`loss`, compiled for the shapes with which `try_out` calls it, forward and backward.

    None where the compilation fails, for lack of a compiler for example; `notes` then receives a warning with
    the reason. The random state is the same afterwards.
    """
    notes.tell("the loss is being compiled; the first update waits for it")
    start = time.perf_counter()
    faster = torch.compile(loss, dynamic=False)
    cuda = torch.cuda.is_initialized()
    states = torch.get_rng_state(), torch.cuda.get_rng_state() if cuda else None
    try:
        try_out(faster)
    except Exception as error:  # compilers raise many kinds; out of memory is raised again without one
        notes.warn(f"the loss could not be compiled ({_in_a_line(error)}); the training goes on without")
        return None
    finally:
        torch.set_rng_state(states[0])
        if states[1] is not None:
            torch.cuda.set_rng_state(states[1])
    notes.tell(f"the loss is compiled, which took {time.perf_counter() - start:.0f} s")
    return faster


def _in_a_line(error: Exception) -> str:
    """Its type and its first two lines: torch puts the cause below a heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])[:300]}"
