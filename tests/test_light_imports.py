"""Start-up promises, each checked in a fresh interpreter: who may load what."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_program(program: str) -> subprocess.CompletedProcess[str]:
    """Run `program` in a fresh interpreter; fail with what it printed where it does."""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"exit code {result.returncode}:\n{result.stdout}\n{result.stderr}"
    return result


def loaded_by(*modules: str) -> set[str]:
    program = "; ".join([*(f"import {module}" for module in modules), "import sys; print(*sys.modules)"])
    return set(run_program(program).stdout.split())


def test_the_app_never_loads_torch() -> None:
    loaded = loaded_by("minigpt_tui.tui.cli.main", "minigpt_tui.tui.app", "minigpt_tui.tui.bridge")
    assert "minigpt_tui.tui.app" in loaded
    assert not {"torch", "numpy", "safetensors", "transformers"} & loaded
    assert "tomlkit" not in loaded  # settings are read with tomllib; only a save needs the other


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
    result = run_program(program)
    assert "usage: minigpt-tui" in result.stdout or words == ["paths"]
    assert not {"rich", "textual", "torch", "tomlkit"} & set(result.stderr.split())


@pytest.mark.parametrize(
    "process",
    ["engine.training.process", "engine.training.evaluate_process", "engine.generation.process"],
)
def test_the_engine_loads_nothing_that_draws(process: str) -> None:
    assert not {"textual", "rich"} & loaded_by(f"minigpt_tui.{process}")


@pytest.mark.parametrize("process", ["engine.training.process", "engine.generation.process"])
def test_a_process_says_hello_before_it_loads_torch(process: str) -> None:
    assert "torch" not in loaded_by(f"minigpt_tui.{process}")
