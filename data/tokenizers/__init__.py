"""Text to token ids and back: characters, bytes, GPT-2's BPE, BPE trained on the text, any Hugging Face tokenizer.

On disk each is a `tokenizer.json` that Hugging Face's libraries read with identical ids. No torch here; the libraries
tiktoken and tokenizers are imported by those that need them alone, so characters and bytes start without.
"""

from .alignment import token_lengths
from .bpe import BpeTokenizer
from .build import build_tokenizer
from .bytes import ByteTokenizer
from .characters import CharTokenizer
from .foreign import ForeignTokenizer
from .load import TOKENIZER_FILES, load_tokenizer
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
    "token_lengths",
]
