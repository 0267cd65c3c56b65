"""A GGUF file for llama.cpp, written tensor after tensor.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The gguf package and numpy are an optional extra
that only this module needs, so they are imported when a file is written.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from torch import Size, Tensor

from ...data.storage.errors import UserError
from ..config import ModelConfig, parameter_count
from .gguf_layouts import Part, architecture, metadata, parts, positions

if TYPE_CHECKING:
    import gguf

GgufType = Literal["f32", "f16", "bf16", "q8_0"]
GGUF_TYPES: tuple[GgufType, ...] = get_args(GgufType)
FILE_TYPES: dict[GgufType, str] = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer in llama.cpp's terms: byte-level BPE, tokenizer.ggml.model "gpt2".

    `tokens` are those of the model's rows, then those that are added for the file. `types` are llama.cpp's: 1 normal,
    2 unknown, 3 control, 4 user-defined, 5 unused. A merge is its two parts with a space between, in the order of
    their ranks. `suppressed` tokens are never sampled.
    """

    pattern: str  # tokenizer.ggml.pre: the name of the pattern that cuts a text into words
    tokens: Sequence[str]
    types: Sequence[int]
    merges: Sequence[str]
    begin: int
    end: int
    adds_begin: bool = False
    unknown: int | None = None
    suppressed: Sequence[int] = ()
    padding: int | None = None
    turn_end: int | None = None  # a second token that ends a reply: llama.cpp's eot
    message_end: int | None = None  # a third one: llama.cpp's eom
    chat_templates: Mapping[str, str] = field(default_factory=dict)  # by names; "default" is the one that counts


@dataclass(frozen=True)
class GgufSummary:
    """What a GGUF file holds; `notices` are sentences for the user."""

    architecture: str
    parameters: int
    notices: tuple[str, ...]


def require_gguf() -> None:
    """Raise UserError with the command that helps where a package is missing."""
    for package in ("numpy", "gguf"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"writing GGUF needs the package {package}, which is not installed; install it with: "
                "pip install 'minigpt-tui[gguf]'"
            )


def name_parts(name: str, parameters: int) -> dict[str, Any]:
    """A published model's name, organization, basename, finetune and version, as the gguf package splits a name."""
    import gguf

    whole, *parts, _ = gguf.Metadata.get_model_id_components(name, parameters)
    named = zip(("organization", "basename", "finetune", "version"), parts, strict=True)
    return {"name": whole or name} | {key: part for key, part in named if part}


def write_gguf(
    path: Path,
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    vocabulary: Vocabulary,
    *,
    general: Mapping[str, str | int | float | list[str]],
    dtype: GgufType,
    progress: Callable[[float], None] = lambda fraction: None,
) -> GgufSummary:
    """Write the model with these parameters (by our names, on the CPU) to `path`, and check the size of the file.

    `general` is what the file says of the model itself, such as its name.
    Matrices get `dtype`; norms, biases and position tables stay float32. Making the file appear atomically is the
    caller's task. Raises UserError where a package is missing or a weight does not fit the type, NoCounterpart for a
    block that llama.cpp does not have, OSError where the disk does not take the file.
    """
    require_gguf()
    import gguf

    layout: list[tuple[Part, GgufType]] = [
        (part, _type_of(part, dtype)) for part in parts(config, weights, len(vocabulary.tokens) - config.vocab_size)
    ]
    writer = gguf.GGUFWriter(path, architecture(config))
    for key, value in _keys(config, vocabulary, general, dtype).items():
        _add(writer, key, value)
    for part, kind in layout:
        _declare(writer, part, kind)
    whole, done = sum(_elements(part) for part, _ in layout), 0
    with contextlib.closing(writer):
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        expected = _padded(path.stat().st_size)
        for part, kind in layout:
            data = _stored(part, kind)
            writer.write_tensor_data(data)
            expected += _padded(data.nbytes)
            done += _elements(part)
            progress(done / whole)
    if (found := path.stat().st_size) != expected:
        raise UserError(f"the file has {found:,} bytes instead of {expected:,}; is the disk sound?")
    return GgufSummary(architecture(config), whole, tuple(_notices(config, layout, dtype)))


