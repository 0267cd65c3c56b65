"""Whether the device that was asked for is there, before a run is made that could only fail. Light."""

from __future__ import annotations

import subprocess

from ..models.config import ConfigError
from ..models.recipe import TrainingConfig
from .child_process import child_environment, python_module

_ALWAYS_THERE = ("auto", "cpu")


def check_device(training: TrainingConfig) -> None:
    """Raise ConfigError where the run's device is not there. Another process looks, because that imports torch."""
    if training.device in _ALWAYS_THERE:
        return
    command = python_module("minigpt_tui.engine.training.device_process", training.device, training.dtype)
    looked = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=child_environment())
    if looked.returncode:
        lines = looked.stderr.strip().splitlines() or [f"the device {training.device} cannot be used"]
        raise ConfigError(lines[-1])
