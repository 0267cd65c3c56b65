"""The rules on recorded runs: each kind of curve with its sentence, and no alarm where nothing is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from minigpt_tui.data.storage.typed_json import loads
from minigpt_tui.engine.diagnosis.readings import MOST_EVALUATIONS, MOST_STRETCHES, Readings
from minigpt_tui.engine.diagnosis.rules import RULES, diagnose
from minigpt_tui.engine.diagnosis.surroundings import Surroundings
from minigpt_tui.engine.events import TRAINING_EVENTS, Evaluation, Started, StateChanged, Step, TrainingEvent
from minigpt_tui.engine.runs import RunManifest

FOLDER = Path(__file__).parent / "recorded"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
HEALTHY = (
    "quick", "laptop-tales", "tales-long", "constant", "minutes", "epochs", "bpe", "warm-up", "dropout",
)  # fmt: skip
END = 10**9


@cache
def recording(name: str) -> tuple[RunManifest, list[TrainingEvent]]:
    manifest, *lines = (FOLDER / f"{name}.jsonl").read_bytes().splitlines()
    return loads(RunManifest, manifest, name), [TRAINING_EVENTS.decode(line) for line in lines]


def readings_of(name: str, until: int = END) -> Readings:
    """The readings of a recorded run when it first came to step `until`, or at its end."""
    manifest, events = recording(name)
    readings = Readings.of(manifest)
    for event in events:
        if isinstance(event, Step) and event.step > until:
            break
        readings.apply(event)
    return readings


# [recording, step or null for its end, the sentence; "" where no rule is sure]
SAID: list[tuple[str, int | None, str]] = json.loads((Path(__file__).parent / "said.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "step", "said"), SAID, ids=[f"{name} at {step or 'its end'}" for name, step, _ in SAID]
)
def test_what_is_said_of_a_recorded_run(name: str, step: int | None, said: str) -> None:
    findings = diagnose(readings_of(name, END if step is None else step))
    assert (str(findings[0]) if findings else "") == said


def test_each_kind_of_curve_is_recorded() -> None:
    assert len(NAMES) >= 20
    assert {name for name, _, _ in SAID} == set(NAMES)


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_alarms_where_nothing_is_wrong(name: str) -> None:
    manifest, events = recording(name)
    readings = Readings.of(manifest)
    for event in events:
        readings.apply(event)
        alarms = [finding for finding in diagnose(readings) if finding.severity in ("warning", "error")]
        assert not alarms, f"at step {readings.latest.step if readings.latest else 0}"


def test_a_run_that_diverged_and_goes_on_says_so() -> None:
    manifest, events = recording("rate-far-too-high")
    readings, said = Readings.of(manifest), set[str]()
    for event in events:
        readings.apply(event)
        said |= {str(finding) for finding in diagnose(readings)[:1] if finding.kind == "recovered"}
    assert said == {
        "diverged at step 203 and went on from step 1 with half the learning rate; a next run should begin with 0.001"
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_is_to_be_tried_can_be_set(name: str) -> None:
    readings = readings_of(name)
    for finding in diagnose(readings):
        for field, value in finding.change.items():
            part = readings.training if hasattr(readings.training, field) else readings.model
            assert getattr(replace(part, **{field: value}), field) == value
            assert f"{value:g}" in finding.advice


# ---------------------------------------------------------------------- what the events do not say


def test_a_run_that_gives_no_sign_is_said_to_stall() -> None:
    readings = readings_of("halted")
    assert readings.state == "running"
    assert readings.latest is not None
    for seconds, stalls in ((5.0, False), (45.0, False), (600.0, True)):
        kinds = [finding.kind for finding in diagnose(readings, Surroundings(silent_seconds=seconds))]
        assert ("stalled" in kinds) == stalls
    readings.apply(StateChanged("paused", readings.latest.step, 0.0))
    kinds = [finding.kind for finding in diagnose(readings, Surroundings(silent_seconds=600.0))]
    assert "stalled" not in kinds, "a pause has no events"


def test_a_full_disk_comes_before_all_else() -> None:
    readings = readings_of("halted")
    findings = diagnose(readings, Surroundings(silent_seconds=600.0, free_bytes=20_000_000))
    assert findings[0].text == "the disk has 20 MB left, and a checkpoint takes 4 MB"
    assert [finding.kind for finding in diagnose(readings, Surroundings(free_bytes=10**12))] != ["disk nearly full"]


# ---------------------------------------------------------------------- readings


def step_at(step: int, loss: float = 2.0) -> Step:
    return Step(step, 10**6, step * 64, step / 10, None, loss, 0.01, 1.0, 640.0, 0)


def evaluation_at(step: int, loss: float) -> Evaluation:
    return Evaluation(step, step / 10, loss, 1.0, 1.0, "full", True)


def test_a_million_steps_stay_within_bounds_and_keep_mean_and_height() -> None:
    readings = Readings.of(recording("quick")[0])
    for step in range(1, 100_000):
        readings.apply(step_at(step * 10, 9.0 if step == 777 else 2.0))
        if step % 10 == 0:
            readings.apply(evaluation_at(step * 10, 3.0 - (step == 50)))
    assert len(readings.stretches) <= MOST_STRETCHES
    assert len(readings.evaluations) <= MOST_EVALUATIONS
    assert max(one.highest for one in readings.stretches) == 9.0
    count = sum(one.count for one in readings.stretches)
    assert count == 99_999
    mean = sum(one.loss * one.count for one in readings.stretches) / count
    assert mean == pytest.approx((99_998 * 2.0 + 9.0) / count)
    assert readings.best is not None
    assert readings.best.step == 500
    assert [one.step for one in readings.stretches] == sorted({one.step for one in readings.stretches})


@pytest.mark.parametrize("resumed", [True, False], ids=["resumed", "gone back"])
def test_what_is_done_again_replaces_what_was_done_before(resumed: bool) -> None:
    readings = Readings.of(recording("quick")[0])
    for step in range(10, 110, 10):
        readings.apply(step_at(step))
        readings.apply(evaluation_at(step, 2.0))
    if resumed:
        readings.apply(Started(50, 100, 1000, 65, 1, 1, "cpu", "", "", 1, "", 0.0))
    readings.apply(step_at(60, 5.0))
    assert [one.step for one in readings.stretches] == [10, 20, 30, 40, 50, 60]
    assert [one.step for one in readings.evaluations] == [10, 20, 30, 40, 50]


def test_each_rule_gives_its_reason() -> None:
    for rule in RULES:
        assert rule.__doc__, rule.__name__
