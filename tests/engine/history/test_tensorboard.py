"""The figures of a run for TensorBoard; the file itself only where the package is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.events import Evaluation, LayerNorms, Note, Started, Step
from minigpt_tui.engine.history.tensorboard import figures, write_tensorboard

EVENTS = [
    Started(0, 100, 10, 62, 1000, 100, "cpu", "CPU", "float32", 1, "no GPU", 1000.0, 1.1),
    Step(10, 100, 100, 5.0, 1.0, 3.5, 1e-3, None, 40.0, 1000),
    Note(10, "something"),
    Evaluation(10, 5.5, 3.6, 36.0, 5.2, "full", True),
    LayerNorms(10, {"block 0": 2.5}, {"block 0": 1e-3}),
]


def test_every_known_figure_has_its_step_time_and_tag():
    assert list(figures(EVENTS)) == [
        (10, 1005.0, "loss/train", 3.5), (10, 1005.0, "training/learning rate", 1e-3),
        (10, 1005.0, "speed/tokens per second", 40.0), (10, 1005.0, "speed/memory", 1000.0),
        (10, 1005.5, "loss/validation", 3.6), (10, 1005.5, "loss/bits per byte", 5.2),
        (10, 1005.0, "weight norm/block 0", 2.5), (10, 1005.0, "update to weights/block 0", 1e-3),
    ]  # fmt: skip


def test_the_time_of_a_resumed_run_goes_on_from_its_start():
    resumed = [*EVENTS[:2], Started(10, 100, 10, 62, 1000, 100, "cpu", "CPU", "float32", 1, "", 2000.0)]
    last = list(figures([*resumed, Step(11, 100, 110, 6.0, 1.0, 3.4, 1e-3, None, 40.0, 1000)]))[-1]
    assert last[1] == 2001.0


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="the package is there")
def test_without_the_package_one_sentence_says_what_to_install(tmp_path: Path):
    with pytest.raises(UserError, match=r"pip install 'minigpt-tui\[tensorboard\]'"):
        write_tensorboard(EVENTS, tmp_path / "events")
    assert not list(tmp_path.iterdir())


def test_tensorboard_reads_what_is_written(tmp_path: Path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert write_tensorboard(EVENTS, tmp_path / "events") == 8
    events = reader.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [(each.step, each.value) for each in events.Scalars("loss/validation")] == [(10, pytest.approx(3.6))]