def _keys(config: ModelConfig, vocabulary: Vocabulary, said: Mapping[str, Any], dtype: GgufType) -> dict[str, Any]:
    """All metadata except the architecture, which the writer adds."""
    import gguf

    general: dict[str, Any] = {**said} | {
        "type": "model", "size_label": gguf.size_label(parameter_count(config), 0, 0, 0),
        "file_type": int(gguf.LlamaFileType[FILE_TYPES[dtype]]), "quantization_version": gguf.GGML_QUANT_VERSION,
    }  # fmt: skip
    tokenizer: dict[str, Any] = {
        "model": "gpt2", "pre": vocabulary.pattern, "tokens": vocabulary.tokens, "token_type": vocabulary.types,
        "merges": vocabulary.merges, "bos_token_id": vocabulary.begin, "eos_token_id": vocabulary.end,
        "add_bos_token": vocabulary.adds_begin, "add_eos_token": False,
    }  # fmt: skip
    if vocabulary.unknown is not None:
        tokenizer["unknown_token_id"] = vocabulary.unknown
    if vocabulary.padding is not None:
        tokenizer["padding_token_id"] = vocabulary.padding
    if vocabulary.turn_end is not None:
        tokenizer["eot_token_id"] = vocabulary.turn_end
    if vocabulary.message_end is not None:
        tokenizer["eom_token_id"] = vocabulary.message_end
    if vocabulary.suppressed:
        tokenizer["suppress_tokens"] = vocabulary.suppressed
    model = metadata(config) | {"vocab_size": len(vocabulary.tokens)}
    keys = {
        f"{group}.{key}": value
        for group, keys in (("general", general), (architecture(config), model), ("tokenizer.ggml", tokenizer))
        for key, value in keys.items()
    }
    return keys | _templates(vocabulary.chat_templates)


def _templates(templates: Mapping[str, str]) -> dict[str, Any]:
    """The keys of the chat templates: the default one, and each other by its name."""
    letters = {re.sub(r"[^A-Za-z0-9]", "_", name): text for name, text in templates.items() if name}
    default = letters.pop("default", None)
    keys: dict[str, Any] = {f"tokenizer.chat_template.{name}": text for name, text in letters.items()}
    if letters:
        keys["tokenizer.chat_templates"] = sorted(letters)
    return keys | ({"tokenizer.chat_template": default} if default is not None else {})


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    """One piece of metadata, in the type that llama.cpp reads it as."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, list(value))


def _type_of(part: Part, dtype: GgufType) -> GgufType:
    """How a tensor is stored: q8_0 has blocks of 32 within a row."""
    if part.exact:
        return "f32"
    return "f16" if dtype == "q8_0" and part.shape[-1] % 32 else dtype


def _elements(part: Part) -> int:
    return Size(part.shape).numel()


def _declare(writer: gguf.GGUFWriter, part: Part, kind: GgufType) -> None:
    """Declare a tensor in the header of the file."""
    import gguf
    import numpy as np

    number = gguf.GGMLQuantizationType[kind.upper()]
    block, block_bytes = gguf.GGML_QUANT_SIZES[number]
    writer.add_tensor_info(part.name, part.shape, np.dtype(np.float32), _elements(part) // block * block_bytes, number)


def _stored(part: Part, kind: GgufType) -> Any:
    """The numpy array that is written. Raises UserError for a weight that the type cannot represent."""
    import gguf
    import numpy as np
    from gguf import quants

    values = part.read().float().contiguous().numpy()
    if not np.isfinite(values).all():
        raise UserError(f"{part.name} holds NaN or infinity: the training diverged; export an earlier checkpoint")
    if kind in ("f16", "q8_0") and np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        raise UserError(f"{part.name} holds values that {kind} cannot; choose --dtype bf16 or f32")
    return quants.quantize(values, gguf.GGMLQuantizationType[kind.upper()])


def _padded(n_bytes: int) -> int:
    """The number of bytes with the padding up to the next tensor."""
    import gguf

    return gguf.GGUFWriter.ggml_pad(n_bytes, gguf.GGUF_DEFAULT_ALIGNMENT)


def _notices(config: ModelConfig, layout: Sequence[tuple[Part, GgufType]], dtype: GgufType) -> Iterator[str]:
    if config.mlp == "gelu":  # the largest difference is 0.00047, at 2.70
        yield (
            "llama.cpp has GELU in its tanh form only, which differs from the exact GELU of this model by up to 0.0005 "
            "at each activation"
        )
    if config.position == "learned" and (room := positions(config)) > config.context_length:
        yield (
            f"llama.cpp makes room for {room} tokens, so the last of the {config.context_length} learned positions is "
            f"repeated; keep prompt and reply together within {config.context_length} tokens"
        )
    if dtype == "q8_0":
        halves = [part.name for part, kind in layout if kind == "f16"]
        if halves:
            more = f" and {len(halves) - 4} more" if len(halves) > 4 else ""
            yield f"rows that are no multiple of 32 cannot be q8_0 and are f16: {', '.join(halves[:4])}{more}"
