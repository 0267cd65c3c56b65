"""An update that is recorded and replayed is the update itself.

No GPU is needed: what takes a CUDA graph's place records each operator with the tensors and numbers that it was
called with, and replays exactly these: whatever the update reads from anywhere else stays as it was at the recording.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from minigpt_tui.engine.training.errors import OutOfMemoryError
from minigpt_tui.engine.training.update import replicated
from minigpt_tui.engine.training.update.cuda_graph import WARM_UP, OutOfMemory, UpdatePath, can_record, is_out_of_memory
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import TrainingConfig
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

MODEL = ModelConfig(
    vocab_size=16, context_length=8, n_layer=2, n_head=2, d_model=16, attention_dropout=0.1, residual_dropout=0.2
)
EVERYTHING = TrainingConfig(
    batch_size=6, micro_batch_size=2, average=0.9, gradient_clip=0.1, weight_decay=0.1, learning_rate=0.01
)
TOKENS = torch.randint(16, (500,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
FACTORS = [0.1, 0.4, 0.7, 1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]


class _Operators(TorchDispatchMode):
    """Notes every operator with its arguments and results."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, result))
        return result


class OperatorRecorder:
    """Records the operators of work on a CPU, as a CUDA graph does on a GPU."""

    name = "one recording"

    def __init__(self) -> None:
        self.learner: ReplicatedLearner | None = None
        self.runs, self.recordings, self.replays = 0, 0, 0

    def run(self, work: Callable[[], None]) -> None:
        self.runs += 1
        work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """A CUDA graph's operators are not carried out while they are recorded; here what they did is undone."""
        assert self.learner
        held = [self.learner._flat.values, self.learner._flat.sums, *self.learner._optimizer.state_dict().values()]
        held += [self.learner._average.average] if self.learner._average else []
        before, random_state = [tensor.clone() for tensor in held], torch.get_rng_state()
        with _Operators() as operators:
            work()
        for tensor, was in zip(held, before, strict=True):
            tensor.copy_(was)
        torch.set_rng_state(random_state)
        names = {str(function) for function, *_ in operators.calls}
        assert "aten._fused_adamw_.tensor_lr" in names
        assert not any("_local_scalar_dense" in name for name in names), "the update waits for the device"
        self.recordings += 1

        def replay() -> None:
            self.replays += 1
            now: dict[int, torch.Tensor] = {}  # the tensors of this replay, by those of the recording

            def present(value):
                return now.get(id(value), value) if isinstance(value, torch.Tensor) else value

            with torch.no_grad():
                for function, args, kwargs, result in operators.calls:
                    new = function(*tree_map(present, args), **tree_map(present, kwargs))
                    for old, tensor in zip(tree_leaves(result), tree_leaves(new), strict=True):
                        if isinstance(old, torch.Tensor):
                            now[id(old)] = tensor

        return replay


