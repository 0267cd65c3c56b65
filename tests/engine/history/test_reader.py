from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.engine.events import (
    TRAINING_EVENTS,
    Acknowledged,
    CheckpointSaved,
    Evaluation,
    LayerNorms,
    Note,
    Started,
    StateChanged,
    Step,
    TrainingEvent,
)
from minigpt_tui.engine.history import reader
from minigpt_tui.engine.history.reader import HistoryReader
from minigpt_tui.engine.history.run_history import AXES, RunHistory

STARTED = Started(0, 100, 10, 62, 1000, 100, "cpu", "CPU", "float32", 1, "no GPU", 1.0, 1.1)


def step(number: int, **changes: float | None) -> Step:
    event = Step(number, 100, number * 10, number / 4, 1.0, 4.0 - number / 50, 1e-3, 0.5, 40.0, 1000)
    return replace(event, **changes)


def evaluation(number: int, loss: float, best: bool = True) -> Evaluation:
    return Evaluation(number, number / 4, loss, math.exp(loss), loss / math.log(2), "full", best)


def lines(*events: TrainingEvent) -> bytes:
    return "".join(map(TRAINING_EVENTS.encode, events)).encode()


def history_of(path: Path, content: bytes) -> RunHistory:
    path.write_bytes(content)
    return HistoryReader(path).read_all()


def facts(history: RunHistory) -> object:
    """All that is known, so that two histories can be compared; NaN is not equal to itself."""
    columns = [
        [*map(str, column.mean), *map(str, column.low), *column.finite]
        for rows in (history.steps, history.evaluations)
        for column in rows.figures
    ]
    places = [list(places) for places in (*history.steps.places, *history.evaluations.places)]
    return columns, places, history.marks, history.best_loss


RUN = (
    STARTED, *map(step, range(1, 30)), evaluation(29, 3.4), CheckpointSaved(29, "best"), CheckpointSaved(29, "last"),
    *map(step, range(30, 60)), evaluation(59, 3.5, best=False), Note(60, "the learning rate is halved"),
    *(step(number, learning_rate=5e-4) for number in range(60, 80)), StateChanged("stopped", 79, 1.0),
)  # fmt: skip


def test_the_figures_and_what_happened_over_each_axis(tmp_path: Path):
    history = history_of(tmp_path / "m", lines(*RUN))
    assert history.last_step == 79
    x, loss, counts = history.curve("loss", "steps")
    assert (list(x)[:3], list(loss.mean)[:2], sum(counts)) == ([1, 2, 3], [3.98, 3.96], 79)
    assert [history.curve("loss", axis).x[9] for axis in AXES] == [10, 100, 2.5, 0.1]
    assert [history.curve("validation_loss", axis).x[1] for axis in AXES] == pytest.approx([59, 590, 14.75, 0.59])
    assert list(history.curve("mfu", "steps").column.finite) == [0] * 79
    assert [(mark.kind, mark.step, mark.text) for mark in history.marks] == [
        ("checkpoint", 29, "checkpoint best, last"), ("best", 29, "best validation loss 3.4000"),
        ("note", 60, "the learning rate is halved"), ("rate", 60, "learning rate 0.001 → 0.0005"),
        ("state", 79, "stopped"),
    ]  # fmt: skip


def test_a_file_cut_at_every_byte_of_its_last_lines_opens_with_what_is_whole(tmp_path: Path):
    content = lines(*RUN)
    begin = len(lines(*RUN[:-3]))
    for cut in range(begin, len(content) + 1):
        whole = content[: content.rfind(b"\n", 0, cut) + 1]
        assert facts(history_of(tmp_path / "cut", content[:cut])) == facts(history_of(tmp_path / "whole", whole)), cut


def test_a_half_written_line_is_waited_for(tmp_path: Path):
    path, content = tmp_path / "m", lines(*RUN)
    path.write_bytes(content[:-40])
    follower = HistoryReader(path)
    follower.read_all()
    assert not follower.poll()
    path.write_bytes(content)
    assert follower.poll()
    assert facts(follower.history) == facts(history_of(tmp_path / "whole", content))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"\x00\xff garbage", id="garbage"),
        pytest.param(b'{"event":"step","step":"many"}', id="text for a number"),
        pytest.param(b'{"event":"step","step":1,"tokens":1,"seconds":1.0', id="half"),
        pytest.param(b'{"event":"step",}, {"event":"step",', id="brackets"),
        pytest.param(lines(step(35)).strip().replace(b'"step":35', b'"step":1' + b"0" * 400), id="no end of digits"),
        pytest.param(lines(step(35)).strip().replace(b":1000,", b":NaN,"), id="NaN"),
        pytest.param(b'{"event":"step","step":true}', id="truth"),
        pytest.param(b'{"event":"nobody knows","step":3}', id="newer"),
        pytest.param(b"[" * 5000, id="nested"),
    ],
)
def test_a_damaged_line_is_passed_over(tmp_path: Path, damage: bytes):
    before, after = lines(*RUN[:31]), lines(*RUN[31:])
    damaged = history_of(tmp_path / "damaged", before + damage + b"\n" + after)
    assert facts(damaged) == facts(history_of(tmp_path / "whole", before + after))


