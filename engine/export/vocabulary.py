"""A tokenizer as the vocabulary of a GGUF file, which llama.cpp reads.

All kinds become byte-level BPE ("gpt2"), with the ids that they have here:

- A character is spelled by its UTF-8 bytes, and merges put them together: the first with the second, both with the
  third. In UTF-8 no character begins like another, so no merge reaches over the end of one, and a character that is
  not in the alphabet stays in pieces that have no token. llama.cpp leaves those out, as we do.
- Bytes have no merges. llama.cpp asks for the list, and the gguf package writes no empty one, so it gets a pair that
  UTF-8 does not contain.

llama.cpp takes id 11 for the end of a text where none is named, and that would be a real character or byte. So one is
always named: the tokenizer's own; else the byte 0xFF, which is in no text, where that is a token; else a row that the
file adds, whose logit is never the highest. The last two are suppressed: llama.cpp's programs never draw them, and
others that read the file hardly ever. (Tokens spelled in raw bytes, "rwkv", need no end. But there llama.cpp reads the
first byte of an unknown character as the beginning of a known one, and then starts over for ever.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...data.tokenizers import Tokenizer, TokenizerError
from ...data.tokenizers.tokenizer_json import byte_characters
from ...models.interop.gguf import Vocabulary

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5  # llama.cpp's token types
NO_MERGES = ["ÿ ÿ"]  # the byte 0xFF twice
END = "<|end|>"
ANY_PATTERN = "qwen2"  # where no token is longer than a character; with this one llama.cpp never tidies up spaces

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# The pattern that cuts a text into words, and whether a word that has a token is taken whole: llama.cpp's name for it.
PATTERNS = {
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST, True): "llama-bpe",
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST, False): "dbrx",
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST, False): "qwen2",
}
_SPELLED = byte_characters()


@dataclass(frozen=True)
class DescribedVocabulary:
    """A vocabulary for the file, and what a person should know about it."""

    vocabulary: Vocabulary
    notices: tuple[str, ...]


def describe_vocabulary(tokenizer: Tokenizer, rows: int) -> DescribedVocabulary:
    """The vocabulary of a model with so many `rows` in its embedding.

    Raises TokenizerError for a tokenizer that llama.cpp has no counterpart of.
    """
    document = tokenizer.to_huggingface()
    notices = []
    if tokenizer.kind == "char":
        pattern, merges = ANY_PATTERN, _character_merges(map(tokenizer.token_bytes, range(tokenizer.vocab_size)))
        if tokenizer.unknown == "token":
            notices.append("llama.cpp leaves out characters that are not in the alphabet; here they have a token")
    elif tokenizer.kind == "byte":
        pattern, merges = ANY_PATTERN, NO_MERGES
    else:
        pattern = _pattern(document)
        merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in document["model"]["merges"]]
        if document.get("normalizer"):
            notices.append("llama.cpp does not bring a text to Unicode's form NFC; here that is done first")
    tokens, types = _tokens(tokenizer, document)
    without_row = range(rows, len(tokens))
    unused = range(len(tokens), rows)
    tokens += [f"[unused {token}]" for token in unused]
    types += [UNUSED] * len(unused)
    suppressed = sorted({*without_row, *(token for token, kind in enumerate(types) if kind == UNUSED)})
    end = _end(tokenizer)
    if end is None:
        end = len(tokens)
        tokens.append(END)
        types.append(CONTROL)
        notices.append(f"llama.cpp wants a token for the end of a text, so the file has one more than the model: {END}")
    if not tokenizer.end_tokens:
        suppressed.append(end)
    others = sorted(token for token in tokenizer.end_tokens - {end} if token < len(tokens))
    turn_end, message_end, *lost = [*others, None, None]
    if lost := [token for token in lost if token is not None]:
        notices.append(
            f"a GGUF file names three tokens that end a reply; it goes on after {', '.join(tokens[n] for n in lost)}"
        )
    roles = {role: token for role, token in tokenizer.roles.items() if token < len(tokens)}
    vocabulary = Vocabulary(
        pattern, _made_unique(tokens), types, merges or NO_MERGES, _begin(tokenizer, end), end,
        adds_begin=bool(tokenizer.begin), unknown=types.index(UNKNOWN) if UNKNOWN in types else roles.get("unk"),
        suppressed=suppressed, padding=roles.get("pad"), turn_end=turn_end, message_end=message_end,
        chat_templates=tokenizer.chat_templates,
    )  # fmt: skip
    return DescribedVocabulary(vocabulary, tuple(notices))


def _character_merges(characters: Iterable[bytes]) -> list[str]:
    """What joins the bytes of each character, the short beginnings first."""
    beginnings = {character[:length] for character in characters for length in range(2, len(character) + 1)}
    ordered = sorted(beginnings, key=lambda beginning: (len(beginning), beginning))
    return [f"{_spell(beginning[:-1])} {_spell(beginning[-1:])}" for beginning in ordered] or NO_MERGES


def _tokens(tokenizer: Tokenizer, document: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """The spelling and the type of each id."""
    names = {token: (name, CONTROL) for name, token in tokenizer.special_tokens.items()}
    for added in document.get("added_tokens") or []:
        names[added["id"]] = (added["content"], CONTROL if added.get("special") else USER_DEFINED)
    if tokenizer.kind == "char":
        names = {token: (name, UNKNOWN) for token, (name, _) in names.items()}
    spelled = (
        names.get(token) or (_spell(tokenizer.token_bytes(token)), NORMAL) for token in range(tokenizer.vocab_size)
    )
    known = [(text, kind) if text else (f"[unused {token}]", UNUSED) for token, (text, kind) in enumerate(spelled)]
    return [text for text, _ in known], [kind for _, kind in known]


def _made_unique(tokens: Sequence[str]) -> list[str]:
    """The same tokens, where one spelling comes twice the later one renamed: llama.cpp stops at such a file."""
    seen: set[str] = set()
    return [f"[second {n}]" if token in seen or seen.add(token) else token for n, token in enumerate(tokens)]


def _end(tokenizer: Tokenizer) -> int | None:
    """The id at which a text ends, None where no id can have that meaning."""
    if tokenizer.end_tokens:
        named = tokenizer.roles.get("eos")
        return named if named in tokenizer.end_tokens else min(tokenizer.end_tokens)
    return next((n for n in range(tokenizer.vocab_size) if tokenizer.token_bytes(n) == b"\xff"), None)


def _begin(tokenizer: Tokenizer, end: int) -> int:
    """What a text begins with; where no text does, what an empty prompt begins with: here that is a new line."""
    if len(tokenizer.begin) > 1:
        raise TokenizerError(f"this model's texts begin with {len(tokenizer.begin)} tokens; llama.cpp adds at most one")
    if tokenizer.begin:
        return tokenizer.begin[0]
    if "bos" in tokenizer.roles:
        return tokenizer.roles["bos"]
    new_line = tokenizer.new_line if tokenizer.kind in ("char", "byte") else None
    return end if new_line is None else new_line


def _pattern(document: Mapping[str, Any]) -> str:
    """llama.cpp's name for the way in which a byte-level BPE cuts a text into words. Raises TokenizerError."""
    model, steps = document["model"], document.get("pre_tokenizer") or {}
    *before, last = steps.get("pretokenizers") or [steps]
    if model.get("type") != "BPE" or model.get("byte_fallback") or last.get("type") != "ByteLevel":
        raise TokenizerError("only byte-level BPE can go into a GGUF file here, and this tokenizer is something else")
    if document.get("normalizer") not in (None, {"type": "NFC"}):
        raise TokenizerError("this tokenizer rewrites a text before it cuts it into tokens; llama.cpp cannot do that")
    whole_words, gpt2 = bool(model.get("ignore_merges")), last.get("use_regex", True)
    if not last.get("add_prefix_space"):
        match before:
            case [] if gpt2 and not whole_words:
                return "gpt-2"
            case [{"type": "Digits", "individual_digits": True}] if gpt2 and not whole_words:
                return "smollm"
            case [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}] if not gpt2:
                if name := PATTERNS.get((regex, whole_words)):
                    return name
    raise TokenizerError("llama.cpp does not know the pattern by which this tokenizer cuts a text into words")


def _spell(token: bytes) -> str:
    return "".join(map(_SPELLED.__getitem__, token))
