"""The real train process on a small real text."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.data.storage.typed_json import SchemaError, loads
from minigpt_tui.engine.events import (
    TRAINING_EVENTS,
    Acknowledged,
    CheckpointSaved,
    Command,
    Evaluation,
    Note,
    Sample,
    Started,
    StateChanged,
    Step,
    Times,
)
from minigpt_tui.engine.results import EvaluationResult
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import process
from minigpt_tui.engine.training.loop.commands import CommandReader
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.models.recipe import Budget

MODULE = "minigpt_tui.engine.training.process"


@pytest.fixture
def start():
    """Starts train processes; none of them survives the test."""
    children: list[subprocess.Popen[str]] = []

    def start(run: Run, *options: str, **settings: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(run.path), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=run.path,
            **settings,  # type: ignore[arg-type]
        )  # fmt: skip
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


def finish(child: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the end; the standard error."""
    _, errors = child.communicate(timeout=120)
    assert child.returncode == code, errors
    return errors


@pytest.fixture
def train_here(polite, monkeypatch, capsys):
    """Trains as the process does, but in the one that runs the tests; gives the exit code and the standard error."""
    monkeypatch.setattr(CommandReader, "listen_to_signals", lambda commands: None)

    def train_here(run: Run, *options: str) -> tuple[int, str]:
        capsys.readouterr()
        return process.main([str(run.path), *options]), capsys.readouterr().err

    return train_here


def states(events) -> list[str]:
    return [event.state for event in events if isinstance(event, StateChanged)]


def files(run: Run) -> list[str]:
    return sorted(str(path.relative_to(run.checkpoints)) for path in run.checkpoints.rglob("*") if path.is_file())


def test_a_run_from_beginning_to_end(make_run, events_of):
    run = make_run()
    # the process as it is, and a look at what it imported: torch._dynamo alone takes a second
    code = (
        f"import sys; from {MODULE} import main; assert 'torch' not in sys.modules; code = main(sys.argv[1:]); "
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules; sys.exit(code)"
    )
    began = time.perf_counter()
    child = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, timeout=120, cwd=run.path
    )
    whole = time.perf_counter() - began
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")

    events = events_of(run)
    assert states(events) == ["starting", "running", "finished"]
    started = next(event for event in events if isinstance(event, Started))
    assert (started.total_steps, started.device, started.dtype, started.threads) == (30, "cpu", "float32", 1)
    assert started.train_tokens + started.validation_tokens == 20_000
    assert started.entropy_floor is None
    steps = [event for event in events if isinstance(event, Step)]
    assert [event.step for event in steps] == sorted({event.step for event in steps})
    assert (steps[0].step, steps[-1].step, steps[-1].tokens) == (1, 30, 30 * 8 * 16)
    assert steps[-1].loss < steps[0].loss - 0.5
    assert steps[-1].remaining == 0
    kept = [(event.kind, event.step) for event in events if isinstance(event, CheckpointSaved)]
    assert [step for kind, step in kept if kind == "last"] == [10, 20, 30, 30]
    evaluations = [event for event in events if isinstance(event, Evaluation)]
    assert [event.step for event in evaluations] == [10, 20, 30]
    assert [step for kind, step in kept if kind == "best"] == [event.step for event in evaluations if event.best]
    order = [type(event) for event in events if event not in steps][4:8]
    assert order == [CheckpointSaved, Evaluation, CheckpointSaved, Sample]  # last, eval, best, sample
    sample = next(event for event in events if isinstance(event, Sample))
    assert len(sample.text) == 200
    times = events[-2]
    assert isinstance(times, Times)
    assert list(times.phases) == [
        "start", "imports", "device", "reading", "tokenizer", "encoding", "loading", "training", "checkpoints",
        "evaluations", "samples",
    ]  # fmt: skip
    tick = 0.02  # of the system's clock for the start of a process
    assert 0 < steps[-1].seconds <= times.phases["training"] + tick
    assert times.phases["training"] <= sum(times.phases.values()) <= whole + tick

    status = run.status()
    assert status is not None
    assert (run.state(), status.step, status.total_steps) == ("finished", 30, 30)
    assert status.best_validation_loss == min(event.validation_loss for event in evaluations)
    assert not run.is_alive()
    last = run.checkpoint("last")
    best = run.checkpoint("best")
    assert last is not None
    assert best is not None
    assert load_checkpoint(last).step == 30
    assert load_checkpoint(last).validation_loss == evaluations[-1].validation_loss
    assert (last / "state.safetensors").exists()
    assert not (best / "state.safetensors").exists()
    assert [path.name for path in run.checkpoints.iterdir() if path.name.startswith(".")] == []

    # the evaluate process finds the same loss
    command = [sys.executable, "-m", "minigpt_tui.engine.training.evaluate_process", str(last)]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()
    result = loads(EvaluationResult, lines[-1])
    assert result.loss == pytest.approx(evaluations[-1].validation_loss, rel=1e-5)
    assert (result.run, result.step, result.tokens) == (run.name, 30, started.validation_tokens - 1)
    assert result.bits_per_byte == pytest.approx(evaluations[-1].bits_per_byte, rel=1e-5)


