"""What lies in nanoGPT's `ckpt.pt`, and in the `meta.pkl` of its character data sets. Light: no torch here.

torch.save writes a zip archive: ROOT/data.pkl describes the saved object, in which each tensor names a storage, whose
bytes lie uncompressed in ROOT/data/NUMBER. The description is read by `inert_pickle`, so nothing of it is executed.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ...data.storage.errors import UserError
from ...data.storage.printable import printable
from ..config import ConfigError, ModelConfig, parameter_count
from .inert_pickle import LARGEST, Call, Global, Persistent, read_pickle

DTYPES = {
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "DoubleStorage": "float64",
}
ITEM_SIZES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}

_TENSOR, _PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
_CALLS = (_TENSOR, _PARAMETER, "torch.device", "torch.Size")
_PREFIXES = re.compile(r"(?:_orig_mod\.|module\.)*")  # what torch.compile and DistributedDataParallel put before a name
_MASK = re.compile(r"transformer\.h\.\d+\.attn\.(?:masked_)?bias")  # a buffer with the causal mask
_SIZES = {"vocab_size": "vocab_size", "block_size": "context_length", "n_layer": "n_layer", "n_head": "n_head",
          "n_embd": "d_model"}  # fmt: skip
_BLOCK = ModelConfig(position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False)
_DATASET = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_NAMED = 6  # keys that a message names
_LARGEST_META = 1 << 23  # bytes: room for every character there is


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's numbers lie: `start` bytes into the file, a storage of `n_items` numbers of type `dtype`."""

    start: int
    n_items: int
    dtype: str
    offset: int  # of the tensor in its storage, in numbers
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class NanoGpt:
    """A checkpoint that nanoGPT's train.py wrote. The validation loss is its estimate, in nats per token."""

    path: Path
    config: ModelConfig
    step: int
    validation_loss: float | None
    dataset: str | None  # the folder in data/ that it learned from
    tensors: Mapping[str, StoredTensor]


def read_nanogpt(path: Path) -> NanoGpt:
    """What the checkpoint holds, without its weights. Raises UserError."""
    try:
        with path.open("rb") as file, _archive(file, path) as archive:
            entries = _Entries(path, file, archive)
            content = entries.description()
            return _checkpoint(path, entries, content)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError) as error:
        reason = printable(str(error)) or type(error).__name__
        raise UserError(f"{path} is a damaged or incomplete archive ({reason}); copy it again") from None


def find_meta(checkpoint: NanoGpt) -> Path | None:
    """The meta.pkl with the characters of a checkpoint: beside it, or where nanoGPT keeps the data it learned from."""
    folder = checkpoint.path.absolute().parent
    places = [folder / "meta.pkl"]
    if checkpoint.dataset:
        places += [above / "data" / checkpoint.dataset / "meta.pkl" for above in (folder, *folder.parents)]
    return next((place for place in places if place.is_file()), None)


