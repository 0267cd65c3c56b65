"""Start-up promises, each checked in a fresh interpreter: who may load what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def loaded_by(*modules: str) -> set[str]:
    program = "; ".join([*(f"import {module}" for module in modules), "import sys; print(*sys.modules)"])
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    return set(result.stdout.split())


def test_the_app_never_loads_torch() -> None:
    loaded = loaded_by("minigpt_tui.tui.cli.main", "minigpt_tui.tui.app", "minigpt_tui.tui.bridge")
    assert "minigpt_tui.tui.app" in loaded
    assert not {"torch", "numpy", "safetensors", "transformers"} & loaded


def test_the_command_line_loads_neither_torch_nor_textual() -> None:
    modules = sorted(path.stem for path in (ROOT / "tui" / "cli").glob("*.py") if not path.stem.startswith("__"))
    assert "train" in modules
    assert not {"torch", "textual"} & loaded_by(*(f"minigpt_tui.tui.cli.{module}" for module in modules))


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"], ["paths"]])
def test_a_verb_loads_the_terminal_library_only_when_it_draws(words: list[str]) -> None:
    program = (
        "import sys\nfrom minigpt_tui.tui.cli.main import main\n"
        f"try: main({words})\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "usage: minigpt-tui" in result.stdout or words == ["paths"]
    assert not {"rich", "textual", "torch"} & set(result.stderr.split())


@pytest.mark.parametrize(
    "process",
    ["engine.training.process", "engine.training.evaluate_process", "engine.generation.process"],
)
def test_the_engine_loads_nothing_that_draws(process: str) -> None:
    assert not {"textual", "rich"} & loaded_by(f"minigpt_tui.{process}")


@pytest.mark.parametrize("process", ["engine.training.process", "engine.generation.process"])
def test_a_process_speaks_before_it_loads_torch(process: str) -> None:
    assert "torch" not in loaded_by(f"minigpt_tui.{process}")
