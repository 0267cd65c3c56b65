from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .setup import GenerationSetup


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the models that all tests load: each is written once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def setup(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GenerationSetup]:
    """A setup whose processes end with the test, and compute with one thread, for the models are too small for more."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with ExitStack() as closing:
        yield GenerationSetup(models, closing, far_more=2**20)
