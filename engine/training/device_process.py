"""The device process: `python -m minigpt_tui.engine.training.device_process` prints one DeviceReport.

For processes that do not import torch. Where torch cannot be imported its own error is the last line of standard error.
"""

from __future__ import annotations

import torch

from ...data.storage.typed_json import dumps
from ...models.devices import available_devices, choose_device, choose_threads
from ..results import DeviceReport
from .machine import memory_of


def device_report() -> DeviceReport:
    """What trains and generates here."""
    training, generation = choose_device(), choose_device(training=False)
    return DeviceReport(
        torch=str(torch.__version__),
        devices=tuple(available_devices()),
        device=str(training.device),
        device_name=training.name,
        training_dtype=_name(training.dtype),
        generation_dtype=_name(generation.dtype),
        reason=training.reason,
        threads=choose_threads(0, leave_core=False),
        memory=memory_of(training.device, None),
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    print(dumps(device_report()), flush=True)
