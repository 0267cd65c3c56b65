"""The device process: `python -m minigpt_tui.engine.training.device_process [DEVICE DTYPE]` prints one DeviceReport.

For processes that do not import torch. Where torch cannot be imported its own error is the last line of standard error.
"""

from __future__ import annotations

import sys

import torch

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.typed_json import dumps
from ...models.devices import available_devices, choose_device, choose_threads
from ..results import DeviceReport
from .machine import memory_of


def main(arguments: list[str]) -> int:
    """Print the report, or where a device and a dtype are named check whether they can be used; the exit code."""
    if not arguments:
        print(dumps(device_report()), flush=True)
        return 0
    try:
        choose_device(*arguments)
    except EXPECTED as error:
        print(sentence_of(error), file=sys.stderr)
        return 2
    return 0


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
    sys.exit(main(sys.argv[1:]))
