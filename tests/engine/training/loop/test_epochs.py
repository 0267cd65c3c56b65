"""Trainings that are judged and kept after each pass over the text."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.engine.events import CheckpointSaved, Evaluation, StateChanged, Step
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.loop import trainer
from minigpt_tui.models.recipe import Budget

from .test_trainer import build, kinds, pretend_losses

EPOCHS = {"evaluate_every_epoch": True, "evaluation_interval": 0, "checkpoint_interval": 0, "batch_size": 32}


def epochs_of(run: Run, text: Path, number: int) -> list[list[float]]:
    """The losses of each update, epoch by epoch, from updates alone."""
    _, learner, _ = build(run, text)
    losses: list[list[float]] = []
    for epoch in range(1, number + 1):
        losses.append([])
        while learner.steps_until(epoch):
            learner.update(1.0)
            losses[-1].append(learner.take_loss())
    return losses


def test_each_epoch_is_saved_and_evaluated_at_its_end_and_the_last_one_ends_the_budget(make_run, text, events_of):
    changes = EPOCHS | {"budget": Budget(3, "epochs"), "schedule": "constant"}
    run = make_run(**changes)
    it, _, _ = build(run, text)
    assert (
        it.progress.total_steps == 3 * 1125 // 32 + 1
    )  # 18,000 characters are 1125 windows of 16, but for some last ones
    it.train()
    epochs, events = epochs_of(make_run("alone", **changes), text, 3), events_of(run)
    ends = [sum(map(len, epochs[: i + 1])) for i in range(3)]
    evaluations = kinds(events, Evaluation)
    assert [event.step for event in evaluations] == ends
    for event, losses in zip(evaluations, epochs, strict=True):
        assert event.train_loss == pytest.approx(sum(losses) / len(losses))
    steps, final = kinds(events, Step), kinds(events, StateChanged)[-1]
    assert (final.state, final.step) == ("finished", ends[-1])
    assert (steps[-1].step, steps[-1].total_steps, steps[-1].remaining) == (ends[-1], ends[-1], 0)
    for evaluation in evaluations:
        saved = [event for event in kinds(events, CheckpointSaved) if event.step == evaluation.step]
        assert events.index(saved[0]) < events.index(evaluation)


def judged(events) -> list[tuple[int, float, float | None, bool]]:
    found = kinds(events, Evaluation)
    return [(event.step, event.validation_loss, event.train_loss, event.best) for event in found]


@pytest.mark.long
@pytest.mark.parametrize("at", ["within an epoch", "before the evaluation", "after the evaluation"])
def test_epochs_stay_whole_where_a_run_goes_on(make_run, text, events_of, monkeypatch, at):
    changes = EPOCHS | {"budget": Budget(2, "epochs")}
    whole = make_run("whole", **changes)
    build(whole, text)[0].train()
    run = make_run("parts", **changes)
    it, learner, commands = build(run, text)
    end = next(event.step for event in kinds(events_of(whole), Evaluation))
    update, evaluate = learner.update, trainer.evaluate

    def stopping(factor: float) -> None:
        update(factor)
        commands.stop_requested = learner.step == (end if at == "after the evaluation" else end + 5)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(learner, "update", stopping)
    if at == "before the evaluation":
        monkeypatch.setattr(trainer, "evaluate", killed)
        with pytest.raises(KeyboardInterrupt):
            it.train()
        monkeypatch.setattr(trainer, "evaluate", evaluate)
    else:
        it.train()
    build(run, text, resume=True)[0].train()
    assert judged(events_of(run)) == judged(events_of(whole))


def test_patience_counts_epochs(make_run, text, events_of, monkeypatch):
    run = make_run(**EPOCHS, budget=Budget(50, "epochs"), patience=2)
    it, _, _ = build(run, text)
    pretend_losses(monkeypatch, [3.0, 3.5, 3.5])
    it.train()
    assert len(kinds(events_of(run), Evaluation)) == 3
    assert "no better validation loss in 2 evaluations" in kinds(events_of(run), StateChanged)[-1].reason