def make(
    config: TrainingConfig, monkeypatch, recorder: OperatorRecorder | None = None, notes=None
) -> ReplicatedLearner:
    network = GPT(MODEL)
    network.reset_parameters(torch.Generator().manual_seed(config.seed))
    monkeypatch.setattr(replicated, "recorder_for", lambda device, config, group: recorder)
    notes = notes if notes is not None else []
    learner = ReplicatedLearner(network, TOKENS, config, notes.append, tell=notes.append)
    if recorder:
        recorder.learner = learner
    return learner


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("changes", [{}, {"average": 0.0, "gradient_clip": 0.0, "micro_batch_size": 0}], ids=str)
def test_replayed_updates_are_the_updates_themselves(monkeypatch, optimizer, changes):
    config = dataclasses.replace(EVERYTHING, optimizer=optimizer, **changes)
    recorder, notes = OperatorRecorder(), []
    plain, recorded = make(config, monkeypatch), make(config, monkeypatch, recorder, notes)
    losses: list[list[float]] = [[], []]
    norms: list[list[float]] = [[], []]
    for i, learner in enumerate((plain, recorded)):
        torch.manual_seed(config.seed)
        for factor in FACTORS:
            learner.update(factor)
            losses[i].append(learner.take_loss())
            norms[i].append(learner.gradient_norm())
    assert (recorder.runs, recorder.recordings, recorder.replays) == (WARM_UP, 1, len(FACTORS) - WARM_UP)
    assert notes == ["each update is now one recording"]
    # a learning rate in a float32 tensor is rounded, so the two are not the same bit for bit
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)
    with plain.averaged(), recorded.averaged():
        for one, other in zip(plain.model.parameters(), recorded.model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_run_in_parts_takes_the_same_path_and_ends_the_same(monkeypatch):
    whole = make(EVERYTHING, monkeypatch, OperatorRecorder())
    for factor in FACTORS:
        whole.update(factor)
    first = make(EVERYTHING, monkeypatch, OperatorRecorder())
    for factor in FACTORS[:5]:
        first.update(factor)
    with first.averaged() as model:
        kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second = make(EVERYTHING, monkeypatch, OperatorRecorder())
    with torch.no_grad():
        second.model.load_state_dict(kept)
    second.load_state_dict(state)
    for factor in FACTORS[5:]:
        second.update(factor)
    ends = [learner.state_dict() for learner in (whole, second)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_what_cannot_be_recorded_goes_on_operator_by_operator(monkeypatch):
    recorder, notes = OperatorRecorder(), []
    learner, plain = make(EVERYTHING, monkeypatch, recorder, notes), make(EVERYTHING, monkeypatch)

    def fails(work):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(recorder, "record", fails)
    for it in (learner, plain):
        torch.manual_seed(1)
        for factor in FACTORS:
            it.update(factor)
    assert notes == [
        "the updates go on operator by operator: one recording could not be recorded (operation not permitted when "
        "stream is capturing)"
    ]
    assert learner.step == len(FACTORS)
    for one, other in zip(learner.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_when_the_recording_does_not_fit_the_micro_batch_is_halved_and_recorded_again(monkeypatch):
    recorder, notes = OperatorRecorder(), []
    learner = make(dataclasses.replace(EVERYTHING, micro_batch_size=0), monkeypatch, recorder, notes)
    record = recorder.record

    def too_large(work):
        if learner._micro_batch > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return record(work)

    monkeypatch.setattr(recorder, "record", too_large)
    for factor in FACTORS:
        learner.update(factor)
    assert (recorder.runs, recorder.recordings, recorder.replays) == (2 * WARM_UP, 1, len(FACTORS) - 2 * WARM_UP)
    assert [note.split(";")[0] for note in notes] == ["the memory ran out", "each update is now one recording"]


def test_when_no_recording_fits_the_updates_do_without(monkeypatch):
    recorder, notes = OperatorRecorder(), []
    learner = make(dataclasses.replace(EVERYTHING, micro_batch_size=1), monkeypatch, recorder, notes)

    def too_large(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(recorder, "record", too_large)
    for factor in FACTORS:
        learner.update(factor)
    assert learner.step == len(FACTORS)
    assert notes == ["the updates go on operator by operator: a recording of them does not fit into the memory"]
    monkeypatch.setattr(learner.model, "loss", too_large)
    with pytest.raises(OutOfMemoryError):
        learner.update(1.0)


def test_memory_that_ran_out_is_known_behind_the_error_that_followed_it():
    error = RuntimeError("the capture failed")
    assert not is_out_of_memory(error)
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory")
    assert is_out_of_memory(error)


def test_one_process_alone_records_on_what_torch_calls_cuda_unless_told_not_to():
    gpu, off = torch.device("cuda"), dataclasses.replace(EVERYTHING, cuda_graph="off")
    assert can_record(gpu, EVERYTHING, None)
    assert not can_record(gpu, off, None)
    assert not can_record(gpu, EVERYTHING, object())  # type: ignore[arg-type]
    assert not any(can_record(torch.device(other), EVERYTHING, None) for other in ("cpu", "mps", "xpu"))


def test_work_that_was_never_begun_may_be_tried_again():
    path, done = UpdatePath(None, print, print), []

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise OutOfMemory

    with pytest.raises(OutOfMemory):
        path.run(work)
    path.run(work)
    assert done == [0, 1]
