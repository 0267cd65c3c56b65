"""What the trainer does around the updates, in this process."""

from __future__ import annotations

import dataclasses
import errno
import math
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.dataset import TokenDataset
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.events import (
    Acknowledged,
    CheckpointSaved,
    Command,
    Evaluation,
    Note,
    Sample,
    StateChanged,
    Step,
)
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.engine.training.errors import TrainingError
from minigpt_tui.engine.training.loop import trainer
from minigpt_tui.engine.training.loop.commands import CommandReader
from minigpt_tui.engine.training.loop.event_log import EventLog
from minigpt_tui.engine.training.loop.trainer import REPORT_INTERVAL, Trainer, TrainingContext
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import flops_per_token
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.models.recipe import Budget


def build(
    run: Run, text: Path, resume: bool = False, report_interval: float = REPORT_INTERVAL
) -> tuple[Trainer, ReplicatedLearner, CommandReader]:
    """The trainer of a new run, or of one that goes on from its newest checkpoint, as the process makes it."""
    manifest = run.manifest()
    content = text.read_text()
    tokenizer = build_tokenizer("char", alphabet=content, pieces=list)
    tokens, split = torch.tensor(tokenizer.encode(content), dtype=torch.uint8), len(content) * 9 // 10
    dataset = TokenDataset(tokens[:split], tokens[split:], len(content[split:].encode()))
    model, counters, state = GPT(manifest.model), Counters(), None
    model.reset_parameters(torch.Generator().manual_seed(0))
    event_log, commands = EventLog(run), CommandReader(run)
    if resume:
        resumed = checkpoints.resume_from(run.checkpoints, event_log.note)
        assert resumed is not None
        counters, state = resumed.counters, resumed.state
        model = resumed.stored.build("cpu", torch.float32, None)
    learner = ReplicatedLearner(model, dataset.train, manifest.training, Notes(warn=event_log.note))
    if state is not None:
        learner.load_state_dict(state)
    context = TrainingContext(
        run, manifest.training, tokenizer, dataset, event_log, commands, report_interval=report_interval
    )
    return Trainer(context, learner, counters), learner, commands


