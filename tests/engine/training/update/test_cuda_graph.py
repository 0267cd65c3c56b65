"""An update that is captured as a graph and replayed is the update itself.

No GPU is needed: what takes a CUDA graph's place captures each operator with the tensors and numbers that it was
called with, and replays exactly these: whatever the update reads from anywhere else stays as it was at the capture.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch
from minigpt_tui.engine.training.errors import OutOfMemoryError
from minigpt_tui.engine.training.update.cuda_graph import WARM_UP, UpdateRunner, captures_updates
from minigpt_tui.engine.training.update.memory import MicroBatchTooLarge, is_out_of_memory
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models import gpt
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.fast.cuda_graph import Work
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


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch):
    """Every computation is an operator of torch, or is not captured here."""
    monkeypatch.setattr(gpt, "fuses", lambda x: False)


class _Operators(TorchDispatchMode):
    """Notes every operator with its arguments and results, and what each tensor held that one writes to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []
        self.overwritten: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for i, argument in enumerate(function._schema.arguments):
            if argument.alias_info and argument.alias_info.is_write:
                written = args[i] if i < len(args) else kwargs.get(argument.name)
                tensors = [value for value in tree_leaves(written) if isinstance(value, torch.Tensor)]
                self.overwritten += [(tensor, tensor.clone()) for tensor in tensors]
        result = function(*args, **kwargs)
        self.calls.append((function, args, kwargs, result))
        return result

    def undo(self) -> None:
        """Give every tensor back what it held."""
        for tensor, before in reversed(self.overwritten):
            tensor.copy_(before)


class OperatorCapture:
    """Captures the operators of work on a CPU, as a CUDA graph captures a GPU's kernels."""

    name = "one replay"

    def __init__(self) -> None:
        self.eager_runs, self.captures, self.replays = 0, 0, 0

    def warm_up(self, work: Work) -> None:
        self.eager_runs += 1
        work()

    def capture(self, work: Work) -> Work:
        """Kernels are not carried out while a CUDA graph is captured; here what they did is undone."""
        random_state = torch.get_rng_state()
        with _Operators() as operators:
            work()
        with torch.no_grad():
            operators.undo()
        torch.set_rng_state(random_state)
        names = {str(function) for function, *_ in operators.calls}
        assert "aten._fused_adamw_.tensor_lr" in names
        assert not any("_local_scalar_dense" in name for name in names), "the update waits for the device"
        self.captures += 1

        def replay() -> None:
            self.replays += 1
            now: dict[int, torch.Tensor] = {}  # the tensors of this replay, by those of the capture

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
    config: TrainingConfig, capture: OperatorCapture | None = None, notes: list[str] | None = None
) -> ReplicatedLearner:
    network = GPT(MODEL)
    network.reset_parameters(torch.Generator().manual_seed(config.seed))
    notes = notes if notes is not None else []
    return ReplicatedLearner(network, TOKENS, config, Notes(notes.append, notes.append), capture=capture)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("changes", [{}, {"average": 0.0, "gradient_clip": 0.0, "micro_batch_size": 0}], ids=str)
