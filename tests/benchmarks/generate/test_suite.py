"""`benchmarks generate`: the table and the notes of a real measurement, and what is refused before one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from minigpt_tui.models.presets import preset

from benchmarks import command
from benchmarks.generate import suite
from benchmarks.generate.tiny import TINY
from benchmarks.generate.workloads import WORKLOADS, GenerationWorkload

pytestmark = pytest.mark.long  # each measures processes of several programs in turns


def test_a_suite_prints_a_table_and_the_json_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = ["generate", "char", "--repeats", "1", "--without", "transformers", "--without", "llama.cpp"]
    workload = GenerationWorkload(name="char", description="", shape=TINY, tokens=20)
    run = partial(suite.run, workloads={"char": workload}, far_more=2**20)
    assert command.run(run, command.build_parser().parse_args(words)) == command.DONE
    out, err = capsys.readouterr()
    content = json.loads(out.splitlines()[-1])
    assert [line["benchmark"] for line in content["lines"]] == ["char"]
    assert content["lines"][0]["limit"] > 0
    assert "char: 20 tokens, 0.80M, float32, tokens/s" in out
    assert "transformers is left out, as was asked for." in content["notes"]
    assert any(note.startswith("nanoGPT is left out: no checkout") for note in content["notes"])
    assert "char, warm-up: ours ..." in err
    assert "char, repeat 1: ours: tokens_per_second" in err


def test_what_cannot_be_scored_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")
    for option, name, words in (
        ("--model", "nobody", "'nobody'"),
        ("--text", str(tmp_path / "nothing"), "No such file"),
        ("--text", str(binary), "is not UTF-8 text"),
    ):
        assert command.main(["generate", "char-int8", option, name]) == command.USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err
        assert "preparing" not in err


def test_the_list_names_every_workload(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["generate", "--list"]) == command.DONE
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == list(WORKLOADS)
    for workload in WORKLOADS.values():
        assert preset(workload.shape.preset).name == workload.shape.preset
