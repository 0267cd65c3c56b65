"""How fast a training would be here, measured for two seconds in a process of its own, and kept."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import platform
import subprocess
from dataclasses import replace
from typing import Any

from ..data.storage.errors import UserError
from ..data.storage.typed_json import SchemaError, dumps, from_plain
from ..engine.child_process import child_environment, python_module
from ..engine.machine_speed import MachineSpeed, RecipeSpeed, keep_speed
from ..engine.paths import log_dir
from ..engine.results import DeviceReport
from ..models.config import ModelConfig
from ..models.cpu import cpu_name
from ..models.recipe import TrainingConfig

SECONDS = 2.0  # of measuring; importing torch takes some more


async def measure(model: ModelConfig, training: TrainingConfig) -> MachineSpeed:
    """All that is known of this machine once that training was measured. Raises UserError where it could not be."""
    asked = RecipeSpeed(model, replace(training, sample_prompt=""))
    process = await asyncio.create_subprocess_exec(
        *python_module(
            "minigpt_tui.engine.training.speed_process", "--seconds", str(SECONDS), "--recipe", dumps(asked)
        ),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=log_dir(),
        env=child_environment(),
    )  # fmt: skip
    try:
        output, said = await process.communicate()
    except asyncio.CancelledError:  # the form was left
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        raise
    try:
        found = _read(output)
        device, recipe = from_plain(DeviceReport, found["device"]), from_plain(RecipeSpeed, found["recipe"])
    except (KeyError, SchemaError):
        lines = said.decode("utf-8", "replace").split("\n")
        why = next((line for line in reversed(lines) if line.strip()), f"its process ended with {process.returncode}")
        raise UserError(f"the speed could not be measured: {why.strip()}") from None
    if recipe.tokens_per_second is None:
        raise UserError(f"the speed could not be measured: {recipe.note}")
    date = datetime.datetime.now().astimezone().isoformat(timespec="minutes")
    measured = MachineSpeed(platform.node(), cpu_name(), device, date, recipes=(recipe,))
    with contextlib.suppress(OSError):
        return keep_speed(measured)
    return measured


def _read(output: bytes) -> dict[str, Any]:
    """The results among the lines of the process."""
    found: dict[str, Any] = {}
    for line in output.splitlines():
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            found |= value if isinstance(value, dict) else {}
    return found
