"""A tensor file is what safetensors reads; one that lies about itself is refused before memory is taken."""

import contextlib
import json
import os
import struct
import sys
from pathlib import Path

import pytest
import torch
from minigpt_tui.models.tensor_file import DTYPE_NAMES, CheckpointError, load_tensors, save_tensors

F32 = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_tensors(path)
    message = str(caught.value)
    assert message.isprintable()
    assert "x.safetensors is damaged or incomplete" in message
    return message


def with_header(header: bytes, data: int = 16) -> bytes:
    return len(header).to_bytes(8, "little") + header + b"\0" * data


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**63 - 1, 2**40, 10**8 + 1, 500, 0])
def test_a_header_that_is_longer_than_the_file_is_refused(length, tmp_path):
    content = with_header(json.dumps({"a": F32}).encode())
    refused(tmp_path / "x.safetensors", length.to_bytes(8, "little") + content[8:])


@pytest.mark.parametrize(
    "header",
    [
        {"a": F32, "b": F32},
        {"a": F32, "b": F32 | {"data_offsets": [8, 24]}},
        {"a": F32 | {"data_offsets": [16, 32]}},
        {"a": F32 | {"data_offsets": [16, 0]}},
        {"a": F32 | {"data_offsets": [0, 2**63]}},
        {"a": F32 | {"data_offsets": [-16, 0]}},
        {"a": F32 | {"data_offsets": [0, 8]}},
        {"a": F32 | {"data_offsets": [0]}},
        {"a": F32 | {"data_offsets": [0, 16.0]}},
        {"a": F32 | {"shape": [float("nan")]}},
        {"a": F32 | {"shape": [float("inf")]}},
        {"a": F32 | {"shape": [-4]}},
        {"a": F32 | {"shape": [2**62, 8]}},
        {"a": F32 | {"shape": [2**63, 2]}},
        {"a": F32 | {"shape": ["4"]}},
        {"a": F32 | {"shape": [5]}},
        {"a": F32 | {"dtype": "__import__"}},
        {"a": F32 | {"dtype": None}},
        {"a": None},
        {"a": F32, "__metadata__": 3},
        {"a": F32, "__metadata__": {"step": 3}},
        {},
        [],
        None,
    ],
)
def test_a_header_that_lies_is_refused(header, tmp_path):
    refused(tmp_path / "x.safetensors", with_header(json.dumps(header).encode()))


def test_a_name_that_stands_there_twice_is_refused(tmp_path):
    entry = json.dumps(F32)
    second = json.dumps(F32 | {"data_offsets": [16, 32]})
    refused(tmp_path / "x.safetensors", with_header(f'{{"a":{entry},"a":{second}}}'.encode(), 32))


@pytest.mark.parametrize("change", [-1, 1, -16, 1000])
def test_a_file_of_another_length_is_refused(change, tmp_path):
    refused(tmp_path / "x.safetensors", with_header(json.dumps({"a": F32}).encode(), 16 + change))


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "C64", "U16", "U32", "U64"])
def test_a_type_that_torch_lacks_is_refused_or_read(dtype, tmp_path):
    header = json.dumps({"a": F32 | {"dtype": dtype, "shape": [4]}}).encode()
    for data in (2, 3, 4, 8, 16, 32):
        entry = header.replace(b"[0, 16]", f"[0, {data}]".encode())
        (tmp_path / "x.safetensors").write_bytes(with_header(entry, data))
        with contextlib.suppress(CheckpointError):
            assert load_tensors(tmp_path / "x.safetensors")[0]["a"].nbytes <= data


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a mapped file may not be written to")
def test_nothing_is_read_before_it_is_used(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {f"t{i}": torch.zeros(1 << 20) for i in range(8)}, {})
    tensors, _ = load_tensors(path)
    with path.open("r+b") as file:
        file.seek(-4, 2)
        file.write(struct.pack("<f", 7.0))
    assert tensors["t7"][-1] == 7.0


@pytest.mark.parametrize("dtype", DTYPE_NAMES)
def test_every_type_survives(dtype, tmp_path):
    tensor = torch.arange(6).view(2, 3).to(dtype)
    save_tensors(tmp_path / "x.safetensors", {"a": tensor}, {"note": "é"})
    tensors, metadata = load_tensors(tmp_path / "x.safetensors")
    assert torch.equal(tensors["a"], tensor)
    assert tensors["a"].dtype == dtype
    assert metadata == {"note": "é"}


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_a_name_may_be_any_bytes(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"h\xe9me \xff")
    folder.mkdir()
    save_tensors(folder / "model.safetensors", {"w": torch.arange(3.0)}, {"step": "1"})
    tensors, metadata = load_tensors(folder / "model.safetensors")
    assert (tensors["w"].tolist(), metadata) == ([0.0, 1.0, 2.0], {"step": "1"})