def test_lines_of_older_and_newer_versions_are_read(tmp_path: Path):
    plain = json.loads(TRAINING_EVENTS.encode(step(3)))
    del plain["mfu"]
    newer = {**json.loads(TRAINING_EVENTS.encode(step(4))), "something": [1]}
    turned = dict(reversed(json.loads(TRAINING_EVENTS.encode(step(5))).items()))
    content = "".join(json.dumps(each) + "\n" for each in (plain, newer, turned)).encode()
    assert list(history_of(tmp_path / "m", content).steps.places[0]) == [3, 4, 5]


def test_a_loss_that_is_no_number_is_a_gap(tmp_path: Path):
    history = history_of(tmp_path / "m", lines(step(1), step(2, loss=math.nan), step(3)))
    assert list(history.curve("loss", "steps").column.finite) == [1, 0, 1]


def test_a_resumed_run_replaces_what_it_repeats(tmp_path: Path):
    again = replace(STARTED, step=50)
    content = lines(*RUN, again)
    assert history_of(tmp_path / "m", content).last_step == 79
    history = history_of(tmp_path / "m", content + lines(step(51), step(52)))
    assert history.last_step == 59  # of the evaluation, which was not repeated yet
    assert max(history.curve("loss", "steps").x) == 52
    assert [(mark.kind, mark.step) for mark in history.marks] == [
        ("checkpoint", 29), ("best", 29), ("resume", 50), ("state", 79),
    ]  # fmt: skip
    assert history.place(52, "tokens") == 520


def test_a_file_that_shrank_is_read_anew(tmp_path: Path):
    path = tmp_path / "m"
    path.write_bytes(lines(*RUN))
    follower = HistoryReader(path)
    follower.read_all()
    path.write_bytes(lines(STARTED, step(1)))
    assert follower.poll()
    assert follower.history.last_step == 1


def test_no_file_is_an_empty_history_that_is_followed(tmp_path: Path):
    follower = HistoryReader(tmp_path / "m")
    assert follower.read_all().last_step is None
    (tmp_path / "m").write_bytes(lines(*RUN))
    assert follower.poll()
    assert follower.history.last_step == 79


def test_a_long_file_has_a_coarse_picture_at_once_and_then_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    events: list[TrainingEvent] = [STARTED]
    for number in range(1, 20_001):
        events.append(step(number))
        if number % 1000 == 0:
            events += [evaluation(number, 3.0), CheckpointSaved(number, "last")]
    content = lines(*events)
    whole = history_of(tmp_path / "whole", content)
    monkeypatch.setattr(reader, "LONG", 1000)
    follower = HistoryReader(tmp_path / "whole")
    first = follower.history
    assert not follower.is_complete
    assert first.last_step == 20_000
    assert len(first.evaluations) == 20
    assert [mark.kind for mark in first.marks] == [mark.kind for mark in whole.marks]
    last = follower.read_all()
    assert last is not first
    assert sum(last.steps.counts) == sum(whole.steps.counts) == 20_000
    assert len(last.steps) <= 4096
    assert not follower.poll()


@pytest.mark.parametrize(
    ("rates", "wanted"),
    [
        pytest.param([1.0] * 9, [], id="constant"),
        pytest.param([0.1, 0.2, 0.3, 0.3, 0.3, 0.2, 0.1], [(4, "stays at 0.3"), (6, "0.3 → 0.2")], id="schedule"),
        pytest.param([1.0, 1.0, 0.5, 0.5, 0.5], [(3, "1 → 0.5")], id="scaled"),
        pytest.param([1.0, 0.9, 0.8, 1.4, 1.3, 1.2], [(4, "0.8 → 1.4")], id="raised while it falls"),
    ],
)
def test_changes_of_the_learning_rate_are_marked(tmp_path: Path, rates: list[float], wanted: list[tuple[int, str]]):
    content = lines(*(step(number, learning_rate=rate) for number, rate in enumerate(rates, 1)))
    marks = [
        (mark.step, mark.text.removeprefix("learning rate ")) for mark in history_of(tmp_path / "m", content).marks
    ]
    assert marks == wanted


def test_orders_are_marked_and_layers_measured(tmp_path: Path):
    content = lines(
        STARTED, *map(step, range(1, 10)), LayerNorms(9, {"block 0": 3.5, "head": 2.0}, {"block 0": 1e-3}),
        Acknowledged(9, "x", "pause", "paused", True, 1.0), Acknowledged(9, "y", "budget", "not so", False, 1.0),
    )  # fmt: skip
    history = history_of(tmp_path / "m", content)
    assert [(mark.kind, mark.text) for mark in history.marks] == [("command", "paused")]
    curve = history.layer_curve("block 0", "update_ratio", "tokens")
    assert (list(curve.x), list(curve.column.mean)) == ([90], [1e-3])
    assert list(history.layer_curve("head", "update_ratio", "steps").column.finite) == [0]


def test_what_happens_very_often_takes_bounded_memory(tmp_path: Path):
    history = RunHistory()
    for number in range(10_000):
        history.apply(CheckpointSaved(number, "last"))
        history.apply(evaluation(number, 1.0, best=False))
    assert len(history.marks) < 1000
    assert history.marks[-1].step == 9_999
    assert len(history.evaluations) <= 4096