@pytest.mark.long
def test_a_killed_run_resumes_as_if_nothing_had_happened(make_run, start, train_here, events_of, until):
    settings = {"checkpoint_interval": 25, "evaluation_interval": 100, "micro_batch_size": 4}
    whole = make_run("whole", budget=Budget(300), **settings)
    killed = make_run("killed", budget=Budget(300), **settings)
    first = start(killed)
    until(lambda: killed.checkpoint("last"), "a checkpoint")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert killed.state() == "crashed"
    with killed.metrics_path.open("a") as file:
        file.write('{"event":"step","st')  # as if it was killed while it wrote
    assert train_here(killed, "--resume") == (0, "")
    assert train_here(whole) == (0, "")

    resumed = [event for event in events_of_whole_lines(killed) if isinstance(event, Started)][1]
    assert 0 < resumed.step < 300
    assert resumed.step % 25 == 0
    for name in ("model.safetensors", "state.safetensors"):
        one, other = (run.checkpoints / "last" / name for run in (whole, killed))
        assert one.read_bytes() == other.read_bytes(), name
    assert (whole.checkpoints / "best" / "model.safetensors").read_bytes() == (
        killed.checkpoints / "best" / "model.safetensors"
    ).read_bytes()


def events_of_whole_lines(run: Run):
    """The events of a run whose file has torn lines between the whole ones."""
    for line in run.metrics_path.read_bytes().splitlines():
        try:
            yield TRAINING_EVENTS.decode(line)
        except SchemaError:
            continue


