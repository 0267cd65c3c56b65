"""Text to token ids and back: characters, bytes, GPT-2's byte pairs, byte pairs learned from the text, and any other
tokenizer that a foreign model brings along.

A tokenizer lies on disk as `tokenizer.json` in the form that Hugging Face's libraries read with identical ids; reading
characters and bytes back needs none of them. Any Unicode text survives the round trip. Lone surrogates are refused:
they are halves of characters and have no UTF-8 form.
"""

from .bpe import BpeTokenizer
from .building import build_tokenizer
from .bytes import ByteTokenizer
from .characters import CharTokenizer
from .files import TOKENIZER_FILES, load_tokenizer
from .foreign import ForeignTokenizer
from .tokenizer import Tokenizer, TokenizerError, TokenizerKind, UnknownCharacterError, UnknownCharacters

__all__ = [
    "TOKENIZER_FILES",
    "BpeTokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "ForeignTokenizer",
    "Tokenizer",
    "TokenizerError",
    "TokenizerKind",
    "UnknownCharacterError",
    "UnknownCharacters",
    "build_tokenizer",
    "load_tokenizer",
]
