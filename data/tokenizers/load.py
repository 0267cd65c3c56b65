"""Loading a tokenizer from its folder: one of ours, or any that Hugging Face's libraries know.

Nothing in these files is trusted: their sizes, types and ids are checked before a library sees them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..storage.plain_files import open_plain
from ..storage.printable import printable
from .bpe import BpeTokenizer
from .bytes import ByteTokenizer
from .characters import CharTokenizer
from .chat_templates import FILE as CHAT_TEMPLATE
from .chat_templates import chat_templates, further_files
from .foreign import ForeignTokenizer
from .foreign_added_tokens import role_names
from .foreign_files import content_of, end_tokens, roles
from .tokenizer import Tokenizer, TokenizerError
from .tokenizer_json import adds_no_tokens

MAX_FILE_SIZE = 1 << 26  # bytes; twice the largest published tokenizer.json
_NAMES = (  # the files of a tokenizer
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    CHAT_TEMPLATE,
)
_MODEL_NAMES = ("generation_config.json", "config.json")  # these name the end-of-text tokens
_LONGEST = 500  # characters of a sentence about what is wrong
TOKENIZER_FILES = (*_NAMES, *_MODEL_NAMES)
"""The files of a model's folder that `load_tokenizer` reads where they are there."""


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer in `folder`: its tokenizer.json, or the older vocab.json with merges.txt.

    Raises TokenizerError, in one sentence, where that is missing, damaged or impossible.
    """
    files = {name: content for name in _NAMES if (content := _read(folder / name)) is not None}
    if "tokenizer.json" not in files and not {"vocab.json", "merges.txt"} <= files.keys():
        if (folder / "tokenizer.model").is_file():
            raise TokenizerError(
                f"{folder} has its tokenizer as a tokenizer.model alone, which is not read here; make a tokenizer.json "
                "of it with transformers' AutoTokenizer: from_pretrained, then save_pretrained into the same folder"
            )
        raise TokenizerError(f"{folder / 'tokenizer.json'} cannot be read: No such file; choose a model's whole folder")
    files |= dict(further_files(folder))
    documents = {name: _json(folder / name, content) for name, content in files.items() if name.endswith(".json")}
    models = [_json(folder / name, _read(folder / name) or b"{}") for name in _MODEL_NAMES]
    settings = documents.get("tokenizer_config.json", {})
    try:
        known = dict(zip(_MODEL_NAMES, models, strict=True)) | documents
        content = content_of(known, files.get("merges.txt", b""))
        ends = end_tokens(content, [*models, settings])
        own = None
        if adds_no_tokens(content):
            own = (
                CharTokenizer.recognise(content, settings)
                or ByteTokenizer.recognise(content)
                or BpeTokenizer.recognise(content, ends)
            )
        tokenizer = own or ForeignTokenizer(content, ends, files)
        named = documents.get("special_tokens_map.json", {})
        tokenizer.splits_special_tokens = settings.get("split_special_tokens") is True
        tokenizer.roles = roles(content, [*reversed(models), settings, named])
        tokenizer.role_names = role_names(known)
        tokenizer.chat_templates = chat_templates(settings, files)
        return tokenizer
    except TokenizerError as error:
        raise TokenizerError(f"the tokenizer in {folder} cannot be used: {printable(str(error), _LONGEST)}") from error


def _read(path: Path) -> bytes | None:
    """The whole file, None where there is none. Raises TokenizerError."""
    try:
        with open_plain(path) as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokenizerError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_FILE_SIZE:
        raise TokenizerError(f"{path} is larger than {MAX_FILE_SIZE >> 20} MB; no tokenizer is, use another folder")
    return content


def _json(path: Path, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{path} is damaged: it is not JSON; copy the model again") from error
    if not isinstance(document, dict):
        raise TokenizerError(f"{path} is damaged: it is not a JSON object; copy the model again")
    return document
