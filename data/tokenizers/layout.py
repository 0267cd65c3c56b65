"""The skeleton of a `tokenizer.json`, and the characters that stand for bytes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary (GPT-2, encoder.py: bytes_to_unicode)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def document(
    model: dict[str, Any], pre_tokenizer: Any, decoder: Any, special_tokens: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """A whole `tokenizer.json`: nothing is cut off, filled up, normalised or added around a text."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": token, "content": name} | flags for name, token in (special_tokens or {}).items()],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def bpe_model(vocabulary: dict[str, int], merges: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The part `model` for byte-pair encoding; without merges it splits a text into characters."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": vocabulary,
        "merges": [list(pair) for pair in merges],
    }


def essence(content: Any) -> list[Any]:
    """What decides the ids of a tokenizer without post-processing: other libraries add or reorder fields when they
    write a file again. Raises KeyError, TypeError or AttributeError where the form is not that of a tokenizer.
    """  # fmt: skip
    model = content["model"]
    pattern = [_part(content["pre_tokenizer"]), _part(content["decoder"])]
    added = [[token["id"], token["content"], token["special"]] for token in content["added_tokens"]]
    return [
        content["normalizer"], added, pattern, model["type"], model.get("merges"), model["vocab"],
        model.get("unk_token"), model.get("ignore_merges") or False,
    ]  # fmt: skip


def _part(part: Any) -> Any:
    """One step of a pipeline without the fields that decide offsets alone."""
    return part and {name: value for name, value in part.items() if name not in ("trim_offsets", "invert")}
