"""The phases of a process add up to its whole time."""

from __future__ import annotations

import time

import pytest
from minigpt_tui.engine.time_line import TimeLine, process_age


@pytest.fixture
def pass_seconds(monkeypatch: pytest.MonkeyPatch):
    """Lets seconds pass, by the clock of the time line."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def pass_seconds(seconds: float) -> None:
        now[0] += seconds

    return pass_seconds


def test_each_second_is_that_of_one_phase(pass_seconds) -> None:
    line = TimeLine("start", ("command", 0.5), ("start", 0.25))
    pass_seconds(1)
    line.enter("imports")
    pass_seconds(2)
    line.enter("training")
    pass_seconds(4)
    with line.within("evaluations"):
        pass_seconds(8)
        with line.within("checkpoints"):
            pass_seconds(16)
        pass_seconds(32)
    pass_seconds(64)
    assert list(line.phases.items()) == [
        ("command", 0.5), ("start", 1.25), ("imports", 2), ("training", 68), ("evaluations", 40), ("checkpoints", 16),
    ]  # fmt: skip
    pass_seconds(1)
    assert sum(line.phases.values()) == 128.75


def test_a_phase_that_ends_with_an_error_ends(pass_seconds) -> None:
    line = TimeLine("training")

    def fail() -> None:
        with line.within("evaluations"):
            pass_seconds(1)
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    pass_seconds(2)
    assert line.phases == {"training": 2, "evaluations": 1}


def test_a_process_is_as_old_as_the_system_says() -> None:
    before = process_age()
    time.sleep(0.05)
    assert 0 <= before <= process_age()
