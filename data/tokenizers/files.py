"""A tokenizer read back from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .bytes import ByteTokenizer
from .characters import CharTokenizer
from .layout import byte_characters, essence
from .tokenizer import Tokenizer, TokenizerError


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read `folder`/tokenizer.json. Raises TokenizerError where it is missing, damaged or of a kind not known here."""
    path = folder / "tokenizer.json"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise TokenizerError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{path} is damaged: it is not JSON") from error
    try:
        tokenizer = _ours(content)
        if essence(content) != essence(tokenizer.to_huggingface()):
            raise ValueError
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise TokenizerError(f"{path} is neither a character nor a byte tokenizer, the two kinds known here") from error
    return tokenizer


def _ours(content: Any) -> Tokenizer:
    model = content["model"]
    vocabulary = sorted(model["vocab"], key=model["vocab"].__getitem__)
    if model.get("unk_token") is not None:
        return CharTokenizer("".join(vocabulary[:-1]), "token")
    return ByteTokenizer() if vocabulary == byte_characters() else CharTokenizer("".join(vocabulary))
