"""The files of a Hugging Face tokenizer: parsed, and checked before anything is built from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .foreign_added_tokens import DEFAULTS, Documents, token_name, tokenizer_class, with_added_tokens
from .tokenizer import TokenizerError
from .tokenizer_json import BYTE_LEVEL, bpe_model, document

MAX_ID = (1 << 22) - 1  # far above any real vocabulary
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def check_content(content: Mapping[str, Any]) -> None:
    """Raise TokenizerError unless every token of a tokenizer.json is a string with a possible id of its own.

    What the file says of the ids of added tokens does not count: they get the ids that follow, as in `tokenizers`.
    """
    model = content.get("model")
    if not isinstance(model, dict):
        raise TokenizerError("tokenizer.json describes no model")
    vocabulary, owners = model.get("vocab"), {}
    if isinstance(vocabulary, list):  # Unigram: tokens with their log-probabilities, in the order of their ids
        entries = [
            (entry[0] if isinstance(entry, list) and entry else entry, at) for at, entry in enumerate(vocabulary)
        ]
    elif isinstance(vocabulary, dict):
        entries = list(vocabulary.items())
    else:
        raise TokenizerError("tokenizer.json has no vocabulary")
    if not entries:
        raise TokenizerError("the vocabulary in tokenizer.json is empty")
    for token, number in [*entries, *_added(content)]:
        if not isinstance(token, str) or type(number) is not int or not 0 <= number <= MAX_ID:
            raise TokenizerError(f"tokenizer.json gives {str(token)[:40]!r} the id {str(number)[:40]!r}, which is none")
    for token, number in entries:
        if owners.setdefault(number, token) != token:
            raise TokenizerError(f"tokenizer.json gives the id {number} to two tokens")


def _added(content: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    added = content.get("added_tokens") or []
    if not isinstance(added, list) or not all(isinstance(token, dict) for token in added):
        raise TokenizerError("the added tokens in tokenizer.json are not a list of objects")
    return [(token.get("content"), token.get("id")) for token in added]


def special_tokens(content: Mapping[str, Any]) -> dict[str, int]:
    """The added tokens that are marked as special: they have no text."""
    return {token["content"]: token["id"] for token in content.get("added_tokens") or [] if token.get("special")}


def token_id(content: Mapping[str, Any], name: str | None) -> int | None:
    """The id of the token with that name."""
    for token in content.get("added_tokens") or []:
        if token["content"] == name:
            return token["id"]
    vocabulary = content["model"]["vocab"]
    return vocabulary.get(name) if isinstance(vocabulary, dict) else None


def end_tokens(content: Mapping[str, Any], settings: Iterable[Mapping[str, Any]]) -> frozenset[int] | None:
    """The tokens at which a reply ends, from the first of `settings` that names any; None where none does."""
    for some in settings:
        value = some.get("eos_token_id")
        if value is None:
            value = token_id(content, token_name(some.get("eos_token")))
        ids = value if isinstance(value, list) else [] if value is None else [value]
        if not all(type(number) is int and 0 <= number <= MAX_ID for number in ids):
            raise TokenizerError(f"eos_token_id is {str(value)[:40]!r}, which is no token")
        if ids:
            return frozenset(ids)
    return None


def roles(content: Mapping[str, Any], settings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The ids of the tokens bos, pad and unk: what the first of `settings` says that says anything of each.

    With eos, the one of them that is named, as a template of a conversation writes it.
    """
    found: dict[str, int] = {}
    for some in settings:
        if (end := token_id(content, token_name(some.get("eos_token")))) is not None:
            found.setdefault("eos", end)
        for role in ("bos", "pad", "unk"):
            value = some.get(f"{role}_token_id")
            if value is None:
                value = token_id(content, token_name(some.get(f"{role}_token")))
            if type(value) is int and 0 <= value <= MAX_ID:
                found.setdefault(role, value)
    return found


