"""A path may be typed, quoted for a shell, escaped, or dropped as an address: it is the same path."""

from __future__ import annotations

import os
import re
import shlex
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from minigpt_tui.data.typed_path import typed_path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names there have no quotes, blanks are not escaped")

NAMES = st.binary(min_size=1, max_size=30).filter(lambda name: name != b"." and not {0, 10, 13, ord("/")} & {*name})


@settings(max_examples=300, deadline=None)
@given(NAMES)
@example(b"it's \xe9 \xff.txt")
@example("\N{NO-BREAK SPACE}\N{ZERO WIDTH JOINER}100% #1?.txt".encode())
def test_a_name_of_any_bytes_is_the_same_however_it_is_written(name: bytes) -> None:
    path = f"/no/such/folder/{os.fsdecode(name)}/x"
    address = "file://" + urllib.parse.quote(os.fsencode(path))
    escaped = re.sub(r"([^\w/.-])", r"\\\1", path, flags=re.ASCII)
    for written in (address, f"'{address}'", address.replace("file://", "File:"), shlex.quote(path), f" {escaped} "):
        assert os.fsencode(typed_path(written)) == os.fsencode(path), written


def test_a_file_that_is_there_is_meant_whatever_its_name_would_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("'quoted'", "back\\slash", " blanks ", "file:", "~"):
        (tmp_path / name).touch()
        assert typed_path(str(tmp_path / name)) == tmp_path / name
        assert typed_path(name).name == name or name == "~"
    (tmp_path / "plain.txt").touch()
    assert typed_path(" plain.txt\n") == Path("plain.txt")


def test_home_is_understood_within_quotes_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for written in ("~/my text.txt", "'~/my text.txt'", r"~/my\ text.txt"):
        assert typed_path(written) == Path("/home/somebody/my text.txt")
