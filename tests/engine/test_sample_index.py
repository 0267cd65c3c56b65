"""Finding the samples of a run again, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.engine import sample_index
from minigpt_tui.engine.events import TRAINING_EVENTS, Note, Sample
from minigpt_tui.engine.sample_index import SampleIndex

FIRST, OTHER = Sample(10, "a", "x\ny", 0, 7), Sample(10, "b\n", "é \x1b[31m", 1, 8)
LATER = Sample(20, "a", "later", 0, 7)


def lines(*events: Sample | Note) -> bytes:
    return "".join(map(TRAINING_EVENTS.encode, events)).encode()


def steps_of(index: SampleIndex) -> dict[tuple[str, int], list[int]]:
    return {(series.prompt, series.index): list(series.steps) for series in index.series}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_each_prompt_has_its_steps_and_each_step_its_text(path: Path):
    path.write_bytes(lines(FIRST, OTHER, Note(12, '"event":"sample"'), LATER) + b'no json "event":"sample"\n')
    index = SampleIndex(path)
    assert index.read()
    assert steps_of(index) == {("a", 0): [10, 20], ("b\n", 1): [10]}
    assert [index.sample(index.series[0], at) for at in (0, 1, -1, 2)] == [FIRST, LATER, LATER, None]
    assert index.sample(index.series[1], 0) == OTHER
    assert not index.read()


def test_a_file_that_ends_within_a_line_is_waited_for(path: Path):
    whole = lines(FIRST, OTHER, LATER)
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        index = SampleIndex(path)
        index.read()
        assert sum(len(series.steps) for series in index.series) == whole[:cut].count(b"\n")
        path.write_bytes(whole)
        index.read()
        assert steps_of(index) == {("a", 0): [10, 20], ("b\n", 1): [10]}


def test_steps_that_a_resumed_run_repeats_replace_those_of_before(path: Path):
    again = Sample(10, "a", "again", 0, 7)
    path.write_bytes(lines(FIRST, LATER, again))
    index = SampleIndex(path)
    index.read()
    assert steps_of(index) == {("a", 0): [10]}
    assert index.sample(index.series[0], 0) == again


def test_a_file_that_was_written_anew_is_read_anew(path: Path):
    path.write_bytes(lines(FIRST, OTHER, LATER))
    index = SampleIndex(path)
    index.read()
    path.write_bytes(lines(LATER))
    assert index.sample(index.series[0], 1) is None  # there is nothing at that place any more
    index.read()
    assert steps_of(index) == {("a", 0): [20]}


def test_what_is_kept_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sample_index, "MOST", 100)
    path.write_bytes(lines(*(Sample(step, "a", "text" * 9) for step in range(1001))))
    index = SampleIndex(path)
    index.read(10)
    (series,) = index.series
    assert len(series.steps) <= 100
    assert (series.steps[0], series.steps[-1]) == (0, 1000)
    assert index.sample(series, 1) == Sample(series.steps[1], "a", "text" * 9)
    path.write_bytes(lines(*(Sample(1, f"prompt {i}", "") for i in range(1000))) + path.read_bytes())
    index = SampleIndex(path)
    index.read(10)
    assert len(index.series) == sample_index.MOST_SERIES


def test_a_line_that_is_too_long_is_passed_over(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sample_index, "_CHUNK", 300)
    path.write_bytes(lines(FIRST) + b'{"event":"sample","text":"' + b"x" * 5000 + b'"}\n' + lines(OTHER, LATER))
    index = SampleIndex(path)
    index.read(10)
    assert steps_of(index) == {("a", 0): [10, 20], ("b\n", 1): [10]}


def test_there_may_be_no_file(path: Path):
    index = SampleIndex(path)
    assert not index.read()
    path.mkdir()
    assert not index.read()
