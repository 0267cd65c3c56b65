import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.engine import launch
from minigpt_tui.engine.quotes import finder
from minigpt_tui.tui import generator
from minigpt_tui.tui.screens import new_run
from warm_python import warm_python

from .scripted_engine import ScriptedEngine, SilentFinder


@pytest.fixture(autouse=True, scope="session")
def rare_garbage_collections() -> Iterator[None]:
    """An app makes and drops widgets by the thousand; looking for garbage that often is a quarter of a test's time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    yield
    gc.set_threshold(*before)


@pytest.fixture(scope="session")
def warm_interpreter() -> Iterator[str]:
    """The path of a python that has torch imported."""
    with warm_python() as path:
        yield path


@pytest.fixture(autouse=True)
def processes_start_warm(warm_interpreter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of the engine that a test of this room starts have torch imported already."""
    monkeypatch.setattr(sys, "executable", warm_interpreter)


@pytest.fixture(autouse=True)
def terminal_with_all_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn does not depend on the terminal that the tests run in."""
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All folders of the product below a folder of this test, and no NO_COLOR from outside."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path / "home"


@pytest.fixture
def engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> type[ScriptedEngine]:
    """The app without its processes: replies are scripted, trainings only noted down, nothing is measured."""

    class Engine(ScriptedEngine):
        processes = []

    monkeypatch.setattr(generator, "GenerateProcess", Engine)
    monkeypatch.setattr(finder, "QuoteFinder", SilentFinder)
    monkeypatch.setattr(launch, "start_training", lambda run, **options: 1)
    monkeypatch.setattr(new_run, "IDLE_SECONDS", 86_400.0)
    return Engine
