"""Two real processes share one model: they train what one trains that holds it all, and go on in any number."""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from minigpt_tui.engine.events import Note, Sample, Started
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.errors import TrainingError
from minigpt_tui.engine.training.initial_weights import fresh_weights, stored_weights
from minigpt_tui.engine.training.sharded import learner
from minigpt_tui.engine.training.sharded.learner import ShardedLearner
from minigpt_tui.engine.training.sharded.state import split_state
from minigpt_tui.engine.training.update.flat_parameters import FlatParameters
from minigpt_tui.engine.training.update.memory import check_memory
from minigpt_tui.models.config import ConfigError, ModelConfig, parameter_count
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import open_checkpoint
from minigpt_tui.models.memory import training_memory
from minigpt_tui.models.recipe import Budget, TrainingConfig
from minigpt_tui.models.tensor_file import load_tensors

from ..alone_and_together import (
    TRAINING,
    assert_lost_and_resumable,
    assert_same_figures,
    figures,
    lengthen,
    rewrite,
    steps_saved,
    train_alone,
)
from ..ranks import PATIENCE, launched, outcome, train_together

# rows that do not divide evenly, two at a time; the vocabulary, and with it a table, does not divide evenly either
SHARED = {"batch_size": 5, "micro_batch_size": 1, "devices": 2, "sharded": True}
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="nobody has shared a model there"), pytest.mark.usefixtures("polite")
]  # fmt: skip


@pytest.fixture
def make(make_run):
    """Makes a run; without dropout, whose numbers depend on how many processes draw them, unless it is asked for."""

    def make(name: str, model: dict[str, object] | None = None, **changes: object) -> Run:
        run = make_run(name, **{**TRAINING, **SHARED, **changes})
        shape = {"residual_dropout": 0.0, "n_layer": 3, **(model or {})}
        rewrite(run, model=dataclasses.replace(run.manifest().model, **shape))
        return run

    return make


def run_folder(run: Run, kind: Literal["last", "best"] = "last") -> Path:
    folder = run.checkpoint(kind)
    assert folder is not None
    return folder


def assert_equal(one: Run, other: Run, tolerance: float) -> None:
    for kind in ("last", "best"):
        first, second = (load_tensors(run_folder(run, kind) / "model.safetensors")[0] for run in (one, other))
        assert first.keys() == second.keys()
        for tensor in first:
            torch.testing.assert_close(second[tensor], first[tensor], rtol=tolerance, atol=tolerance)


@pytest.mark.long
def test_with_muon_processes_that_share_a_model_train_what_one_does_and_each_goes_on_with_the_others(make, events_of):
    alone, together = make("alone"), make("together")
    train_alone(alone)
    train_together(together)
    assert_equal(alone, together, 1e-6)
    assert_same_figures(alone, together, at_least=2)
    started = next(event for event in events_of(together) if isinstance(event, Started))
    assert "2 processes train together and share the model" in started.reason
    texts = [[event.text for event in events_of(run) if isinstance(event, Sample)] for run in (alone, together)]
    assert texts[0]
    assert texts[0] == texts[1]
    rows = run_folder(together) / "rows"
    assert sorted(file.name for file in rows.iterdir()) == ["rows-00001.safetensors", "rows-00002.safetensors"]

    for run in (alone, together):
        lengthen(run, 8)
    train_together(alone, "--resume")  # two go on with what one has done
    train_alone(together, resume=True)  # and one with what two have
    assert_equal(alone, together, 3e-6)


@pytest.mark.long
def test_with_adamw_another_number_of_processes_goes_on(make):
    # a table for input and output; of four numbers in the norm of a head the third process of three has none
    model = {"tied": True, "n_head": 4, "n_layer": 1}
    changes = {"optimizer": "adamw", "average": 0.0, "evaluation": "sliding", "micro_batch_size": 5}
    alone, together = make("alone", model, **changes), make("together", model, **changes)
    train_alone(alone)
    train_together(together, processes=3)
    assert_equal(alone, together, 1e-6)
    for run in (alone, together):
        lengthen(run, 8)
    train_alone(alone, resume=True)
    train_together(together, "--resume")
    assert_equal(alone, together, 3e-6)
    assert_same_figures(alone, together, at_least=3)