@pytest.mark.long
def test_commands_signals_a_second_trainer_and_a_changed_text(make_run, start, events_of, until, text):
    run = make_run(budget=Budget(10**6), checkpoint_interval=0, evaluation_interval=0)
    run.send(Command("pause"))  # before the process lives: obeyed after its first step
    child = start(run)
    until(lambda: run.state() == "paused", "the pause")
    paused = run.status()
    assert paused is not None
    assert run.checkpoint("last") is not None

    errors = finish(start(run), process.ALREADY_TRAINING)
    assert len(errors.splitlines()) == 1
    assert "already being trained" in errors
    assert run.state() == "paused"

    for command in (
        Command("sample"), Command("evaluate"), Command("save"), Command("scale_learning_rate", 0.5),
        Command("scale_learning_rate", -1), Command("threads", 1), Command("threads", 1e9),
    ):  # fmt: skip
        run.send(command)
    with run.commands_path.open("a") as file:
        file.write("no command\n")
    until(lambda: len([e for e in events_of(run) if isinstance(e, Acknowledged)]) == 9, "the answers")
    answers = [event for event in events_of(run) if isinstance(event, Acknowledged)]
    assert [(answer.name, answer.accepted) for answer in answers] == [
        ("pause", True), ("sample", True), ("evaluate", True), ("save", True), ("scale_learning_rate", True),
        ("scale_learning_rate", False), ("threads", True), ("threads", False), ("", False),
    ]  # fmt: skip
    assert {answer.step for answer in answers} == {paused.step}
    texts = [answer.text for answer in answers]
    assert texts[0] == f"the training is paused; saved at step {paused.step}"
    assert "validation loss is" in texts[2]
    assert "0.5 times" in texts[4]
    assert "cannot be scaled by -1" in texts[5]
    assert "threads: 1" in texts[6]
    assert "not possible" in texts[7]
    assert "not understood" in texts[8]
    until(lambda: (s := run.status()) and s.heartbeat > paused.heartbeat + 0.5, "a heartbeat while paused")
    assert run.state() == "paused"

    run.send(Command("resume"))
    until(lambda: any(isinstance(e, Step) and e.step > paused.step + 5 for e in events_of(run)), "more steps")
    run.send(Command("stop"))
    finish(child)
    events = events_of(run)
    assert states(events) == ["starting", "running", "paused", "running", "stopped"]
    final = events[-1]
    assert isinstance(final, StateChanged)
    steps = [event for event in events if isinstance(event, Step)]
    assert steps[-1].step == final.step
    assert steps[-1].learning_rate == pytest.approx(0.01)
    last = run.checkpoint("last")
    assert last is not None
    assert load_checkpoint(last).step == final.step

    # resumed, with the closing of its terminal survived, and stopped by a signal; the old commands are history
    child = start(run, "--resume")
    until(lambda: any(isinstance(e, Step) and e.step > final.step for e in events_of(run)), "the resumed run")
    child.send_signal(signal.SIGHUP)
    seen = len(events_of(run))
    until(lambda: len(events_of(run)) > seen + 2, "life after the closed terminal")
    child.send_signal(signal.SIGTERM)
    finish(child)
    assert states(events_of(run))[5:] == ["starting", "running", "stopped"]
    resumed = [event for event in events_of(run) if isinstance(event, Started)][1]
    assert resumed.step == final.step
    assert events_of(run)[-1].step > final.step

    text.write_text(text.read_text() + "and more")
    errors = finish(start(run, "--resume"), process.FAILED)
    assert len(errors.splitlines()) == 1
    assert "has changed since the run was made" in errors
    status = run.status()
    assert status is not None
    assert (status.state, status.reason) == ("failed", errors.strip())
    assert "Traceback" in run.log_path.read_text()


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
def test_a_disk_that_takes_no_checkpoint(make_run, start, events_of):
    run = make_run()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))

    errors = finish(start(run, preexec_fn=limit), process.FAILED)
    assert len(errors.splitlines()) == 1
    assert "free some space" in errors
    events = events_of(run)
    notes = [event for event in events if isinstance(event, Note) and event.severity == "error"]
    assert [event.step for event in notes if "checkpoint of step" in event.text][:2] == [10, 10]  # last and best
    assert events[-1].step == 30  # it went on to its end
    assert files(run) == []
    assert run.state() == "failed"


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
@pytest.mark.long
def test_a_finished_run_that_a_full_disk_keeps_from_going_on_stays_finished(make_run, start, train_here, events_of):
    run = make_run()
    assert train_here(run) == (0, "")
    before, kept = run.status(), {name: (run.checkpoints / name).read_bytes() for name in files(run)}
    size = run.metrics_path.stat().st_size  # which grows by some events, and no checkpoint has so little

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8_000, size + 8_000))

    errors = finish(start(run, "--resume", "--budget", "45 steps", preexec_fn=limit), process.FAILED)
    assert "the last checkpoint could not be saved" in errors
    assert "the checkpoint of step 30 is kept" in errors
    assert before is not None
    after = run.status()
    assert after is not None
    assert (after.state, after.step, after.best_validation_loss) == ("finished", 30, before.best_validation_loss)
    assert {name: (run.checkpoints / name).read_bytes() for name in files(run)} == kept
    assert states(events_of(run))[-2:] == ["failed", "finished"]
    assert train_here(run, "--resume", "--budget", "45 steps") == (0, "")
    assert events_of(run)[-1].step == 45


def test_damaged_checkpoints(make_run, train_here, events_of):
    run = make_run()
    assert train_here(run) == (0, "")
    best = load_checkpoint(run.checkpoints / "best")
    weights = run.checkpoints / "last" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    assert train_here(run, "--resume") == (0, "")
    notes = [event.text for event in events_of(run) if isinstance(event, Note)]
    assert len(notes) == 1
    assert str(weights) in notes[0]
    assert f"going on from best at step {best.step}" in notes[0]
    assert run.state() == "finished"

    for name in ("last", "best"):
        path = run.checkpoints / name / "model.safetensors"
        path.write_bytes(b"no")
    code, errors = train_here(run, "--resume")
    assert code == process.FAILED
    assert len(errors.splitlines()) == 1
    assert "model.safetensors" in errors


def test_a_finished_run_goes_on_with_a_larger_budget(make_run, train_here, events_of):
    run = make_run()
    assert train_here(run) == (0, "")
    assert train_here(run, "--resume", "--budget", "45 steps") == (0, "")
    first = events_of(run)[-1]
    assert (states(events_of(run))[-1], first.step) == ("finished", 45)
    assert train_here(run, "--resume", "--budget", "20 steps") == (0, "")  # spent already: it stays as it was
    assert (states(events_of(run))[-1], events_of(run)[-1].step) == ("finished", 45)
    assert load_checkpoint(run.checkpoints / "last").step == 45


def test_what_is_no_run_is_refused(tmp_path, make_run, capsys):
    assert process.main([str(tmp_path)]) == process.NOT_A_RUN
    assert "is not a run" in capsys.readouterr().err
    run = make_run()
    (run.checkpoints / "last").mkdir(parents=True)
    (run.checkpoints / "last" / "minigpt.json").write_text("{}")
    assert process.main([str(run.path)]) == process.NOT_A_RUN
    assert "resume it" in capsys.readouterr().err
    assert not os.path.exists(Path(run.path) / "status.json")
