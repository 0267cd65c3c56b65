"""The wheel carries every package of the repository, and nothing else."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("tui", "engine", "models", "data")


def test_both_tables_list_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    on_disk = {f"minigpt_tui.{p.parent.relative_to(ROOT).as_posix().replace('/', '.')}"
               for room in ROOMS for p in (ROOT / room).rglob("__init__.py")}  # fmt: skip
    assert set(project["packages"]) == on_disk
    assert project["package-dir"] == {name: name.removeprefix("minigpt_tui.").replace(".", "/") for name in on_disk}


def test_every_file_of_a_package_that_is_not_python_is_package_data() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for room in ROOMS:
        files = {p for p in (ROOT / room).rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
        carried = {p for pattern in declared[f"minigpt_tui.{room}"] for p in (ROOT / room).glob(pattern)}
        assert files == carried