def test_replayed_updates_are_the_updates_themselves(optimizer, changes):
    config = dataclasses.replace(EVERYTHING, optimizer=optimizer, **changes)
    capture, notes = OperatorCapture(), []
    plain, replayed = make(config), make(config, capture, notes)
    losses: list[list[float]] = [[], []]
    norms: list[list[float]] = [[], []]
    for i, learner in enumerate((plain, replayed)):
        torch.manual_seed(config.seed)
        for factor in FACTORS:
            learner.update(factor)
            losses[i].append(learner.take_loss())
            norms[i].append(learner.gradient_norm())
    assert (capture.eager_runs, capture.captures, capture.replays) == (WARM_UP, 1, len(FACTORS) - WARM_UP)
    assert notes == ["each update is now one replay"]
    # a learning rate in a float32 tensor is rounded, so the two are not the same bit for bit
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)
    with plain.averaged(), replayed.averaged():
        for one, other in zip(plain.model.parameters(), replayed.model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_run_in_parts_is_replayed_too_and_ends_the_same():
    whole = make(EVERYTHING, OperatorCapture())
    for factor in FACTORS:
        whole.update(factor)
    first = make(EVERYTHING, OperatorCapture())
    for factor in FACTORS[:5]:
        first.update(factor)
    with first.averaged() as model:
        kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second = make(EVERYTHING, OperatorCapture())
    with torch.no_grad():
        second.model.load_state_dict(kept)
    second.load_state_dict(state)
    for factor in FACTORS[5:]:
        second.update(factor)
    ends = [learner.state_dict() for learner in (whole, second)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_what_cannot_be_captured_goes_on_operator_by_operator(monkeypatch):
    capture, notes = OperatorCapture(), []
    learner, plain = make(EVERYTHING, capture, notes), make(EVERYTHING)

    def fails(work):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(capture, "capture", fails)
    for it in (learner, plain):
        torch.manual_seed(1)
        for factor in FACTORS:
            it.update(factor)
    assert notes == [
        "the updates go on operator by operator: one replay could not be captured (operation not permitted when "
        "stream is capturing)"
    ]
    assert learner.step == len(FACTORS)
    for one, other in zip(learner.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_when_the_graph_does_not_fit_the_micro_batch_is_halved_and_captured_again(monkeypatch):
    capture, notes = OperatorCapture(), []
    learner = make(dataclasses.replace(EVERYTHING, micro_batch_size=0), capture, notes)
    original = capture.capture

    def too_large(work):
        if learner.state_dict()["micro_batch"] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(work)

    monkeypatch.setattr(capture, "capture", too_large)
    for factor in FACTORS:
        learner.update(factor)
    assert (capture.eager_runs, capture.captures, capture.replays) == (2 * WARM_UP, 1, len(FACTORS) - 2 * WARM_UP)
    assert [note.split(";")[0] for note in notes] == ["the memory ran out", "each update is now one replay"]


def test_when_no_graph_fits_the_updates_do_without(monkeypatch):
    capture, notes = OperatorCapture(), []
    learner = make(dataclasses.replace(EVERYTHING, micro_batch_size=1), capture, notes)

    def too_large(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(capture, "capture", too_large)
    for factor in FACTORS:
        learner.update(factor)
    assert learner.step == len(FACTORS)
    assert notes == ["the updates go on operator by operator: a graph of them does not fit into the memory"]
    monkeypatch.setattr(learner.model, "loss", too_large)
    with pytest.raises(OutOfMemoryError):
        learner.update(1.0)


def test_an_evaluation_that_runs_out_of_memory_gets_that_of_the_graph_and_begins_anew():
    capture, notes = OperatorCapture(), []
    learner = make(EVERYTHING, capture, notes)
    for factor in FACTORS:
        learner.update(factor)
    seen: list[float] = []

    def evaluation(model: GPT) -> str:
        seen.append(sum(parameter.sum().item() for parameter in model.parameters()))
        if len(seen) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return "evaluated"

    assert learner.with_averaged_model(evaluation) == "evaluated"
    assert seen[0] == seen[1]
    for factor in FACTORS:
        learner.update(factor)
    assert (capture.eager_runs, capture.captures) == (2 * WARM_UP, 2)

    def too_large(model: GPT) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        learner.with_averaged_model(too_large)


def test_updates_of_many_micro_batches_are_not_captured():
    gpu = torch.device("cuda")
    few, many = (dataclasses.replace(EVERYTHING, batch_size=size, micro_batch_size=10) for size in (80, 90))
    assert captures_updates(gpu, few, None)
    assert not captures_updates(gpu, many, None)
    assert captures_updates(gpu, dataclasses.replace(many, micro_batch_size=0), None)


def test_an_update_whose_micro_batches_became_many_does_without_a_graph(monkeypatch):
    capture, notes = OperatorCapture(), []
    config = dataclasses.replace(EVERYTHING, batch_size=18, micro_batch_size=18)
    learner = make(config, capture, notes)
    loss = learner.model.loss

    def little_room(inputs, targets):
        if len(inputs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss(inputs, targets)

    monkeypatch.setattr(learner.model, "loss", little_room)
    for factor in FACTORS:
        learner.update(factor)
    assert learner.step == len(FACTORS)
    assert capture.captures == 0
    assert notes[-1] == ("the updates go on operator by operator: a graph of more than 8 micro-batches gains nothing")


def test_memory_that_ran_out_is_known_behind_the_error_that_followed_it():
    error = RuntimeError("the capture failed")
    assert not is_out_of_memory(error)
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory")
    assert is_out_of_memory(error)


def test_one_process_alone_captures_on_what_torch_calls_cuda_unless_told_not_to():
    gpu, off = torch.device("cuda"), dataclasses.replace(EVERYTHING, cuda_graph="off")
    assert captures_updates(gpu, EVERYTHING, None)
    assert not captures_updates(gpu, off, None)
    assert not captures_updates(gpu, EVERYTHING, object())  # type: ignore[arg-type]
    assert not any(captures_updates(torch.device(other), EVERYTHING, None) for other in ("cpu", "mps", "xpu"))


def test_work_that_was_never_begun_may_be_tried_again():
    runner, done = UpdateRunner(None, Notes()), []

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise MicroBatchTooLarge

    with pytest.raises(MicroBatchTooLarge):
        runner.run(work)
    runner.run(work)
    assert done == [0, 1]