def content_of(documents: Documents, merges: bytes) -> dict[str, Any]:
    """The content of tokenizer.json: the file's own, or built from vocab.json and `merges`, the text of merges.txt.

    `documents` are the folder's JSON files by name; what they add to the vocabulary is in it, with the ids that count.
    """
    settings = documents.get("tokenizer_config.json", {})
    if "tokenizer.json" in documents:
        content = _with_first_space(documents["tokenizer.json"], settings.get("add_prefix_space"))
        check_content(content)
        return with_added_tokens(content, documents)
    content = _built(documents, settings, merges)
    check_content(content)
    content = with_added_tokens(content, documents)
    first = token_name(settings.get("bos_token")) or DEFAULTS["GPT2Tokenizer"]["bos_token"]
    begin = next((token["id"] for token in content["added_tokens"] if token["content"] == first), None)
    if settings.get("add_bos_token") is True and begin is not None:
        content["post_processor"] = _begins_with(first, begin)
    return content


def _built(documents: Documents, settings: Mapping[str, Any], merges: bytes) -> dict[str, Any]:
    """A tokenizer.json without added tokens, of vocab.json and merges.txt.

    Those two do not say how a text is split; the class does, and tokens that end in </w> are openai-gpt's.
    """
    vocabulary = documents["vocab.json"]
    family = tokenizer_class(documents) or "GPT2Tokenizer"
    if any(token.endswith("</w>") for token in vocabulary):
        family = "OpenAIGPTTokenizer"
    model = bpe_model(vocabulary, _pairs(merges))
    if family == "OpenAIGPTTokenizer":
        model |= {"unk_token": "<unk>", "end_of_word_suffix": "</w>"}
        content = document(model, {"type": "BertPreTokenizer"}, {"type": "BPEDecoder", "suffix": "</w>"})
        lower = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
        return content | {"normalizer": {"type": "BertNormalizer"} | lower}
    if family == "Qwen2Tokenizer":
        words = {"type": "Split", "pattern": {"Regex": QWEN_PATTERN}, "behavior": "Isolated", "invert": False}
        steps = {"type": "Sequence", "pretokenizers": [words, BYTE_LEVEL]}
        return document(model, steps, BYTE_LEVEL) | {"normalizer": {"type": "NFC"}}
    if family in ("GPT2Tokenizer", "PreTrainedTokenizer"):
        split = BYTE_LEVEL | {"use_regex": True, "add_prefix_space": settings.get("add_prefix_space") is True}
        return document(model, split, BYTE_LEVEL)
    raise TokenizerError(f"vocab.json and merges.txt of a {family[:40]} do not say enough; add its tokenizer.json")


def _with_first_space(content: dict[str, Any], prefix: Any) -> dict[str, Any]:
    """tokenizer.json with the add_prefix_space of tokenizer_config.json, which comes before its own."""
    step = content.get("pre_tokenizer")
    if isinstance(prefix, bool) and isinstance(step, dict) and step.get("type") == "ByteLevel":
        return content | {"pre_tokenizer": step | {"add_prefix_space": prefix}}
    return content


def _begins_with(name: str, token: int) -> dict[str, Any]:
    """The post-processor that puts one token before a text."""
    special, text, second = (
        {kind: {"id": which, "type_id": 0}}
        for kind, which in (("SpecialToken", name), ("Sequence", "A"), ("Sequence", "B"))
    )
    return {
        "type": "TemplateProcessing",
        "single": [special, text],
        "pair": [special, text, second],
        "special_tokens": {name: {"id": name, "ids": [token], "tokens": [name]}},
    }


def _pairs(merges: bytes) -> Sequence[tuple[str, str]]:
    try:
        lines = merges.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise TokenizerError("merges.txt is damaged: it is not UTF-8") from error
    pairs = [line.rstrip("\r").split(" ") for line in lines if line.strip() and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise TokenizerError("merges.txt is damaged: a line has not two parts")
    return [(one, two) for one, two in pairs]
