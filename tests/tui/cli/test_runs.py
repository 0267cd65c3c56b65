"""The verb runs: what was trained, listed, shown, compared, named, told, taken elsewhere and deleted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from minigpt_tui.engine.runs import Run

from .command import TINY, command


@pytest.fixture(scope="module")
def two(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the runs `cats`, and `dogs` at another rate."""
    import shutil

    home = shutil.copytree(trained_once, tmp_path_factory.mktemp("two") / "home")
    result = command(home, "train", "cats.txt", "--steps", "6", "--name", "dogs", "--learning-rate", "0.001", *TINY)
    assert result.returncode == 0, result.stderr
    return home


def listed(home: Path, *words: str) -> list[str]:
    return [row["name"] for row in json.loads(command(home, "runs", "list", *words, "--json").stdout)]


def test_the_list_is_filtered_by_words_figures_and_tags(two: Path) -> None:
    assert listed(two) == ["dogs", "cats"]
    assert listed(two, "learning_rate=0.001") == ["dogs"]
    assert listed(two, "step>=60", "state=finished") == ["cats"]
    assert command(two, "runs", "list", "nobody").stderr.startswith("no run is like that")
    refused = command(two, "runs", "list", "los<1")
    assert refused.returncode == 2
    assert "there are: loss" in refused.stderr


def test_a_run_is_named_tagged_and_noted_and_found_by_its_name(two: Path) -> None:
    assert command(two, "runs", "rename", "cats", "the-cats").returncode == 0
    assert command(two, "runs", "tag", "the-cats", "#good", "keep").returncode == 0
    assert json.loads(command(two, "runs", "note", "the-cats", "by [red]", "--json").stdout) == {
        "run": "cats", "name": "the-cats", "tags": ["good", "keep"], "note": "by [red]", "group": "",
    }  # fmt: skip
    assert listed(two, "#good") == ["cats"]
    shown = json.loads(command(two, "runs", "show", "the-cats", "--json").stdout)
    assert (shown["shown_name"], shown["tags"]) == ("the-cats", ["good", "keep"])
    assert shown["best_step"] > 0
    text = command(two, "runs", "show", "the-cats").stdout
    assert "#good #keep" in text
    assert "by [red]" in text
    written = command(two, "generate", "the-cats", "--prompt", "the", "--max-tokens", "3")
    assert written.returncode == 0, written.stderr
    refused = command(two, "runs", "rename", "dogs", "the-cats")
    assert refused.returncode == 2
    assert "already a run called" in refused.stderr
    assert command(two, "runs", "rename", "the-cats", "").returncode == 0
    assert command(two, "runs", "tag", "cats", "two words").returncode == 2


def test_runs_are_sorted_by_a_column(two: Path) -> None:
    def names(*options: str) -> list[str]:
        return [run["name"] for run in json.loads(command(two, "runs", "list", *options, "--json").stdout)]

    by_name = names("--sort", "name")
    assert by_name == sorted(by_name)
    assert names("--sort", "name", "--reverse") == by_name[::-1]
    best = [
        json.loads(command(two, "runs", "show", name, "--json").stdout)["best_validation_loss"]
        for name in names("--sort", "best")
    ]
    assert best == sorted(best)
    assert command(two, "runs", "list", "--sort", "beauty").returncode == 2


def test_runs_are_compared_by_the_fields_that_differ(two: Path) -> None:
    rows = json.loads(command(two, "runs", "compare", "cats", "dogs", "--json").stdout)
    assert [row["name"] for row in rows] == ["cats", "dogs"]
    assert rows[1]["fields"]["learning_rate"] == 0.001
    assert set(rows[0]["fields"]) == {"budget", "learning_rate"}
    assert "learning_rate" in command(two, "runs", "compare", "cats", "dogs").stdout
    assert "name two or more" in command(two, "runs", "compare", "cats").stderr


