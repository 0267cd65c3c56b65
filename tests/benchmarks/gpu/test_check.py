"""The check of a GPU without one: parts that fail, hang or end well, and the file that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import command
from benchmarks.gpu import check
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.harness import Comparison, TrialFailedError


def python(name: str, code: str, limit: float = 60) -> Part:
    """A part that runs a line of Python: the module `timeit` does that once."""
    return Part(name, ("timeit", "-n", "1", "-r", "1", code), limit, (Comparison("tokens", "tokens", ""),), _first_line)


def _first_line(output: str) -> dict[str, float]:
    return json.loads(output.splitlines()[0])


def test_what_a_part_prints_are_its_figures() -> None:
    assert python("a", "print('{\"tokens\": 3}')").run(None) == {"tokens": 3}


def test_a_part_that_fails_says_why() -> None:
    with pytest.raises(TrialFailedError, match=r"code 1; .*ZeroDivisionError"):
        python("a", "1 / 0").run(None)


def test_of_a_part_that_crashes_the_crash_is_told() -> None:
    code = "import faulthandler, os; faulthandler.enable(); os.abort()"
    with pytest.raises(TrialFailedError, match="Fatal Python error: Aborted"):
        python("a", code).run(None)


def test_a_part_that_hangs_is_ended_with_all_that_it_started() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(1000)'])"
    with pytest.raises(TrialFailedError, match="it was ended after 1 s"):
        python("a", code, limit=1).run(None)


def test_all_parts_are_tried_and_the_file_has_what_came_of_each(tmp_path: Path, monkeypatch, capsys) -> None:
    parts = [python("one", "1 / 0"), python("two", "print('{\"tokens\": 3}')")]
    monkeypatch.setattr(check, "find_gpu", lambda: "a GPU")
    monkeypatch.setattr(check, "PARTS", {part.name: part for part in parts})
    output = tmp_path / "found.json"
    assert command.main(["gpu-check", "--output", str(output)]) == command.FAILED
    content = json.loads(output.read_text(encoding="utf-8"))
    assert content["machine"]["gpu"] == "a GPU"
    assert not content["interrupted"]
    one, two = (benchmark["trials"][0] for benchmark in content["benchmarks"])
    assert "ZeroDivisionError" in one["failure"]
    assert two["figures"] == {"tokens": 3}
    assert "two: tokens" in capsys.readouterr().out


def test_without_a_gpu_it_is_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr(check, "find_gpu", lambda: "")
    assert command.main(["gpu-check"]) == command.USAGE
    assert "no GPU is found here" in capsys.readouterr().err


def test_the_tests_that_it_runs_are_there() -> None:
    folder = Path(__file__).parents[3]
    named = [word for word in PARTS["tests"].words if word.endswith(".py")]
    assert named
    assert [name for name in named if not (folder / name).is_file()] == []
