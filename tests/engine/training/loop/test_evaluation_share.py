"""A young run evaluates on a part of the validation text, a grown one on all of it."""

from __future__ import annotations

import math

import pytest
from minigpt_tui.engine.training.loop.evaluation_share import EvaluationShare
from minigpt_tui.engine.training.loop.intervals import evaluation_interval
from minigpt_tui.models.recipe import Protocol, TrainingConfig


def of(protocol: Protocol = "full", may_read_less: bool = True, n_tokens: int = 100_001) -> EvaluationShare:
    return EvaluationShare(TrainingConfig(evaluation=protocol), n_tokens, 64, may_read_less=may_read_less)


def test_the_part_grows_with_the_time_until_there_is_time_for_all() -> None:
    share, interval = of(), evaluation_interval(0)
    share.done(2.0, 1.0)  # seconds that all of it takes
    shares = [share.of_next(interval, seconds, share.whole_cost(0, seconds)) for seconds in (1.0, 4.0, 8.0, 13.0, 14.0)]
    assert shares == pytest.approx([0.04096, 0.04096, 0.04096, 0.065, 1.0])


def test_what_a_part_took_says_what_the_whole_takes() -> None:
    share = of()
    share.done(0.1, 0.05)
    assert share.whole_cost(10, 1.0) == pytest.approx(2.0)


def test_before_the_first_the_cost_is_estimated_from_the_pace() -> None:
    share = of()
    assert share.whole_cost(0, 0.0) == math.inf
    assert share.whole_cost(100_000, 30.0) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("made", "every"), [(of(may_read_less=False), 0), (of("random"), 0), (of(), 5)], ids=["not", "random", "steps"]
)
def test_where_it_may_not_read_less_it_reads_all(made: EvaluationShare, every: int) -> None:
    assert made.of_next(evaluation_interval(every), 1.0, 100.0) == 1.0


def test_a_short_text_is_read_whole() -> None:
    assert of(n_tokens=3000).of_next(evaluation_interval(0), 1.0, 100.0) == 1.0