@pytest.mark.long
def test_resumed_by_as_many_processes_it_is_the_same_run_bit_for_bit(make, events_of):
    whole, parts = (make(name, {"residual_dropout": 0.3}, budget=Budget(8)) for name in ("whole", "parts"))
    train_together(whole)
    lengthen(parts, 4)
    train_together(parts)
    lengthen(parts, 8)
    train_together(parts, "--resume")
    assert_equal(whole, parts, 0.0)
    for file in (run_folder(whole) / "rows").iterdir():
        first, second = load_tensors(file)[0], load_tensors(run_folder(parts) / "rows" / file.name)[0]
        assert first.keys() == second.keys()
        for name in first:
            torch.testing.assert_close(second[name], first[name], rtol=0.0, atol=0.0)
    assert figures(events_of(whole)) == figures(events_of(parts))


def measure() -> None:
    """Have each process say, after its last step, how many bytes of tensors it holds.

    As where memory is scarce, none keeps whole gradients between two passes.
    """
    learner.memory_of = lambda device, group: 0
    original = ShardedLearner.update

    def update(self: ShardedLearner, factor: float) -> None:
        original(self, factor)
        if self.step == 4:
            print("measured", sum(held_tensors().values()), flush=True)

    ShardedLearner.update = update


def held_tensors() -> dict[int, int]:
    """The bytes of each storage that a tensor of this process lies in."""
    held: dict[int, int] = {}
    gc.unfreeze()  # what the trainer has frozen is held as well
    gc.collect()
    for found in gc.get_objects():
        if type(found) in (torch.Tensor, torch.nn.Parameter):
            storage = found.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
    return held


@pytest.mark.long
def test_each_of_two_processes_holds_half_of_the_weights_and_of_the_state(make):
    run, alone = (make(name, {"d_model": 64}, average=0.0, optimizer="adamw") for name in ("halves", "alone"))
    train_alone(alone)
    output = train_together(run, prepare=measure)
    measured = [int(line.split()[1]) for line in output.splitlines() if line.startswith("measured")]
    assert len(measured) == 2
    whole = 3 * 4 * parameter_count(run.manifest().model)  # weights and two moments
    for held in measured:
        assert 0.5 <= held / whole < 0.55  # and the text
    assert_equal(alone, run, 1e-5)  # AdamW makes as large a step of the smallest gradient, and so of its rounding


@pytest.mark.long
def test_without_the_file_of_a_process_the_others_go_on_from_the_best_weights(make, events_of):
    run = make("torn", {"n_layer": 1}, dtype="bfloat16")
    train_together(run)
    (run_folder(run) / "rows" / "rows-00002.safetensors").unlink()
    lengthen(run, 6)
    train_together(run, "--resume")
    assert steps_saved(events_of(run))[-1] == 6
    (note,) = [event.text for event in events_of(run) if isinstance(event, Note)]
    assert "rows lacks the file of a process" in note
    assert "going on from best at step 4 instead, with a new optimizer" in note


def test_a_process_that_is_killed_ends_the_run_and_it_goes_on(make, events_of, until):
    run = make("killed", {"n_layer": 1}, budget=Budget(1_000_000), evaluation_interval=1_000_000)
    children = launched(run)
    try:
        until(lambda: steps_saved(events_of(run)), "a checkpoint", PATIENCE)
        children[1].kill()
    finally:
        codes, output = outcome(run, children)
    assert codes == [1, -signal.SIGKILL]
    assert_lost_and_resumable(run, output)


def exhaust() -> None:
    """Let the memory of the second process run out in its second update."""
    original, passes = GPT.loss, 0

    def loss(self: GPT, *arguments: Any, **options: Any) -> torch.Tensor:
        nonlocal passes
        passes += torch.is_grad_enabled() and self.training
        if passes > 3 and os.environ["RANK"] == "1":  # three rows, one at a time, in each update
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, *arguments, **options)

    GPT.loss = loss


