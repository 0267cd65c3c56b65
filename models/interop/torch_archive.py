"""A file that torch.save wrote: what its pickle describes, and the byte offsets of its tensors. Light.

The file is a zip archive: ROOT/data.pkl describes the saved object, in which each tensor names a storage, whose bytes
lie uncompressed in ROOT/data/NUMBER. The description is read by `inert_pickle`, so nothing of it is executed.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ...data.storage.errors import UserError
from ...data.storage.plain_files import open_plain
from ...data.storage.printable import printable
from .inert_pickle import MAX_SIZE, Call, Global, Persistent, read_pickle

DTYPES = {
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "DoubleStorage": "float64",
}
ITEM_SIZES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}

_TENSOR, _PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
_CALLS = (_TENSOR, _PARAMETER, "torch.device", "torch.Size")
_NAMED = 6  # entries or keys that a message names


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is stored: `start` bytes into the file, in a storage of `n_items` elements of type `dtype`."""

    start: int
    n_items: int
    dtype: str
    offset: int  # of the tensor in its storage, in elements
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[TorchArchive]:
    """The archive at `path`. Raises UserError where it is missing, damaged or something else, also while it is open."""
    try:
        with open_plain(path) as file, _zip(file, path) as archive:
            yield TorchArchive(path, file, archive)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError) as error:
        reason = printable(str(error)) or type(error).__name__
        raise UserError(f"{path} is a damaged or incomplete archive ({reason}); copy it again") from None


def _zip(file: BinaryIO, path: Path) -> zipfile.ZipFile:
    start = file.read(4)
    if start[:1] == b"\x80":
        raise UserError(
            f"{path} is a bare pickle, as torch wrote it before version 1.6; only a program that may run what is in it "
            "can open it: load and save it again with nanoGPT and a newer torch"
        )
    if start != b"PK\x03\x04":
        raise UserError(f"{path} is no archive of torch's; choose a checkpoint that nanoGPT wrote")
    return zipfile.ZipFile(file)


class TorchArchive:
    """An open archive; its entries are stored, not compressed."""

    def __init__(self, path: Path, file: BinaryIO, archive: zipfile.ZipFile) -> None:
        self._path, self._file = path, file
        self.size = file.seek(0, os.SEEK_END)
        self._entries = {entry.filename: entry for entry in archive.infolist()}
        roots = [name.split("/")[0] for name in self._entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise UserError(f"{path} is an archive that torch did not save; {listed('it holds', self._entries)}")
        (self._root,) = roots

    def description(self) -> Any:
        """The content of data.pkl. Raises UserError."""
        if f"{self._root}/constants.pkl" in self._entries:
            raise UserError(f"{self._path} is a TorchScript program; choose a checkpoint that nanoGPT wrote")
        order = self._read("byteorder") if f"{self._root}/byteorder" in self._entries else b"little"
        if order != b"little":
            raise UserError(f"{self._path} was written on a machine with another byte order; save it again on this")
        return read_pickle(self._read("data.pkl"), self._path, _CALLS)

    def tensor(self, name: str, value: Any) -> StoredTensor:
        """Where the tensor `name`, which `value` describes, is stored.

        Raises UserError where it is no tensor of weights, or exceeds its storage.
        """
        if isinstance(value, Call) and value.function == _PARAMETER:
            value = value.arguments[0] if value.arguments else None
        match value:
            case Call(
                function=str(function), arguments=(Persistent(id=found), int(offset), tuple(shape), tuple(stride), *_)
            ):
                pass
            case _:
                raise UserError(
                    f"{self._path} holds something else than a tensor as {printable(name)}; use another one"
                )
        match found:
            case ("storage", Global(module="torch", name=storage), str(key), str(), *_) if storage in DTYPES:
                dtype = DTYPES[storage]
            case _:
                raise UserError(f"{self._path} holds {printable(name)} in a type that no weights have; use another one")
        start, size = self._place(f"data/{key}")
        n_items = size // ITEM_SIZES[dtype]
        numbers = (offset, *shape, *stride)
        sane = all(type(number) is int and 0 <= number < 1 << 62 for number in numbers)
        if sane and function == _TENSOR and len(shape) == len(stride):
            last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
            if 0 < math.prod(shape) <= n_items and last < n_items:
                return StoredTensor(start, n_items, dtype, offset, shape, stride)
        raise UserError(f"{self._path} describes {printable(name)} as larger than what it holds of it; use another one")

    def number(self, tensor: StoredTensor) -> float | None:
        """The value of a scalar tensor; None for a type in which nanoGPT does not store its loss."""
        code = {"float32": "<f", "float64": "<d"}.get(tensor.dtype)
        if code is None or tensor.shape:
            return None
        size = struct.calcsize(code)
        return struct.unpack(code, self._read_bytes(tensor.start + tensor.offset * size, size))[0]

    def _place(self, name: str) -> tuple[int, int]:
        """The offset of an entry in the file, and its size in bytes."""
        name = f"{self._root}/{name}"
        if name not in self._entries:
            raise UserError(f"{self._path} lacks its part {printable(name)}; copy it again")
        entry = self._entries[name]
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
            raise UserError(f"{self._path} was compressed or encrypted afterwards; use the file that torch wrote")
        self._file.seek(entry.header_offset)
        header = self._file.read(30)  # the fixed part of a local header; its last two numbers are lengths
        lengths = struct.unpack("<HH", header[26:]) if len(header) == 30 and header[:4] == b"PK\x03\x04" else None
        if lengths is None or (start := entry.header_offset + 30 + sum(lengths)) + entry.file_size > self.size:
            raise UserError(f"{self._path} is incomplete ({printable(name)} is cut off); copy it again")
        return start, entry.file_size

    def _read_bytes(self, start: int, size: int) -> bytes:
        """Some bytes of the file."""
        self._file.seek(start)
        return self._file.read(size)

    def _read(self, name: str) -> bytes:
        start, size = self._place(name)
        if size > MAX_SIZE:
            raise UserError(f"{self._path} has a description of {size:,} bytes, which is absurd; use another file")
        return self._read_bytes(start, size)


def listed(lead: str, names: Collection[str]) -> str:
    """`lead` and the first of the foreign `names`, for the end of a sentence."""
    some = [printable(name, 40) for name in list(names)[:_NAMED]]
    more = f" and {len(names) - len(some):,} more" if len(names) > len(some) else ""
    return f"{lead} {', '.join(some)}{more}" if some else "it is empty"
