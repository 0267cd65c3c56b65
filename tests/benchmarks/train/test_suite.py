"""`benchmarks train`: what is measured on which text, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus

from benchmarks import command
from benchmarks.harness import Benchmark, Candidate, Harness
from benchmarks.train import suite
from benchmarks.train.setup import TrainingSetup
from benchmarks.train.workloads import WORKLOADS, TrainingWorkload


def test_each_workload_is_measured_on_the_text_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def benchmark(setup: TrainingSetup) -> Benchmark:
        return Benchmark("read", [Candidate("ours", lambda repeat: {"characters": setup.corpus.n_characters})], [])

    harness = Harness()
    arguments = command.build_parser().parse_args(["train", "cpu-budget", "--corpus", "tales:20KB", "--repeats", "2"])
    reading = TrainingWorkload(name="cpu-budget", description="", benchmark=benchmark)
    suite.run(arguments, harness, {"cpu-budget": reading})
    (measured,) = harness.benchmarks
    size = open_corpus("tales:20KB").n_characters
    assert [(trial.repeat, trial.figures["characters"]) for trial in measured.trials] == [(1, size), (2, size)]
    assert "no peer is measured; name a checkout of nanoGPT" in capsys.readouterr().err
    assert any(note.startswith("The text is tales") for note in harness.notes)


def test_what_cannot_be_measured_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    for words, sentence in (
        (["crafting-attention"], "learns from a text of its own"),
        (["--nanogpt", str(tmp_path)], "is no checkout of nanoGPT: it has no train.py"),
        (["cpu-budget", "--corpus", str(tmp_path / "nowhere.txt")], "nowhere.txt is neither a file nor a folder"),
    ):
        assert command.main(["train", *words]) == command.USAGE
        output = capsys.readouterr()
        assert output.out == ""
        assert sentence in output.err.splitlines()[-1]


def test_the_list_names_every_workload(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["train", "--list"]) == command.DONE
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(WORKLOADS)
