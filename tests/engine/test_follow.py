from __future__ import annotations

import os
from pathlib import Path

import pytest
from minigpt_tui.engine.follow import LineFollower


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_hands_out_each_line_once(path: Path) -> None:
    follower = LineFollower(path)
    append(path, b"one\ntwo\n")
    assert follower.read() == [b"one", b"two"]
    assert follower.read() == []
    append(path, b"three\n\n \nfour\n")
    assert follower.read() == [b"three", b"four"]


def test_waits_for_the_file_and_for_the_rest_of_a_torn_line(path: Path) -> None:
    follower = LineFollower(path)
    assert follower.read() == []
    for piece in (b'{"a"', b":", b"1}"):
        append(path, piece)
        assert follower.read() == []
    append(path, b"\n{")
    assert follower.read() == [b'{"a":1}']
    append(path, b"}\n")
    assert follower.read() == [b"{}"]


def test_a_character_torn_in_the_middle_survives(path: Path) -> None:
    follower, line = LineFollower(path), "é🙂".encode()
    lines = []
    for i in range(len(line)):
        append(path, line[i : i + 1])
        lines += follower.read()
    append(path, b"\n")
    assert lines + follower.read() == [line]


def test_a_shrunken_file_is_read_anew_and_the_torn_line_of_the_old_one_is_forgotten(path: Path) -> None:
    follower = LineFollower(path)
    append(path, b"one\ntwo\ntor")
    assert follower.read() == [b"one", b"two"]
    path.write_bytes(b"new\n")
    assert follower.read() == [b"new"]
    os.truncate(path, 0)
    assert follower.read() == []
    append(path, b"x\n")
    assert follower.read() == [b"x"]


def test_a_file_that_vanishes_is_waited_for(path: Path) -> None:
    follower = LineFollower(path)
    append(path, b"one\n")
    assert follower.read() == [b"one"]
    path.unlink()
    assert follower.read() == []


def test_a_large_file_comes_in_pieces_without_loss(path: Path) -> None:
    lines = [b"line %d" % i for i in range(1000)]
    append(path, b"\n".join(lines) + b"\n")
    follower, seen = LineFollower(path), []
    while piece := follower.read(limit=100):
        assert len(piece) < 20
        seen += piece
    assert seen == lines


def test_begins_where_it_is_told(path: Path) -> None:
    append(path, b"one\ntwo\n")
    assert LineFollower(path, offset=4).read() == [b"two"]
