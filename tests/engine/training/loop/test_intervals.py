"""When something is due."""

from __future__ import annotations

import time

import pytest
from minigpt_tui.engine.training.loop.intervals import (
    Interval,
    Stopwatch,
    checkpoint_interval,
    evaluation_interval,
    sample_interval,
)


def times(interval: Interval, until: float, cost: float, expected: float = 0.0) -> list[float]:
    """When it is due if it is looked at ten times a second of training."""
    found = []
    for tenth in range(round(10 * until)):
        if interval.due(tenth, tenth / 10, expected):
            found.append(tenth / 10)
            interval.done(tenth, tenth / 10, cost)
    return found


def test_fixed_steps():
    interval = checkpoint_interval(5)
    due = []
    for step in range(1, 21):
        for _ in range(2):  # looked at twice
            if interval.due(step, 0.0):
                due.append(step)
                interval.done(step, 0.0, 100.0)
    assert due == [5, 10, 15, 20]


def test_cheap_checkpoints_come_soon_and_then_more_and_more_rarely():
    due = times(checkpoint_interval(0), 205, cost=0.01)
    assert due[:9] == pytest.approx([1.2, 3, 5, 7, 10, 13, 17, 22, 27], abs=0.11)
    assert due[9:] == pytest.approx([37, 47, 67, 97, 127, 157, 187], abs=0.5)


@pytest.mark.parametrize(
    ("make", "share"), [(checkpoint_interval, 0.03), (evaluation_interval, 0.15), (sample_interval, 0.05)]
)
@pytest.mark.parametrize("cost", [0.01, 0.5, 7.0])
def test_the_share_of_the_time_is_kept(make, share, cost):
    found = times(make(0), 1000, cost)
    assert len(found) >= 3
    for count, seconds in enumerate(found[1:], 2):
        assert count * cost <= share * seconds + cost


def test_the_first_evaluation_waits_while_it_would_take_more_than_half_of_the_time():
    assert times(evaluation_interval(0), 100, cost=0.1, expected=20.0)[0] == 40.0
    assert times(evaluation_interval(0), 100, cost=0.1, expected=0.1)[0] == 2.0


def test_what_the_rest_of_the_time_cannot_pay_for_is_left_to_the_end():
    assert evaluation_interval(0).due(9, 10.0, 1.0, remaining=7.0)
    assert not evaluation_interval(0).due(9, 10.0, 1.0, remaining=6.0)
    assert evaluation_interval(0).due(9, 10.0, 1.0, remaining=None)
    assert evaluation_interval(3).due(9, 10.0, 1.0, remaining=0.1)


def test_the_stopwatch_counts_training_alone():
    clock = Stopwatch(5.0)
    assert clock.seconds == 5.0
    clock.start()
    time.sleep(0.01)
    with clock.stopped():
        stopped = clock.seconds
        assert stopped > 5.0
        with clock.stopped():
            time.sleep(0.01)
        assert clock.seconds == stopped
    time.sleep(0.01)
    assert clock.seconds > stopped
    clock.stop()
    ended = clock.seconds
    with clock.stopped():
        pass
    time.sleep(0.01)
    assert clock.seconds == ended
