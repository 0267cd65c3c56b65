"""What lists show of runs: what people say of them, what was changed, and which of them a filter means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.engine.events import CheckpointSaved, Evaluation, Started, Step
from minigpt_tui.engine.run_about import About, about, change_about, find_run, rename_run
from minigpt_tui.engine.run_filter import matching
from minigpt_tui.engine.run_summary import RunSummaries, RunSummary, changes, summary_of
from minigpt_tui.engine.run_trash import restore_run, trash_run
from minigpt_tui.engine.runs import (
    CorpusRecord,
    Run,
    RunError,
    RunManifest,
    RunStatus,
    create_run,
)
from minigpt_tui.engine.training.loop.event_log import EventLog
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget

TALES = CorpusRecord("tales", "tales", "0" * 64, 1_000_000, 1_000_000)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    return tmp_path


def manifest(name: str, **training: object) -> RunManifest:
    recipe = preset("quick")
    model = replace(recipe.model, vocab_size=62)
    return RunManifest(name, 1e9, recipe.name, TALES, "char", model, replace(recipe.training, **training))  # pyright: ignore[reportArgumentType]


def made(name: str, best: float | None = None, **training: object) -> Run:
    run = create_run(manifest(name, **training))
    status = RunStatus("finished", 1, "host", 200, 400, 0.0, best_validation_loss=best, best_step=150)
    run.write_status(replace(status, bits_per_byte=None if best is None else best * 1.44, tokens_per_second=2e4))
    return run


def names(runs: list[RunSummary]) -> set[str]:
    return {run.name for run in runs}


# --- about ----------------------------------------------------------------------------------------


def test_what_is_said_of_a_run_is_kept_beside_it_and_the_folder_keeps_its_name():
    run = made("a-01")
    assert about(run) == About()
    change_about(run, tags=("good", "keep", "good"), note="a [red]note\nof two lines")
    rename_run(run, "the-best")
    assert about(run) == About("the-best", ("good", "keep"), "a [red]note\nof two lines")
    assert find_run("the-best") == find_run("a-01") == run
    assert run.name == "a-01"
    rename_run(run, "a-01")
    assert about(run).name == ""


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"tags": 3}', b'{"name": "a/b"}', b"\xff"])
def test_a_damaged_about_says_nothing_and_can_be_written_again(content: bytes):
    run = made("a-01")
    (run.path / "about.json").write_bytes(content)
    assert about(run) == About()
    assert change_about(run, note="n").note == "n"
    assert about(run).note == "n"


@pytest.mark.parametrize("tag", ["", "two words", "#good", "x" * 33, "a\x1b[31m", "a\nb"])
def test_what_is_no_word_is_no_tag(tag: str):
    with pytest.raises(RunError, match="cannot be a tag"):
        change_about(made("a-01"), tags=(tag,))


def test_two_runs_have_no_name_together():
    made("a-01")
    other = made("b-01")
    with pytest.raises(RunError, match="already a run called 'a-01'"):
        rename_run(other, "a-01")
    with pytest.raises(RunError, match="cannot be a run's name"):
        rename_run(other, "../a")


def test_the_train_process_leaves_it_alone():
    run = made("a-01")
    change_about(run, note="mine")
    log = EventLog(run)
    log.state("running")
    assert about(run).note == "mine"


# --- the status -----------------------------------------------------------------------------------


def test_the_status_knows_the_best_evaluation_and_the_speed():
    run = create_run(manifest("a-01"))
    log = EventLog(run)
    log.emit(Started(0, 400, 1234, 62, 900, 100, "cpu", "CPU", "float32", 1, "", 0.0))
    log.emit(Step(100, 400, 76_800, 5.0, 15.0, 2.0, 1e-3, 0.5, 15_360.0, 1))
    log.emit(Evaluation(100, 5.0, 1.9, 6.7, 2.7, "full", True))
    log.emit(Evaluation(200, 9.0, 2.5, 12.0, 3.6, "full", False))
    log.emit(CheckpointSaved(200, "last"))
    log.state("stopped")
    status = run.status()
    assert status is not None
    assert (status.best_validation_loss, status.best_step, status.bits_per_byte) == (1.9, 100, 2.7)
    assert (status.validation_loss, status.parameters, status.tokens) == (2.5, 1234, 76_800)
    assert (status.seconds, status.tokens_per_second, status.remaining) == (5.0, 15_360.0, 15.0)


# --- changes --------------------------------------------------------------------------------------


def test_only_the_fields_that_differ_are_changes():
    before = manifest("a")
    assert changes(before, replace(before, name="b", created=2e9)) == []
    now = replace(
        before, preset="laptop", corpus=replace(TALES, name="novel"), model=replace(before.model, n_layer=6),
        training=replace(before.training, learning_rate=5e-4, budget=Budget.parse("5 minutes"), deterministic=True),
    )  # fmt: skip
    assert set(map(str, changes(before, now))) == {
        "preset quick→laptop", "corpus tales→novel", "n_layer 3→6", "budget 600 steps→5 minutes",
        "learning_rate 0.03→0.0005", "deterministic no→yes",
    }  # fmt: skip


def test_where_a_checkpoint_is_kept_changes_nothing_that_is_learned():
    before = manifest("a")
    assert changes(before, manifest("b", checkpoint_history=10, sample_prompt="Once", device="cpu")) == []


def test_each_run_is_compared_with_the_one_made_before_it():
    import os

    for number, rate in enumerate((0.01, 0.02, 0.02)):
        run = made(f"run-{number}", learning_rate=rate)
        os.utime(run.path / "run.json", (1e9 + number, 1e9 + number))
    assert [list(map(str, run.changed)) for run in RunSummaries().read()] == [[], ["learning_rate 0.01→0.02"], []]
    assert list(map(str, summary_of(find_run("run-1")).changed)) == ["learning_rate 0.01→0.02"]


def test_a_run_that_cannot_be_read_says_why():
    made("a-01")
    broken = made("b-01")
    (broken.path / "run.json").write_text("{")
    (found,) = [run for run in RunSummaries().read() if run.run == broken]
    assert found.manifest is None
    assert "run.json" in found.problem


# --- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("", {"low", "high", "blank"}),
        ("loss<1.6", {"low"}),
        ("loss>=1.6", {"high"}),
        ("loss<=1.9 learning_rate=0.02", {"high"}),
        ("preset=QUICK", {"low", "high", "blank"}),
        ("preset=laptop", set()),
        ("#good", {"low"}),
        ("#GOOD -", set()),
        ("#goo", set()),
        ("hi", {"high"}),
        ("sea", {"high"}),
        ("bits<2.2", {"low"}),
        ("speed>10k", {"low", "high", "blank"}),
        ("step=200 state=finished", {"low", "high", "blank"}),
        ("n_layer=3", {"low", "high", "blank"}),
        ("parameters<1M", {"low", "high", "blank"}),
        ("deterministic=no", {"low", "high", "blank"}),
        ("budget=600", set()),
    ],
)
def test_a_filter_means_the_runs_for_which_each_word_holds(words: str, wanted: set[str]):
    change_about(made("low", 1.5, learning_rate=0.01), tags=("good",))
    change_about(made("high", 1.9, learning_rate=0.02), note="by the SEA")
    made("blank")
    assert names(matching(RunSummaries().read(), words)) == wanted


@pytest.mark.parametrize(("words", "said"), [("los<1", "not compared by 'los'"), ("loss<low", "'low' is no number")])
def test_a_comparison_that_means_nothing_is_refused(words: str, said: str):
    with pytest.raises(RunError, match=said):
        matching([], words)


# --- the trash ------------------------------------------------------------------------------------


def test_a_run_comes_back_from_the_trash_with_all_that_is_said_of_it():
    run = made("a-01")
    change_about(run, note="mine")
    first = trash_run(run)
    assert not run.path.exists()
    made("a-01")
    with pytest.raises(RunError, match="there is a run called 'a-01' again"):
        restore_run("a-01")
    trash_run(run)
    assert restore_run(first.name) == run
    assert about(run).note == "mine"
    trash_run(run)
    assert restore_run("a-01").path == run.path
    with pytest.raises(RunError, match="no run called 'nothing' in the trash; there are: a-01-"):
        restore_run("nothing")
