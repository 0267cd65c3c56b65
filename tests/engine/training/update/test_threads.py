"""The search for the number of threads."""

from __future__ import annotations

import pytest
import torch
from minigpt_tui.engine.training.update.threads import ThreadTrial


@pytest.fixture
def chosen(monkeypatch) -> list[int]:
    """What torch was told, in order."""
    numbers: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    return numbers


def train(trial: ThreadTrial, chosen: list[int], seconds: dict[int, float], updates: int) -> list[int]:
    """The number of threads of each update, if one takes as long as `seconds` says for that number."""
    used = []
    for _ in range(updates):
        used.append(chosen[-1])
        trial.updated(seconds[chosen[-1]])
    return used


def test_every_number_is_tried_and_the_fastest_stays(chosen):
    trial = ThreadTrial(4)
    used = train(trial, chosen, {1: 0.4, 2: 0.2, 4: 0.3}, 30)
    assert used == [1] * 4 + [2] * 3 + [4] * 3 + [2] * 20  # the very first update is not counted


def test_more_threads_must_be_worth_it(chosen):
    trial = ThreadTrial(2)
    assert train(trial, chosen, {1: 0.102, 2: 0.1}, 20)[-1] == 1


def test_one_slow_update_decides_nothing(chosen):
    trial = ThreadTrial(2)
    for seconds in (9.0, 9.0, 0.2, 0.2, 0.1, 9.0, 0.1):
        trial.updated(seconds)
    assert chosen[-1] == 2


def test_it_is_tried_again_when_the_neighbours_have_changed(chosen):
    trial = ThreadTrial(2)
    assert train(trial, chosen, {1: 2.0, 2: 1.0}, 10)[-1] == 2
    assert train(trial, chosen, {1: 2.0, 2: 10.0}, 20)[-1] == 1