def kinds(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_a_loss_that_is_no_number_stops_at_the_last_good_checkpoint(make_run, text, events_of, monkeypatch):
    run = make_run()
    it, learner, _ = build(run, text)
    original = learner.take_loss
    monkeypatch.setattr(learner, "take_loss", lambda: math.nan if learner.step > 15 else original())
    with pytest.raises(TrainingError, match=r"diverged .* the checkpoint of step 10 is kept; .* lower learning rate"):
        it.train()
    assert [event.step for event in kinds(events_of(run), CheckpointSaved) if event.kind == "last"] == [10]
    assert load_checkpoint(run.checkpoints / "last").step == 10


def test_weights_that_are_no_numbers_are_never_saved(make_run, text):
    run = make_run()
    it, learner, _ = build(run, text)
    update = learner.update

    def poison(factor: float) -> None:
        update(factor)
        if learner.step == 10:  # the loss of this step was computed before
            next(learner.model.parameters()).data[0, 0] = math.inf

    learner.update = poison
    with pytest.raises(TrainingError, match="none is kept yet"):
        it.train()
    assert run.checkpoint() is None


def pretend_losses(monkeypatch, losses: list[float]) -> None:
    """Evaluations run as they do, but say these losses."""
    told, original = iter(losses), trainer.evaluate

    def evaluate(*arguments, **keywords):
        score = original(*arguments, **keywords)
        return dataclasses.replace(score, loss=next(told))

    monkeypatch.setattr(trainer, "evaluate", evaluate)


def test_a_text_that_is_learned_by_heart_is_told_once(make_run, text, events_of, monkeypatch):
    run = make_run(evaluation_interval=5)
    it, _, _ = build(run, text)
    pretend_losses(monkeypatch, [4.0, 4.1, 4.2, 4.3, 4.4, 4.5])
    it.train()
    (note,) = [event for event in kinds(events_of(run), Note) if "by heart" in event.text]
    assert (note.step, note.severity) == (20, "warning")


def test_a_part_of_the_text_decides_nothing(make_run, text, events_of):
    run = make_run(patience=1, evaluation_interval=1000, checkpoint_interval=1000)
    it, _, _ = build(run, text)
    it.evaluate()
    better = it.evaluate(share=0.2)
    evaluations = kinds(events_of(run), Evaluation)
    assert [(event.share, event.best) for event in evaluations] == [(1.0, True), (0.2, False)]
    assert better == evaluations[1].validation_loss
    assert len([event for event in kinds(events_of(run), CheckpointSaved) if event.kind == "best"]) == 1
    it.train()
    assert kinds(events_of(run), Step)[-1].step == run.manifest().training.budget.amount


def test_patience_ends_a_run_early(make_run, text, events_of, monkeypatch):
    run = make_run(patience=2, budget=Budget(1000), evaluation_interval=5)
    it, _, _ = build(run, text)
    pretend_losses(monkeypatch, [3.0, 2.0, 2.5, 2.0])
    it.train()
    events = events_of(run)
    assert [event.best for event in kinds(events, Evaluation)] == [True, True, False, False]
    final = kinds(events, StateChanged)[-1]
    assert (final.state, final.step) == ("finished", 20)
    assert "no better validation loss in 2 evaluations" in final.reason
    assert load_checkpoint(run.checkpoints / "best").validation_loss == 2.0
    assert load_checkpoint(run.checkpoints / "best").step == 10


def test_patience_waits_for_the_floor_of_steps(make_run, text, events_of, monkeypatch):
    run = make_run(patience=2, minimum_steps=27, budget=Budget(1000), evaluation_interval=5)
    it, _, _ = build(run, text)
    pretend_losses(monkeypatch, [2.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    it.train()
    final = kinds(events_of(run), StateChanged)[-1]
    assert (final.state, final.step) == ("finished", 27)
    assert "no better validation loss in 2 evaluations" in final.reason


def test_a_run_resumed_before_the_floor_has_no_more_patience_than_one_that_went_on(make_run, text, monkeypatch):
    run = make_run(patience=2, minimum_steps=27, budget=Budget(1000), evaluation_interval=5, checkpoint_interval=5)
    it, learner, commands = build(run, text)
    pretend_losses(monkeypatch, [2.0] + 8 * [3.0])
    update = learner.update

    def stopping(factor: float) -> None:
        update(factor)
        commands.stop_requested = learner.step == 22

    learner.update = stopping
    it.train()
    it, learner, _ = build(run, text, resume=True)
    it.train()
    assert learner.step == 27
    it, learner, _ = build(run, text, resume=True)
    it.train()
    assert learner.step == 35  # whoever resumes it now wants it to try for two more evaluations


def test_being_stopped_costs_no_patience(make_run, text, monkeypatch):
    run = make_run(patience=2, budget=Budget(1000), evaluation_interval=5)
    it, learner, commands = build(run, text)
    pretend_losses(monkeypatch, [3.0, 2.5, 2.6, 2.6, 2.4, 2.6, 2.6])  # at 5 and 10, where it is stopped, at 15, ...
    update = learner.update

    def stopping(factor: float) -> None:
        update(factor)
        commands.stop_requested = learner.step == 12

    learner.update = stopping
    it.train()
    it, learner, _ = build(run, text, resume=True)
    it.train()
    assert learner.step == 30


def steps_of(run: Run) -> list[int]:
    return [int(folder.name.removeprefix("step-")) for folder in checkpoints.history(run.checkpoints)]


def test_checkpoints_to_look_back_to_stay_spread_over_the_run(make_run, text, events_of):
    run = make_run(checkpoint_history=2, checkpoint_history_limit=4, evaluation_interval=8, budget=Budget(64))
    (run.checkpoints / ".step-000003.new").mkdir(parents=True)  # a process was killed
    it, _, _ = build(run, text)
    it.train()
    steps = steps_of(run)
    assert len(steps) == 4
    assert steps[-1] == 64
    gaps = [later - earlier for earlier, later in zip([0, *steps], steps, strict=False)]
    assert max(gaps) <= 2 * 64 / 4
    oldest = load_checkpoint(checkpoints.history(run.checkpoints)[0])
    assert oldest.step == steps[0]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == sorted(
        ["best", "last", *(f"step-{step:06d}" for step in steps)]
    )
    assert not any((folder / "state.safetensors").exists() for folder in checkpoints.history(run.checkpoints))
    saved = [event for event in kinds(events_of(run), CheckpointSaved) if event.kind == "history"]
    assert [event.step for event in saved] == list(range(2, 65, 2))
    evaluated = {event.step: event.validation_loss for event in kinds(events_of(run), Evaluation)}
    assert all(event.validation_loss == evaluated.get(event.step) for event in saved)


def test_a_disk_that_becomes_full_keeps_its_room_for_the_run_itself(make_run, text, events_of, monkeypatch):
    run = make_run(checkpoint_history=5, budget=Budget(20))
    it, learner, _ = build(run, text)
    weights = 4 * sum(parameter.numel() for parameter in learner.model.parameters())
    free = iter([9 * weights, 9 * weights - 1, 9 * weights - 1, 9 * weights])
    usage = checkpoints.shutil.disk_usage
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: usage(path)._replace(free=next(free)))
    it.train()
    assert steps_of(run) == [5, 20]
    (note,) = [event for event in kinds(events_of(run), Note) if event.severity == "warning"]
    assert (note.step, "too full to keep step 10" in note.text) == (10, True)
    assert load_checkpoint(run.checkpoints / "last").step == 20


def rates(events) -> dict[int, float]:
    return {event.step: event.learning_rate for event in kinds(events, Step)}


def test_the_schedule_follows_a_budget_that_is_changed_in_the_middle(make_run, text, events_of):
    settings = {"budget": Budget(40), "decay_fraction": 1.0, "learning_rate": 0.01, "checkpoint_interval": 100}
    run = make_run(**settings)
    it, learner, commands = build(run, text, report_interval=0.0)
    update = learner.update

    def ordering(factor: float) -> None:
        update(factor)
        if learner.step == 10:
            run.send(Command("budget", text="20 steps"))
        if learner.step == 12:
            run.send(Command("budget", text="7"))  # spent already
            run.send(Command("budget", text="a while"))
        commands.stop_requested = learner.step == 15

    learner.update = ordering
    it.train()
    build(run, text, resume=True, report_interval=0.0)[0].train()  # it is remembered
    it, learner, _ = build(run, text, resume=True, report_interval=0.0)
    it.carry_out(Command("budget", text="30 steps"))
    it.train()
    events = events_of(run)
    expected = {i + 1: 0.01 * (1 - i / (40 if i < 10 else 20 if i < 20 else 30)) for i in range(30)}
    assert rates(events) == pytest.approx(expected)
    assert [event.state for event in kinds(events, StateChanged) if event.state != "running"] == [
        "stopped", "finished", "finished",
    ]  # fmt: skip
    notes = [event.text for event in kinds(events, Acknowledged)]
    assert notes[0] == "the budget is now 20 steps; the learning rate follows it from here on"
    assert "a budget of 7 steps is spent already" in notes[1]
    assert "it stays at 20 steps" in notes[1]
    assert "'a while' is not understood" in notes[2]
    assert "now 30 steps" in " ".join(notes)


def test_a_full_disk_keeps_the_old_checkpoint(make_run, text, events_of, monkeypatch):
    run = make_run()
    it, learner, _ = build(run, text)
    save = checkpoints.save_checkpoint

    def fails(*arguments, **keywords):
        save(*arguments, **keywords)
        if learner.step > 10:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_checkpoint", fails)
    with pytest.raises(TrainingError, match=r"No space left.*the checkpoint of step 10 is kept; free some space, then"):
        it.train()
    notes = [event.text for event in kinds(events_of(run), Note)]
    assert any("No space left on device" in text and "step 10 is kept" in text for text in notes)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["best", "last"]
    assert load_checkpoint(run.checkpoints / "last").step == 10


def test_a_budget_in_minutes_ends_by_the_training_time(make_run, text, events_of):
    run = make_run(budget=Budget(0.01, "minutes"), evaluation_interval=0, checkpoint_interval=0)
    it, _, _ = build(run, text)
    assert it.progress.total_steps is None
    it.train()
    steps = kinds(events_of(run), Step)
    assert steps[-1].seconds >= 0.6
    assert steps[-1].remaining == 0
    assert steps[-1].total_steps == steps[-1].step
    assert steps[0].remaining == pytest.approx(0.6 - steps[0].seconds, abs=0.05)
    assert steps[-1].learning_rate < steps[0].learning_rate


def test_utilisation_is_the_models_operations_over_those_of_its_device(make_run, text, events_of, monkeypatch):
    run = make_run(budget=Budget(3))
    build(run, text)[0].train()
    assert kinds(events_of(run), Step)[-1].mfu is None  # nobody knows what this CPU can do
    known = make_run("known", budget=Budget(3))
    it, learner, _ = build(known, text)
    monkeypatch.setattr(trainer, "peak_flops", lambda device, dtype: 2e12)
    it.train()
    step = kinds(events_of(known), Step)[-1]
    assert step.mfu == pytest.approx(step.tokens_per_second * flops_per_token(learner.model.config) / 2e12)


def test_a_stop_ends_an_evaluation(make_run, text, events_of, monkeypatch):
    run = make_run()
    it, learner, _ = build(run, text)
    original, ended = trainer.evaluate, []

    def evaluate(*arguments, progress, **keywords):
        run.send(Command("stop"))
        ended.append("early")
        score = original(*arguments, progress=progress, **keywords)
        ended[-1] = "whole"
        return score

    monkeypatch.setattr(trainer, "evaluate", evaluate)
    it.train()
    assert learner.step == 10
    assert learner.model.training
    assert ended == ["early", "whole"]  # the second is short, and says how good the stopped run is
    assert [event.step for event in kinds(events_of(run), Evaluation)] == [10]
    assert kinds(events_of(run), StateChanged)[-1].state == "stopped"


@pytest.mark.parametrize("kept", [CheckpointSaved, Evaluation])
def test_a_stop_that_is_taken_back_while_it_saves_ends_nothing(
    make_run, text, events_of, monkeypatch, kept: type[CheckpointSaved | Evaluation]
):
    """The command comes after the trainer has turned to its end: with the last checkpoint, or the last evaluation."""
    run = make_run(checkpoint_interval=0, evaluation_interval=1000)
    it, learner, _ = build(run, text, report_interval=0)
    emit = EventLog.emit

    def watched(self: EventLog, event: object) -> None:
        emit(self, event)  # type: ignore[arg-type]
        if isinstance(event, Step) and event.step == 5:
            run.send(Command("stop"))
        elif isinstance(event, kept) and event.step < 10:
            run.send(Command("resume"))

    monkeypatch.setattr(EventLog, "emit", watched)
    it.train()
    events = events_of(run)
    assert [event.state for event in kinds(events, StateChanged)] == ["running", "running", "finished"]
    assert learner.step == 30
    steps = [event.step for event in kinds(events, Step)]
    assert steps == sorted(set(steps))


def test_what_is_judged_and_kept_are_the_averaged_weights(make_run, text, events_of):
    run = make_run(budget=Budget(10))
    it, learner, _ = build(run, text)
    it.train()
    kept = load_checkpoint(run.checkpoints / "last").model
    for parameter, own in zip(kept.parameters(), learner.model.parameters(), strict=True):
        assert not torch.equal(parameter, own)
    with learner.averaged() as model:
        for parameter, averaged in zip(kept.parameters(), model.parameters(), strict=True):
            assert torch.equal(parameter, averaged)


def test_an_evaluation_and_a_sample_without_memory_are_made_again(make_run, text, events_of, monkeypatch):
    run = make_run(budget=Budget(10))
    it, _, _ = build(run, text)
    tries: list[str] = []

    def short_of_memory(name, work):
        def tried(*arguments, **keywords):
            tries.append(name)
            if tries.count(name) == 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return work(*arguments, **keywords)

        return tried

    monkeypatch.setattr(trainer, "evaluate", short_of_memory("evaluation", trainer.evaluate))
    monkeypatch.setattr(it._samples, "write", short_of_memory("sample", it._samples.write))
    it.train()
    events = events_of(run)
    assert kinds(events, StateChanged)[-1].state == "finished"
    for name, kind in (("evaluation", Evaluation), ("sample", Sample)):
        assert tries.count(name) == len(kinds(events, kind)) + 1 > 1


def test_samples_at_steps_of_their_own(make_run, text, events_of):
    run = make_run(sample_interval=4, evaluation_interval=100)
    it, _, _ = build(run, text)
    it.train()
    assert [event.step for event in kinds(events_of(run), Sample)] == [4, 8, 12, 16, 20, 24, 28, 30]


def test_watching_does_not_change_what_is_learned(make_run, text):
    weights = []
    for name, interval in (("watched", 3), ("alone", 1000)):
        run = make_run(name, evaluation_interval=interval, checkpoint_interval=interval, sample_interval=interval)
        it, learner, _ = build(run, text)
        it.train()
        weights.append([parameter.detach().clone() for parameter in learner.model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_a_random_evaluation_draws_as_many_batches_as_the_recipe_says(make_run, text, monkeypatch):
    run = make_run(evaluation="random", evaluation_batches=3, budget=Budget(10))
    it, _, _ = build(run, text)
    original, scores = trainer.evaluate, []
    monkeypatch.setattr(trainer, "evaluate", lambda *a, **k: scores.append(original(*a, **k)) or scores[-1])
    it.train()
    assert [score.tokens for score in scores] == [3 * 8 * 16]


def test_samples_go_on_from_the_prompt_as_far_as_the_text_knows_its_characters(make_run, text, events_of):
    run = make_run(sample_prompt="def \N{SNOWMAN}", sample_temperature=0.0, budget=Budget(10))
    it, learner, _ = build(run, text)
    it.train()
    sample = kinds(events_of(run), Sample)[-1]
    assert sample.prompt == "def "
    tokenizer = build_tokenizer("char", alphabet=text.read_text(), pieces=list)
    with learner.averaged() as model:
        ids = list(tokenizer.encode("def "))
        for _ in range(12):  # greedily, without a cache
            ids.append(int(model.eval()(torch.tensor([ids]))[0, -1].argmax()))
    assert sample.text[:12] == tokenizer.decode(ids[4:])
