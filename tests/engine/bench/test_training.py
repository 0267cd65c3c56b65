"""`bench train`: real trainings of a tiny model as contestants, and which rows are measured."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.bench import command, cpu_rows, training
from minigpt_tui.engine.bench.measurements import Comparison, Measurements, Work
from minigpt_tui.engine.bench.our_training import evaluate, train, with_training
from minigpt_tui.engine.bench.report import Line
from minigpt_tui.engine.bench.rows import ROWS
from minigpt_tui.engine.bench.setting import Setting
from minigpt_tui.engine.bench.turns import TurnFailedError
from minigpt_tui.engine.events import Command, Step, TrainingEvent
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget, Recipe

TINY: Recipe = replace(
    with_training(
        preset("quick"), budget=Budget(30), evaluation_interval=10, checkpoint_interval=30, batch_size=8,
        device="cpu", dtype="float32", threads=1,
    ),
    model=ModelConfig(context_length=16, n_layer=1, n_head=2, d_model=16),
)  # fmt: skip


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    home = tmp_path / "bench"
    home.mkdir()
    return Setting(home, open_corpus("tales:20KB"))


def test_a_row_is_measured_from_start_to_table(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Measurements()
    work = bench.measure(cpu_rows.time_to_loss_of(setting, TINY, 100.0), 2)
    assert not work.failures
    assert [(turn.contestant, turn.repeat) for turn in work.turns] == [("ours", 1), ("ours", 2)]
    for turn in work.turns:
        whole, seconds, loss = (turn.figures[name] for name in ("whole", "training", "loss"))
        assert isinstance(whole, float)
        assert isinstance(seconds, float)
        assert 0 < seconds < whole
        assert isinstance(loss, float)
        assert 0.4 < loss < 2 * math.log(len(setting.corpus.alphabet))
        assert turn.figures["dtype"] == "float32"
    assert work.turns[0].figures["loss"] != work.turns[1].figures["loss"], "each repeat has a seed of its own"
    assert [Line.of(work, comparison).cells()[1] for comparison in work.comparisons] == ["", "", ""]
    assert list(setting.home.iterdir()) == [], "the files of a turn go with it"
    assert "repeat 2 of 2: ours ..." in capsys.readouterr().err


def test_a_loss_that_is_never_reached_is_a_failed_turn(setting: Setting) -> None:
    work = Measurements().measure(cpu_rows.time_to_loss_of(setting, TINY, 0.01), 1)
    assert "the loss was to fall to 0.01, and its lowest was " in work.failures[0].failure


def test_a_run_that_cannot_be_made_or_fails_says_why(setting: Setting) -> None:
    with setting.folder() as home:
        long = replace(TINY, model=replace(TINY.model, context_length=4096))
        with pytest.raises(TurnFailedError, match="context length"):
            train(home, setting.corpus.spec, long)
        with pytest.raises(TurnFailedError, match="abacus"):
            train(home, setting.corpus.spec, with_training(TINY, device="abacus"))


def test_what_a_training_says_is_taken_down_and_its_model_is_scored(setting: Setting) -> None:
    with setting.folder() as home:
        trained = train(home, setting.corpus.spec, TINY)
        assert [evaluation.step for _, evaluation in trained.evaluations] == [10, 20, 30]
        assert trained.steps[-1].step == 30
        assert 0 < trained.seconds < trained.whole
        best = min(evaluation.validation_loss for _, evaluation in trained.evaluations)
        assert evaluate(home, trained.run.path) == pytest.approx(best, rel=1e-5)
        assert evaluate(home, trained.run.path, context_length=4) != pytest.approx(best, rel=1e-5)
        wall, first = trained.reached(trained.evaluations[0][1].validation_loss)
        assert (first.step, wall) == (10, trained.evaluations[0][0])
        pace = trained.tokens_per_second(10)
        steps = [step for step in trained.steps if step.step >= 10]
        assert pace == pytest.approx(20 * 8 * 16 / (steps[-1].seconds - steps[0].seconds))
        with pytest.raises(TurnFailedError, match="too soon"):
            trained.tokens_per_second(30)


def test_an_interrupted_training_leaves_no_process(setting: Setting) -> None:
    runs: list[Run] = []

    def interrupt(run: Run, event: TrainingEvent) -> None:
        if isinstance(event, Step):
            runs.append(run)
            raise KeyboardInterrupt

    with setting.folder() as home:
        with pytest.raises(KeyboardInterrupt):
            train(home, setting.corpus.spec, with_training(TINY, budget=Budget(10**8)), interrupt)
        assert not runs[0].is_alive()


def test_a_run_that_would_last_too_long_gets_another_budget_once(tmp_path: Path) -> None:
    run, watch = Run(tmp_path), cpu_rows._within(80)
    step = Step(step=9, total_steps=100, tokens=9, seconds=4.0, remaining=90.0, loss=1.0, learning_rate=0.1,
                gradient_norm=None, tokens_per_second=9.0, memory=0)  # fmt: skip
    watch(run, step)
    assert not run.commands_path.exists(), "the pace is not settled yet"
    for _ in range(2):
        watch(run, replace(step, seconds=6.0))
    (line,) = run.commands_path.read_text().splitlines()
    assert json.loads(line)["text"] == "80 seconds"
    assert Command(json.loads(line)["name"]) == Command("budget")
    other = Run(tmp_path / "other")
    watch(other, replace(step, seconds=6.0, remaining=50.0))
    assert not other.commands_path.exists()


def test_figures_of_a_turn_may_be_the_limit_of_a_line(setting: Setting) -> None:
    contestant = setting.ours(TINY, lambda trained, home: {"pace": 50.0, "peak": 80.0})
    work = Measurements().measure(Work("pace", [contestant], [Comparison("warm", "pace", "", limit="peak")]), 1)
    assert Line.of(work, work.comparisons[0]).limit == 80.0


# --- which rows ------------------------------------------------------------------------------------


def rows_measured(
    monkeypatch: pytest.MonkeyPatch, gpu: str, *words: str, text: str = "tales:20KB"
) -> tuple[int, list[str]]:
    measured: list[str] = []
    monkeypatch.setattr(training, "find_gpu", lambda: gpu)
    for name in ROWS:
        monkeypatch.setitem(
            training._WORKS, name, lambda setting, name=name: measured.append(name) or Work(name, [], [])
        )
    corpus = ("--corpus", text) if text else ()
    return command.main(["train", *words, *corpus]), measured


CPU, GPU = ["cpu-time-to-loss", "cpu-budget"], ["gpu-quality", "gpu-throughput", "gpu-mfu"]


@pytest.mark.usefixtures("setting")
def test_without_names_the_rows_that_this_machine_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows_measured(monkeypatch, "") == (command.DONE, CPU)
    assert rows_measured(monkeypatch, "H200") == (command.DONE, GPU)
    assert rows_measured(monkeypatch, "H200", "gpu-mfu", "cpu-budget") == (command.DONE, ["cpu-budget", "gpu-mfu"])
    assert rows_measured(monkeypatch, "H200", "crafting-attention") == (command.DONE, ["crafting-attention"])


@pytest.mark.usefixtures("setting")
def test_what_cannot_be_measured_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for gpu, words, text, sentence in (
        ("", ["gpu-mfu", "cpu-budget"], "tales:20KB", "no GPU is found here, which gpu-mfu cannot do without"),
        ("H200", ["crafting-attention"], "", "learns from a text of its own"),
        ("", ["--nanogpt", str(tmp_path)], "tales:20KB", "is no checkout of nanoGPT: it has no train.py"),
        ("", [], str(tmp_path / "nowhere.txt"), "nowhere.txt is neither a file nor a folder"),
    ):
        assert rows_measured(monkeypatch, gpu, *words, text=text) == (command.USAGE, [])
        output = capsys.readouterr()
        assert output.out == ""
        assert sentence in output.err.splitlines()[-1]


def test_a_row_that_is_not_known_is_refused_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["train", "gpu-quantity"])
    assert "there is no row 'gpu-quantity'; there are: cpu-time-to-loss" in capsys.readouterr().err
    assert command.main(["train", "--list"]) == command.DONE
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(ROWS)
