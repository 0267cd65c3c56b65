"""A GPU that is played: each update takes it some seconds, and none passes by itself."""

from __future__ import annotations

import itertools

import pytest
import torch
from minigpt_tui.engine.training.update import in_flight
from minigpt_tui.engine.training.update.in_flight import UpdatesInFlight


class Gpu:
    """What was launched is finished after the one before it; launching takes a thousandth of a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.busy_until, self.seconds = 100.0, 100.0, seconds
        monkeypatch.setattr(torch.cuda, "Event", lambda blocking: _Event(self))
        monkeypatch.setattr(in_flight.time, "perf_counter", lambda: self.now)

    def launch(self) -> float:
        """Launch an update; returns when it will be finished."""
        self.now += 0.001
        self.busy_until = max(self.busy_until, self.now) + self.seconds
        return self.busy_until


class _Event:
    def __init__(self, gpu: Gpu) -> None:
        self._gpu, self._at = gpu, 0.0

    def record(self) -> None:
        self._at = self._gpu.busy_until

    def synchronize(self) -> None:
        self._gpu.now = max(self._gpu.now, self._at)


@pytest.mark.parametrize("seconds", [0.005, 0.05, 0.15, 1.0, 26.0])
def test_the_cpu_is_never_more_than_a_moment_ahead(monkeypatch, seconds: float) -> None:
    gpu = Gpu(monkeypatch, seconds)
    updates = UpdatesInFlight(torch.device("cuda"))
    for _ in range(30):
        gpu.launch()
        updates.launched()
        assert gpu.busy_until - gpu.now <= max(0.2, 4 * 0.001)


def test_small_updates_keep_the_gpu_busy_and_a_pause_changes_that_for_one_alone(monkeypatch) -> None:
    gpu = Gpu(monkeypatch, 0.005)
    updates = UpdatesInFlight(torch.device("cuda"))
    for update in itertools.islice(itertools.count(), 60):
        if update == 30:
            gpu.now += 10  # an evaluation
        gpu.launch()
        updates.launched()
        if update % 30 > 10:
            assert gpu.busy_until > gpu.now + 2 * gpu.seconds


def test_other_devices_are_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "Event", None)
    UpdatesInFlight(torch.device("cpu")).launched()
