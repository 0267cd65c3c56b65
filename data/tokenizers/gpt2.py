"""GPT-2's BPE: one published file of merges, from this machine or downloaded once."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from ..catalog import fetch
from ..storage.atomic import write_atomic
from ..storage.locations import folder
from ..storage.plain_files import read_plain
from .bpe import END_OF_TEXT, BpeTokenizer
from .tokenizer import TokenizerError
from .tokenizer_json import byte_characters, bytes_of

_URL = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/vocab.bpe"
_SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
_N_BYTES = 456_318
_TIKTOKEN_NAME = hashlib.sha1(_URL.encode()).hexdigest()  # the file's name in tiktoken's cache


def gpt2_tokenizer() -> BpeTokenizer:
    """GPT-2's tokenizer of 50,257 tokens. Raises TokenizerError where its file is not here and cannot be fetched."""
    lines = _file().decode().split("\n")[1:-1]  # the first line is a version
    vocabulary = {bytes_of(character): token for token, character in enumerate(sorted(byte_characters()))}
    merges: list[tuple[bytes, bytes]] = []
    for line in lines:
        one, two = map(bytes_of, line.split(" "))
        vocabulary[one + two] = len(vocabulary)
        merges.append((one, two))
    return BpeTokenizer(vocabulary, merges, {END_OF_TEXT: len(vocabulary)})


def _file() -> bytes:
    """The file of merges: from our cache, from tiktoken's, or from its publisher, and then into our cache."""
    path = folder("cache") / "tokenizers" / "gpt2" / "vocab.bpe"
    places = [path]
    if tiktoken_cache := os.environ.get("TIKTOKEN_CACHE_DIR"):
        places.append(Path(tiktoken_cache) / _TIKTOKEN_NAME)
    for place in places:
        try:
            content = read_plain(place)
        except OSError:
            continue
        if _is_right(content):
            return content
    elsewhere = (
        f"put that file at {path}, or set TIKTOKEN_CACHE_DIR to a folder that holds it under the name {_TIKTOKEN_NAME}"
    )
    try:
        content = fetch(_URL, _N_BYTES)
    except OSError as error:
        raise TokenizerError(f"GPT-2's merges could not be downloaded from {_URL} ({error}); {elsewhere}") from error
    if not _is_right(content):
        raise TokenizerError(f"{_URL} gave something else than GPT-2's merges (its checksum differs); {elsewhere}")
    with contextlib.suppress(OSError):  # the next start downloads it again
        write_atomic(path, content)
    return content


def _is_right(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == _SHA256