def read_alphabet(path: Path) -> str:
    """The characters in nanoGPT's meta.pkl, each at the place that is its id. Raises UserError."""
    try:
        if path.stat().st_size > _LARGEST_META:
            raise UserError(f"{path} is too large to be a list of characters; use another one")
        meta = read_pickle(path.read_bytes(), path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    if not isinstance(meta, dict) or not isinstance(meta.get("itos"), dict) or not isinstance(meta.get("stoi"), dict):
        raise UserError(f"{path} lacks itos and stoi, the characters of nanoGPT's data; {_found(meta)}")
    itos: dict[Any, Any] = meta["itos"]
    characters = [itos.get(token) for token in range(len(itos))]
    if not characters or any(not isinstance(character, str) or len(character) != 1 for character in characters):
        raise UserError(f"{path} does not number single characters from 0 on; use the one that nanoGPT prepared")
    agrees = meta["stoi"] == {character: token for token, character in enumerate(characters)}
    if not agrees or meta.get("vocab_size", len(characters)) != len(characters):
        raise UserError(f"{path} contradicts itself (vocab_size, itos and stoi differ); use another one")
    return "".join(map(str, characters))


# --------------------------------------------------------------------------------------------------------- the archive


def _archive(file: BinaryIO, path: Path) -> zipfile.ZipFile:
    start = file.read(4)
    if start[:1] == b"\x80":
        raise UserError(
            f"{path} is a bare pickle, as torch wrote it before version 1.6; only a program that may run what is in it "
            "can open it: load and save it again with nanoGPT and a newer torch"
        )
    if start != b"PK\x03\x04":
        raise UserError(f"{path} is no archive of torch's; choose a checkpoint that nanoGPT wrote")
    return zipfile.ZipFile(file)


class _Entries:
    """The entries of a torch archive, all of them stored as they are."""

    def __init__(self, path: Path, file: BinaryIO, archive: zipfile.ZipFile) -> None:
        self._path, self._file = path, file
        self.size = file.seek(0, os.SEEK_END)
        self._entries = {entry.filename: entry for entry in archive.infolist()}
        roots = [name.split("/")[0] for name in self._entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise UserError(f"{path} is an archive that torch did not save; {_named('it holds', self._entries)}")
        (self._root,) = roots

    def description(self) -> Any:
        """What data.pkl says. Raises UserError."""
        if f"{self._root}/constants.pkl" in self._entries:
            raise UserError(f"{self._path} is a TorchScript program; choose a checkpoint that nanoGPT wrote")
        order = self._read("byteorder") if f"{self._root}/byteorder" in self._entries else b"little"
        if order != b"little":
            raise UserError(f"{self._path} was written on a machine with another byte order; save it again on this")
        return read_pickle(self._read("data.pkl"), self._path, _CALLS)

    def place(self, name: str) -> tuple[int, int]:
        """Where an entry's bytes begin in the file, and how many there are."""
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

    def read(self, start: int, size: int) -> bytes:
        """Some bytes of the file."""
        self._file.seek(start)
        return self._file.read(size)

    def _read(self, name: str) -> bytes:
        start, size = self.place(name)
        if size > LARGEST:
            raise UserError(f"{self._path} has a description of {size:,} bytes, which is absurd; use another file")
        return self.read(start, size)


# ------------------------------------------------------------------------------------------------------ its content


def _checkpoint(path: Path, entries: _Entries, content: Any) -> NanoGpt:
    if not isinstance(content, dict) or not isinstance(content.get("model_args"), dict):
        raise UserError(f"{path} is no checkpoint of nanoGPT's (it has no model_args); {_found(content)}")
    model, settings = content.get("model"), content.get("config")
    if not isinstance(model, dict):
        raise UserError(f"{path} has no weights; {_found(content)}")
    tensors: dict[str, StoredTensor] = {}
    for name, value in model.items():
        if isinstance(name, str) and not _MASK.fullmatch(name := _PREFIXES.sub("", name, count=1)):
            tensors[name] = _tensor(path, entries, name, value)
    if tensors.get("lm_head.weight") == tensors.get("transformer.wte.weight"):
        tensors.pop("lm_head.weight", None)  # one tensor under two names
    config = _config(path, content["model_args"], tensors)
    storages = {tensor.start: tensor for tensor in tensors.values()}.values()
    if sum(tensor.n_items * ITEM_SIZES[tensor.dtype] for tensor in storages) > entries.size:
        raise UserError(f"{path} holds parts that overlap; use the file that torch wrote")
    if parameter_count(config) > sum(tensor.n_items for tensor in storages):
        raise UserError(
            f"{path} has fewer weights than the {parameter_count(config):,} that its model_args ask for; use another "
            "checkpoint"
        )
    dataset = settings.get("dataset") if isinstance(settings, dict) else None
    if not isinstance(dataset, str) or not _DATASET.fullmatch(dataset):
        dataset = None
    step, loss = content.get("iter_num"), content.get("best_val_loss")
    if isinstance(loss, Call):
        loss = _number(entries, _tensor(path, entries, "best_val_loss", loss))
    return NanoGpt(
        path,
        config,
        step if type(step) is int and step >= 0 else 0,
        float(loss) if isinstance(loss, (int, float)) and math.isfinite(loss) else None,
        dataset,
        tensors,
    )


def _config(path: Path, arguments: dict[Any, Any], tensors: Mapping[str, StoredTensor]) -> ModelConfig:
    """The model of nanoGPT's model.py: learned positions, LayerNorm before, exact GELU, a tied head."""
    sizes: dict[str, int] = {}
    for theirs, ours in _SIZES.items():
        value = arguments.get(theirs)
        if type(value) is not int:
            raise UserError(f"{path} does not say its {theirs} in model_args; use another checkpoint")
        sizes[ours] = value
    dropout = arguments.get("dropout", 0.0)
    if not isinstance(dropout, (int, float)):
        raise UserError(f"{path} has a dropout in model_args that is no number; use another checkpoint")
    try:
        if sizes["vocab_size"] < 1:
            raise ConfigError(f"vocab_size is {sizes['vocab_size']}")
        return replace(
            _BLOCK,
            **sizes,
            tied="lm_head.weight" not in tensors,
            bias="transformer.ln_f.bias" in tensors,
            attention_dropout=dropout,
            residual_dropout=dropout,
            embedding_dropout=dropout,
        )
    except ConfigError as error:
        raise UserError(f"{path} describes a model that cannot be built ({error}); use another one") from None


def _tensor(path: Path, entries: _Entries, name: str, value: Any) -> StoredTensor:
    """Where the tensor that `value` describes lies. Raises UserError where it reaches beyond its storage."""
    if isinstance(value, Call) and value.function == _PARAMETER:
        value = value.arguments[0] if value.arguments else None
    match value:
        case Call(
            function=str(function), arguments=(Persistent(id=found), int(offset), tuple(shape), tuple(stride), *_)
        ):
            pass
        case _:
            raise UserError(f"{path} holds something else than a tensor as {printable(name)}; use another one")
    match found:
        case ("storage", Global(module="torch", name=storage), str(key), str(), *_) if storage in DTYPES:
            dtype = DTYPES[storage]
        case _:
            raise UserError(f"{path} holds {printable(name)} in a type that no weights have; use another one")
    start, size = entries.place(f"data/{key}")
    n_items = size // ITEM_SIZES[dtype]
    numbers = (offset, *shape, *stride)
    if function == _TENSOR and len(shape) == len(stride) and all(type(n) is int and 0 <= n < 1 << 62 for n in numbers):
        last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
        if 0 < math.prod(shape) <= n_items and last < n_items:
            return StoredTensor(start, n_items, dtype, offset, shape, stride)
    raise UserError(f"{path} describes {printable(name)} as larger than what it holds of it; use another one")


def _number(entries: _Entries, tensor: StoredTensor) -> float | None:
    """The one number of a tensor without dimensions; None for a type that nanoGPT does not keep its loss in."""
    code = {"float32": "<f", "float64": "<d"}.get(tensor.dtype)
    if code is None or tensor.shape:
        return None
    size = struct.calcsize(code)
    return struct.unpack(code, entries.read(tensor.start + tensor.offset * size, size))[0]


def _found(content: Any) -> str:
    """What a foreign object is, for the end of a sentence."""
    if isinstance(content, dict):
        return _named("its keys are", [key for key in content if isinstance(key, str)])
    kind = content.function if isinstance(content, Call) else type(content).__name__
    return f"it holds a {printable(str(kind))}"


def _named(lead: str, names: Any) -> str:
    some = [printable(name, 40) for name in list(names)[:_NAMED]]
    more = f" and {len(names) - len(some):,} more" if len(names) > len(some) else ""
    return f"{lead} {', '.join(some)}{more}" if some else "it is empty"
