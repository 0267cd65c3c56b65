"""Whether safetensors files are as long as they say, without reading their weights. Light.

A file is the length of its header in eight bytes, the header in JSON, and the bytes of the tensors:
https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..config import ConfigError
from .foreign_folder import file_within, read_json

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_LARGEST_HEADER = 100_000_000  # bytes, as the format has it


def check_weight_files(folder: Path) -> None:
    """Raise ConfigError, in one sentence, where a file of weights in a model's folder is missing or not whole."""
    if (folder / WHOLE).exists() or not (folder / INDEX).exists():
        names = {WHOLE}
    else:
        placed = read_json(folder / INDEX).get("weight_map")
        names = set(placed.values()) if isinstance(placed, dict) else set()
        if not names or not all(isinstance(name, str) for name in names):
            raise ConfigError(f"{folder / INDEX} is damaged (it names no files); use another model")
    for name in sorted(names):
        path = file_within(folder, name)
        try:
            there, needed = path.stat().st_size, _length(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ConfigError(f"{path} is damaged (its header cannot be read); use another model") from None
        if there != needed:
            raise ConfigError(
                f"{path} is damaged or incomplete (it has {there:,} bytes and needs {needed:,}); use another model"
            )


def _length(path: Path) -> int:
    """How many bytes a whole file has. Raises ValueError, TypeError or KeyError where it is none of the format."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size <= _LARGEST_HEADER:
            raise ValueError(size)
        header = json.loads(file.read(size))
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    return 8 + size + max(int(entry["data_offsets"][1]) for entry in tensors)
