"""A compiled part that cannot be used is left out with a reason, and torch does the work."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from minigpt_tui.models.native import library as native

COMPILER = shutil.which("cc") or shutil.which("gcc")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the compiled part is looked for."""
    monkeypatch.setattr(native, "__file__", str(tmp_path / "library.py"))
    monkeypatch.delenv("MINIGPT_NATIVE", raising=False)
    native._load.cache_clear()
    yield tmp_path / f"_compiled{EXTENSION_SUFFIXES[0]}"
    native._load.cache_clear()


def test_none_is_there(beside: Path) -> None:
    assert native.library() is None
    assert native.kind() == ""
    assert native.absence() == "minigpt-tui was installed without a C compiler"


def test_it_is_no_library(beside: Path) -> None:
    beside.write_bytes(b"\x7fELF and then nothing")
    assert native.library() is None
    assert native.absence().startswith(f"{beside.name} cannot be loaded: ")


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
@pytest.mark.parametrize(("source", "reason"), [
    ("int nothing;", "cannot be loaded"),
    ("long long decode_size(void) { return 1; } long long train_size(void) { return 1; }"
     "int native_kind, decode_open, decode_step, decode_close, train_open, train_compute;",
     "is of another version"),
], ids=["another library", "another version"])  # fmt: skip
def test_it_is_another_library(beside: Path, tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "other.c").write_text(source)
    subprocess.run([str(COMPILER), "-shared", "-fPIC", tmp_path / "other.c", "-o", beside], check=True)
    assert native.library() is None
    assert reason in native.absence()


def test_a_limit_is_the_best_kind_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINIGPT_NATIVE", raising=False)
    if native.library() is None:
        pytest.skip(native.absence())
    best = native.kind()
    monkeypatch.setenv("MINIGPT_NATIVE", "plain")
    assert native.kind() == "plain"
    monkeypatch.setenv("MINIGPT_NATIVE", "avx2")
    assert native.kind() in ("avx2", "plain", "neon")
    monkeypatch.setenv("MINIGPT_NATIVE", "fast, please")
    assert native.kind() == best
    monkeypatch.setenv("MINIGPT_NATIVE", "0")
    assert native.kind() == ""
    assert native.absence() == "MINIGPT_NATIVE is 0"
