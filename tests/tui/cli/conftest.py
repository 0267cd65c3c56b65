import shutil
from pathlib import Path

import pytest

from .command import TEXT, TINY, command


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a text in it, and no runs."""
    (tmp_path / "cats.txt").write_text(TEXT)
    return tmp_path


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and one trained run, `cats`; not to be changed."""
    home = tmp_path_factory.mktemp("trained")
    (home / "cats.txt").write_text(TEXT)
    result = command(home, "train", "cats.txt", "--steps", "60", "--name", "cats", *TINY)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "cats\n"
    assert "validation loss" in result.stderr
    return home


@pytest.fixture(scope="module")
def trained(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it for the tests of one module."""
    return shutil.copytree(trained_once, tmp_path_factory.mktemp("copy") / "home")
