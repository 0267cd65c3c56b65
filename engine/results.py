"""What a process that is started for one result prints: how far it is, then the result. One JSON object a line."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from ..models.recipe import Protocol

_INTERVAL = 0.1  # seconds between two lines


class ProgressLines:
    """Prints {"progress": 0.4} on standard output, a few times a second however often it is called.

    Where the work has several parts, each line names the one that is done now: {"progress": 0.4, "doing": "reading"}.
    """

    def __init__(self, doing: str = "") -> None:
        self._printed = 0.0
        self._part = {"doing": doing} if doing else {}

    def __call__(self, fraction: float) -> None:
        """Say that `fraction` of the work is done."""
        if time.perf_counter() - self._printed >= _INTERVAL:
            self._printed = time.perf_counter()
            print(json.dumps({"progress": round(fraction, 4), **self._part}), flush=True)


@dataclass(frozen=True)
class DeviceReport:
    """What the engine computes on: the device that "auto" chooses here."""

    torch: str  # the version
    devices: tuple[str, ...]  # all that there are, the best first
    device: str
    device_name: str
    training_dtype: str
    generation_dtype: str
    reason: str  # why this device and the dtype of training, in one sentence
    threads: int  # of a CPU that trains, at most
    memory: int | None  # bytes of the device; None where the system does not tell


@dataclass(frozen=True)
class EvaluationResult:
    """What `evaluate` prints: one object."""

    run: str
    step: int
    loss: float
    perplexity: float
    bits_per_byte: float
    protocol: Protocol
    tokens: int


@dataclass(frozen=True)
class ExportResult:
    """What `export` prints: one object; `notices` are sentences about what is different over there."""

    path: str
    bytes: int
    architecture: str  # in the words of the program that reads it
    dtype: str  # of the matrices
    parameters: int
    notices: tuple[str, ...] = ()