def test_tail_tells_the_last_events(two: Path) -> None:
    lines = command(two, "runs", "tail", "dogs", "--lines", "3").stdout.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "step 6: finished"
    events = [
        json.loads(line) for line in command(two, "runs", "tail", "dogs", "--lines", "0", "--json").stdout.splitlines()
    ]
    assert events[-1]["state"] == "finished"
    assert events[0]["event"] in ("state", "preparing")
    assert "no number of lines" in command(two, "runs", "tail", "dogs", "--lines", "-3").stderr
    assert command(two, "runs", "tail", "dogs", "--follow", "--lines", "1").stdout == "step 6: finished\n"


def test_curves_are_exported_for_other_programs(two: Path) -> None:
    rows = list(csv.DictReader(command(two, "runs", "export", "cats", "dogs").stdout.splitlines()))
    assert {row["run"] for row in rows} == {"cats", "dogs"}
    assert all(float(row["train_loss"]) > 0 for row in rows if row["kind"] == "step")
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    assert all(float(row["validation_loss"]) > 0 for row in evaluations)
    assert command(two, "runs", "export", "cats", "--to", "json", "--output", "curves.json").returncode == 0
    assert len(json.loads((two / "curves.json").read_text())) == sum(row["run"] == "cats" for row in rows)
    nowhere = command(two, "runs", "export", "cats", "--output", "no folder/curves.csv")
    assert nowhere.returncode == 2
    assert "no folder" in nowhere.stderr
    assert not (two / "no folder").exists()
    refused = command(two, "runs", "export", "cats", "--output", "curves.json")
    assert refused.returncode == 2
    assert "--force" in refused.stderr


def test_runs_are_drawn_over_each_other_as_text_and_as_a_picture(two: Path) -> None:
    drawn = command(two, "runs", "export", "cats", "dogs", "--chart", "-", "--axis", "seconds", "--log")
    assert drawn.returncode == 0, drawn.stderr
    first, *rows = drawn.stdout.splitlines()
    assert "a cats" in first
    assert any("\u2800" < sign <= "\u28ff" for row in rows for sign in row)
    assert rows[-1].strip().startswith("└ 0")
    assert command(two, "runs", "export", "cats", "dogs", "--chart", "both.svg").returncode == 0
    assert "dogs" in (two / "both.svg").read_text()
    refused = command(two, "runs", "export", "cats", "--chart", "both.svg")
    assert "is there already; --force replaces it" in refused.stderr
    assert command(two, "runs", "export", "cats", "--chart", "both.svg", "--force").returncode == 0
    assert command(two, "runs", "export", "cats", "--chart", "drawn.txt", "--smoothing", "0").returncode == 0


def test_what_cannot_be_drawn_is_one_sentence(two: Path) -> None:
    for options, sentence in {
        ("--chart", "curve.gif"): "end it in .svg, .png or .txt",
        ("--chart", "-", "--smoothing", "2"): "'2' is no share from 0 to less than 1",
        ("--to", "tensorboard"): "name one with --output FOLDER",
    }.items():
        refused = command(two, "runs", "export", "cats", *options)
        assert refused.returncode != 0
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_run_is_deleted_and_restored(two: Path) -> None:
    folder = Path(command(two, "runs", "delete", "dogs").stdout.strip())
    assert folder.is_dir()
    assert listed(two) == ["cats"]
    assert command(two, "runs", "restore", "dogs").stdout == "dogs\n"
    assert listed(two) == ["dogs", "cats"]
    assert command(two, "runs", "restore", "nobody").returncode == 2


def test_a_run_that_crashed_shows_the_end_of_its_log_and_what_to_do(two: Path) -> None:
    run = Run(two / "data" / "runs" / "dogs")
    status = json.loads((run.path / "status.json").read_text())
    (run.path / "status.json").write_text(json.dumps(status | {"state": "running", "heartbeat": 0.0}))
    run.log_path.write_text("a line\n" * 9 + "Killed \x1b[31m\n")
    text = command(two, "runs", "show", "dogs").stdout
    assert "crashed" in text
    assert "Killed" in text
    assert "\x1b" not in text
    assert "minigpt-tui resume dogs" in text
