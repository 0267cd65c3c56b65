"""What a GGUF file says of a foreign model itself: its name and the parts of it, its model card, its sampling values.

The keys are those of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#general-metadata, without "general.".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...data.storage.plain_files import open_plain
from ...models.config import ConfigError
from ...models.interop.foreign_folder import file_within, read_json
from ...models.interop.gguf import name_parts
from ..model_files import ModelFile

Said = dict[str, str | int | float | list[str]]

CARD = "README.md"
SAMPLING = {"temperature": "temp", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
            "repetition_penalty": "penalty_repeat"}  # fmt: skip
"""Values of generation_config.json that have a key."""
_CARD_KEYS = {"license": "license", "license_name": "license.name", "license_link": "license.link"}
_CARD_LISTS = {"language": "languages", "tags": "tags"}
_MAX_HEAD = 1 << 16  # bytes at the beginning of a model card
_MAX_LENGTH, _MAX_ENTRIES = 300, 100
_LINE = re.compile(r"([A-Za-z_]+):[ \t]*(.*)")


def general_fields(file: ModelFile, parameters: int) -> Said:
    """The name of any model; of a Hugging Face folder also what its name, card and generation_config.json say."""
    if file.kind != "huggingface":
        return {"name": file.name}
    return name_parts(file.name, parameters) | _of_card(_head_of_card(file.path)) | _of_sampling(file.path)


def _head_of_card(folder: Path) -> str:
    """The lines between two --- at the beginning of the model card; nothing where there are none."""
    if not os.path.lexists(folder / CARD):
        return ""
    try:
        with open_plain(file_within(folder, CARD)) as file:
            text = file.read(_MAX_HEAD).decode("utf-8", "replace")
    except (OSError, ConfigError):  # a card is no part of the model
        return ""
    head = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)\n---", text, re.DOTALL)
    return head[1] if head else ""


def _of_card(head: str) -> Said:
    """License, languages and tags: single values, and lists in either of YAML's forms."""
    values: dict[str, list[str]] = {}
    entries: list[str] = []
    for line in head.splitlines():
        if found := _LINE.fullmatch(line):
            text = found[2].strip()
            entries = values.setdefault(found[1], [])
            entries += text[1:-1].split(",") if text[:1] == "[" and text[-1:] == "]" else [text]
        elif line.lstrip().startswith("- "):
            entries.append(line.lstrip()[2:])
    known = {name: list(_plain(texts)) for name, texts in values.items()}
    single: Said = {key: known[name][0] for name, key in _CARD_KEYS.items() if known.get(name)}
    return single | {key: known[name] for name, key in _CARD_LISTS.items() if known.get(name)}


def _plain(texts: Iterable[str]) -> Iterable[str]:
    """The values without quotes; what is empty, absurdly long or no plain text is left out."""
    stripped = [text.strip().strip("\"'") for text in texts]
    return [text for text in stripped if text and len(text) <= _MAX_LENGTH and text.isprintable()][:_MAX_ENTRIES]


def _of_sampling(folder: Path) -> Said:
    """The values that generation_config.json samples with, as far as they are numbers."""
    values = sampling_values(folder)
    if values.get("do_sample") is False:
        return {}
    known = {key: values[name] for name, key in SAMPLING.items() if _is_number(values.get(name))}
    return {f"sampling.{key}": int(value) if key == "top_k" else float(value) for key, value in known.items()}


def sampling_values(folder: Path) -> Mapping[str, Any]:
    """generation_config.json, empty where there is none. Raises ConfigError where it is damaged."""
    path = folder / "generation_config.json"
    return read_json(path) if path.is_file() else {}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1 << 31
