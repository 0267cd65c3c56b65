"""A divergence is told from a spike in the loss, and the run goes back once."""

from __future__ import annotations

import math
import random
import re

import pytest
from minigpt_tui.engine.events import Command, Note, Started, StateChanged, Step
from minigpt_tui.engine.training.checkpoints import resume_from
from minigpt_tui.engine.training.errors import TrainingError
from minigpt_tui.engine.training.loop.divergence import DIVERGED_AFTER, DivergenceDetector
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.models.recipe import Budget

from ..preparing import prepared


def detector(losses, vocab_size: int = 65) -> DivergenceDetector:
    it = DivergenceDetector(vocab_size)
    for loss in losses:
        it.update(loss, 1, 1.0)
        if it.problem:
            break
    return it


def falling(steps: int, start: float = 4.2, end: float = 1.5, noise: float = 0.1) -> list[float]:
    draw = random.Random(0)
    return [end + (start - end) * math.exp(-5 * i / steps) + draw.gauss(0, noise) for i in range(steps)]


def test_a_loss_that_stays_high_is_a_divergence():
    it = detector(falling(500))
    it.update(9.0, 1, 1.0)
    assert it.diverging  # no moment to save it, ...
    it.update(1.5, 1, 1.0)
    assert not it.diverging  # ... but one bad batch is soon forgotten
    for _ in range(DIVERGED_AFTER + 30):
        it.update(3.3, 1, 1.0)  # what the frequencies of the characters alone are good for
    assert re.fullmatch(r"the loss was 1\.\d\d and is 3\.30 since 2\d\d steps", it.problem or "")


@pytest.mark.parametrize(
    "losses",
    [
        falling(600, start=40.0),  # a start far above log(vocabulary)
        falling(400) + [1e6] * 3 + falling(400, start=4.2),  # a spike, and all learned anew
        falling(300) + 5 * ([30.0] + [2.0] * 40),
        [4.2] * 600,  # nothing learned at all is no divergence
        falling(300, end=0.01, noise=0.0) + [0.9] * 500,  # learned by heart, and another part of the text
        falling(300) + [2.2] * 600,
    ],
)
def test_spikes_and_plateaus_are_none(losses):
    assert detector(losses).problem is None


def test_a_model_that_nothing_reaches_any_more_has_diverged():
    it = DivergenceDetector(65)
    for _ in range(DIVERGED_AFTER):
        it.update(math.log(65), 1, 0.0)
    assert it.problem
    knows_all = DivergenceDetector(65)
    for _ in range(2 * DIVERGED_AFTER):
        knows_all.update(0.0, 1, 0.0)
    assert not knows_all.diverging


def test_one_report_over_many_updates_proves_nothing():
    it = DivergenceDetector(65)
    it.update(1.5, 1000, 1.0)
    it.update(1e5, 1000, 1.0)  # one loss of 1e8 among a thousand would do that
    assert it.problem is None
    it.update(1.5, 1000, 1.0)
    assert not it.diverging


pytestmark = pytest.mark.usefixtures("polite")


def kinds(events, kind):
    return [event for event in events if isinstance(event, kind)]


ABSURD = {"optimizer": "adamw", "learning_rate": 50.0, "schedule": "constant", "budget": Budget(2000)}


def test_an_absurd_rate_is_tried_twice_from_the_initial_weights(make_run, events_of):
    run = make_run(**ABSURD, checkpoint_interval=10_000, evaluation_interval=10_000)
    with pytest.raises(TrainingError, match=r"diverged.*again and with half the learning rate; none is kept yet"):
        prepared(run).train()
    events = events_of(run)
    assert [event.step for event in kinds(events, Started)] == [0, 0]
    (note,) = [event for event in kinds(events, Note) if event.severity == "warning"]
    assert "going on from the initial weights with the learning rate at 0.5 times" in note.text
    first, second = (event for event in kinds(events, Step) if event.step == 1)
    assert second.learning_rate == first.learning_rate / 2
    assert second.loss == first.loss  # the same weights, that find all characters alike, ...
    assert second.gradient_norm != first.gradient_norm  # ... on another batch
    assert run.checkpoint() is None


def test_what_was_evaluated_amid_a_divergence_is_no_place_to_go_back_to(make_run, events_of):
    run = make_run(**ABSURD, checkpoint_interval=20, evaluation_interval=30)
    with pytest.raises(TrainingError, match=r"again and with half the learning rate"):
        prepared(run).train()
    assert [event.step for event in kinds(events_of(run), Started)] == [0, 0]
    assert run.checkpoint() is None


def test_a_run_that_diverges_goes_back_and_ends_well(make_run, events_of):
    run = make_run(budget=Budget(700), schedule="constant", checkpoint_interval=50, evaluation_interval=10_000)
    scale_up = iter([Command("scale_learning_rate", 1000.0)])

    def at_step_220(event, _) -> None:
        if isinstance(event, Step) and event.step == 220 and (command := next(scale_up, None)):
            run.send(command)

    prepared(run, watch=at_step_220, report_interval=0.0).train()
    events = events_of(run)
    (back,) = kinds(events, Started)[1:]
    assert back.step == 200  # the checkpoint of 250 and those behind it would have been no good
    (note,) = [event for event in kinds(events, Note) if event.severity == "warning"]
    assert "going on from the checkpoint of step 200 with the learning rate at 0.5 times" in note.text
    after = events[events.index(note) :]
    assert kinds(after, StateChanged)[-1].state == "finished"
    assert kinds(after, Step)[-1].loss < 2.8
    assert load_checkpoint(run.checkpoints / "last").step == 700
    resumed = resume_from(run.checkpoints, print)
    assert resumed is not None
    assert resumed.counters.recoveries == 1  # the run remembers that it had its second chance
