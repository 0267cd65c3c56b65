"""The content of a `tokenizer.json`: the document, its BPE model, and the characters that stand for bytes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary (GPT-2, encoder.py: bytes_to_unicode)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


_BYTES = {character: byte for byte, character in enumerate(byte_characters())}


def bytes_of(spelled: str) -> bytes:
    """The bytes of a token of a byte-level vocabulary. Raises KeyError for a character that stands for no byte."""
    return bytes(map(_BYTES.__getitem__, spelled))


def document(
    model: dict[str, Any], pre_tokenizer: Any, decoder: Any, special_tokens: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """A whole `tokenizer.json` without truncation, padding, normalizer and post-processor."""
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
    """The field `model` for byte-pair encoding; without merges it splits a text into characters."""
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


def same_ids(content: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether a `tokenizer.json` gives the same ids as `own`, one that we write.

    The files may differ: other libraries add or reorder fields when they save a tokenizer.
    """
    try:
        return _what_decides_ids(content) == _what_decides_ids(own)
    except (KeyError, TypeError, AttributeError):
        return False


def _what_decides_ids(content: Mapping[str, Any]) -> list[Any]:
    model = content["model"]
    steps = [_step(content[name]) for name in ("normalizer", "pre_tokenizer", "decoder")]
    added = [[token["id"], token["content"], token["special"]] for token in content["added_tokens"]]
    names = ("merges", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "dropout")
    return [steps, added, model["type"], model["vocab"], [model.get(name) or None for name in names]]


def _step(step: Any) -> Any:
    """One step of the pipeline without the fields that only affect offsets."""
    return step and {name: value for name, value in step.items() if name not in ("trim_offsets", "invert")}


def adds_no_tokens(content: Mapping[str, Any]) -> bool:
    """Whether no special tokens are added before or after a text."""
    step = content.get("post_processor")
    if not isinstance(step, dict):
        return step is None
    whole_text = [{"Sequence": {"id": "A", "type_id": 0}}]
    return step.get("type") == "ByteLevel" or (
        step.get("type") == "TemplateProcessing" and step.get("single") == whole_text
    )
