"""The figures of a run as TensorBoard reads them. Needs the package tensorboard, which is no part of the program."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...data.storage.errors import UserError
from ..events import Evaluation, LayerNorms, Started, Step, TrainingEvent

_STEP = {
    "loss": "loss/train", "learning_rate": "training/learning rate", "gradient_norm": "training/gradient norm",
    "tokens_per_second": "speed/tokens per second", "mfu": "speed/MFU", "memory": "speed/memory",
}  # fmt: skip
_EVALUATION = {"validation_loss": "loss/validation", "bits_per_byte": "loss/bits per byte"}


def require_tensorboard() -> None:
    """Raise UserError with the command that helps where the package is missing."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            "writing TensorBoard events needs the package tensorboard, which is not installed; install it with: "
            "pip install 'minigpt-tui[tensorboard]'"
        )


def write_tensorboard(events: Iterable[TrainingEvent], folder: Path) -> int:
    """Write a run's figures into a file of events in `folder`, which is made; how many figures there were.

    Raises UserError where the package is missing, OSError where the folder cannot be written.
    """
    require_tensorboard()
    from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportMissingImports]
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportMissingImports]
    from tensorboard.summary.writer.event_file_writer import EventFileWriter  # pyright: ignore[reportMissingImports]

    folder.mkdir(parents=True, exist_ok=True)
    writer, count = EventFileWriter(str(folder)), 0
    try:
        for step, time, tag, value in figures(events):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=step, wall_time=time, summary=summary))
            count += 1
    finally:
        writer.close()
    return count


def figures(events: Iterable[TrainingEvent]) -> Iterator[tuple[int, float, str, float]]:
    """Step, Unix time, tag and value of all that is known; times are counted from when the run was started."""
    began = seconds = 0.0
    for event in events:
        match event:
            case Started():
                began = event.time - seconds
            case Step():
                seconds = event.seconds
                for name, tag in _STEP.items():
                    if (value := getattr(event, name)) is not None:
                        yield event.step, began + seconds, tag, float(value)
            case Evaluation():
                for name, tag in _EVALUATION.items():
                    yield event.step, began + event.seconds, tag, getattr(event, name)
            case LayerNorms():
                for kind, norms in (("weight norm", event.weights), ("update to weights", event.updates)):
                    for layer, value in norms.items():
                        if math.isfinite(value):
                            yield event.step, began + seconds, f"{kind}/{layer}", value
            case _:
                continue
