"""The wheel carries every package of the repository, and nothing else."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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
        compiled = {".so", ".pyd", ".c", ".h"}  # the native part, which the wheel has compiled
        files = {p for p in (ROOT / room).rglob("*") if p.is_file() and p.suffix not in {".py", ".pyc", *compiled}}
        carried = {p for pattern in declared[f"minigpt_tui.{room}"] for p in (ROOT / room).glob(pattern)}
        assert files == carried


def test_every_c_file_is_compiled_where_that_can_be_done() -> None:
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    on_disk = {path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.c")}
    assert {source for module in modules for source in module["sources"]} == on_disk
    assert all(module["optional"] for module in modules)


_DECODES = """
import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.native import library as native
from minigpt_tui.models.fast.decoding import prepare_decoding
from minigpt_tui.models.gpt import GPT

model, tokens = GPT(ModelConfig(vocab_size=9)), torch.tensor([[1, 5, 3]])
model.head.data.normal_()
prepare_decoding(model)
with torch.inference_mode():
    cache = KVCache(model.config, 1, 3)
    logits = [model.next_logits(tokens[:, i : i + 1], cache) for i in range(3)]
    torch.testing.assert_close(logits[-1], model(tokens)[:, -1])
print(native.__file__)
print(native.kind() or native.absence())
"""


@pytest.mark.long
@pytest.mark.parametrize("compiler", [True, False], ids=["compiler", "no compiler"])
def test_a_wheel_decodes_with_the_compiled_part_and_without_it(tmp_path: Path, compiler: bool) -> None:
    source, wheels, installed = tmp_path / "source", tmp_path / "wheels", tmp_path / "installed"
    files = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in files.stdout.decode().split("\0"):
        if name.startswith((*ROOMS, "pyproject.toml", "README.md", "LICENSE")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    environment = os.environ | ({} if compiler else {"CC": "/nowhere/cc"})
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source], env=environment, check=True
    )
    subprocess.run([*pip, "install", "--no-deps", "--target", installed, *wheels.iterdir()], check=True)
    environment = {**os.environ, "PYTHONPATH": str(installed), "MINIGPT_NATIVE": ""}
    done = subprocess.run(
        [sys.executable, "-c", _DECODES], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    module, how = done.stdout.splitlines()
    assert Path(module).is_relative_to(installed)
    assert how in ("avx512", "avx2", "neon", "plain") if compiler else "without a C compiler" in how