def test_where_the_memory_of_one_process_runs_out_the_run_says_what_helps(make):
    run = make("exhausted", {"n_layer": 1})
    codes, output = outcome(run, launched(run, prepare=exhaust))
    assert codes == [1, 1]
    status = run.status()
    assert status is not None
    assert status.state == "failed", output
    assert "the memory ran out with 1 sequences at a time" in status.reason
    assert "more --devices" in status.reason


def test_buffers_part_into_parameters(make):
    model = GPT(ModelConfig(vocab_size=65, context_length=16, n_layer=2, n_head=2, d_model=16, bias=True))
    flat = FlatParameters(model)
    beside_muon = flat.values[flat.hidden.stop :]
    state = {"optimizer.momentum": flat.values[flat.hidden], "optimizer.first_moment": beside_muon}
    tensor = split_state(state | {"weights": flat.values}, model)
    for name, parameter in model.named_parameters():
        assert torch.equal(tensor(f"weights.{name}"), parameter)
    for part, moment in (
        (model.hidden_matrices(), "momentum"),
        (model.head_parameters() + model.vector_parameters(), "first_moment"),
    ):
        names = {parameter: name for name, parameter in model.named_parameters()}
        for parameter in part:
            assert torch.equal(tensor(f"optimizer.{moment}.{names[parameter]}"), parameter)
    for wrong in ("optimizer.momentum.embedding", "optimizer.first_moment.blocks.0.mlp.up.weight"):
        with pytest.raises(ValueError, match="belongs to another model or optimizer"):
            tensor(wrong)


def test_weights_come_one_parameter_at_a_time_as_the_whole_model_has_them(make):
    config = ModelConfig(vocab_size=65, context_length=16, n_layer=2, n_head=2, d_model=16, tied=False)
    model = GPT(config)
    model.reset_parameters(torch.Generator().manual_seed(7))
    fresh = fresh_weights(config, 7)
    for name, parameter in model.named_parameters():
        assert torch.equal(fresh.read(name, parameter.shape), parameter)
    run = make("source")
    train_alone(run)
    stored = open_checkpoint(run_folder(run))
    source = stored_weights(stored)
    for name, parameter in stored.build("cpu", torch.float32, None).named_parameters():
        assert torch.equal(source.read(name, parameter.shape), parameter)


def test_one_process_does_not_share_a_model():
    with pytest.raises(ConfigError, match="devices is 1; give at least 2"):
        TrainingConfig(sharded=True)


class _Pair:
    """What the memory is counted by, of one of two processes, each on a machine of its own."""

    size, local_size = 2, 1


def test_of_the_memory_that_a_model_takes_each_process_needs_its_share(make, monkeypatch):
    manifest = make("large").manifest()
    bytes_there = training_memory(manifest.model, manifest.training, 4).state * 2 // 3
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": bytes_there}.__getitem__)
    check_memory(manifest, torch.device("cpu"), _Pair())  # type: ignore[arg-type]
    whole = dataclasses.replace(manifest, training=dataclasses.replace(manifest.training, sharded=False))
    with pytest.raises(TrainingError, match="share it between the processes with --sharded"):
        check_memory(whole, torch.device("cpu"), _Pair())  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="choose a smaller model"):
        check_memory(manifest, torch.device("cpu"), None)


def scarce() -> None:
    """Let the first machine have room for two sequences, and the second for one."""
    learner.micro_batch_within_memory = lambda *_: 2 - int(os.environ["RANK"])


@pytest.mark.long
def test_on_smaller_machines_the_micro_batch_is_fitted_again(make, events_of):
    alone, run = (make(name, {"n_layer": 1}, micro_batch_size=5) for name in ("alone", "smaller"))
    for each in (alone, run):
        train_alone(each)
        lengthen(each, 6)
    train_alone(alone, resume=True)
    assert load_tensors(run_folder(run) / "state.safetensors")[0]["micro_batch"] == 5
    train_together(run, "--resume", prepare=scarce)
    assert load_tensors(run_folder(run) / "state.safetensors")[0]["micro_batch"] == 1
    notes = [event.text for event in events_of(run) if isinstance(event, Note)]
    assert notes == ["the memory has room for 1 sequences at a time; the batch stays whole"]
    assert_equal(alone, run, 3e-6)
