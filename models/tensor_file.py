"""Named tensors in one safetensors file: written without numpy (which users need not have), checked when read.

The package's own `save_file` goes through numpy and its lower-level writers changed between versions, while the format
is a length, a JSON header and the bytes: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..data.storage.errors import UserError
from ..data.storage.printable import printable

DTYPE_NAMES = {
    torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float64: "F64", torch.uint8: "U8",
    torch.int8: "I8", torch.int16: "I16", torch.int32: "I32", torch.int64: "I64", torch.bool: "BOOL",
}  # fmt: skip


class CheckpointError(UserError):
    """A checkpoint cannot be read; one sentence with the file, what was found and what to do."""


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    content: Callable[[str], Tensor] | None = None,
) -> None:
    """Write `tensors` to `path`, as they are and in this order. Raises OSError where the disk does not take them.

    With `content`, which is asked for one tensor after the other, `tensors` need only tell shapes and types.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data starts at a multiple of 8 bytes
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, tensor in tensors.items():
            stored = (content(name) if content else tensor).detach().to("cpu").contiguous()
            if stored.nbytes:
                file.write((ctypes.c_char * stored.nbytes).from_address(stored.data_ptr()))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file, mapped into memory and not yet read, and its metadata.

    Raises CheckpointError for a file that is missing, truncated, or not what its header says.
    """
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path} is no plain file; put one there")
    try:
        with _in_utf_8(path) as name, safe_open(name, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; choose a checkpoint folder that has it") from None
    except (SafetensorError, OSError, ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointError(
            f"{path} is damaged or incomplete ({_reason(error)}); use another checkpoint or train again"
        ) from None


@contextlib.contextmanager
def _in_utf_8(path: Path) -> Iterator[Path]:
    """A path of the same file that is UTF-8, as safetensors demands; on Linux a name may be any bytes."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(prefix="minigpt-") as folder:
            link = Path(folder) / "model.safetensors"
            link.symlink_to(path.absolute())
            yield link
    else:
        yield path


def _reason(error: Exception) -> str:
    """The first line of a foreign message, short and printable."""
    line = (str(error).splitlines() or [""])[0].removeprefix("Error while deserializing header: ")
    return printable(line, 120) or type(error).__name__
