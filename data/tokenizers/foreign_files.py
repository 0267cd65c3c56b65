"""The files of a Hugging Face tokenizer: parsed, and checked before anything is built from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .tokenizer import TokenizerError
from .tokenizer_json import BYTE_LEVEL, bpe_model, document

MAX_ID = (1 << 22) - 1  # far above any real vocabulary
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NAMED = ("unk_token", "bos_token", "eos_token", "pad_token", "sep_token", "cls_token", "mask_token")


def check_content(content: Mapping[str, Any]) -> None:
    """Raise TokenizerError unless every token of a tokenizer.json is a string with a possible id of its own."""
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


def token_name(setting: Any) -> str | None:
    """The token that a setting such as `eos_token` names, as text or as an object with its `content`."""
    name = setting.get("content") if isinstance(setting, dict) else setting
    return name if isinstance(name, str) else None


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


def roles(content: Mapping[str, Any], settings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The ids of the tokens bos, pad and unk: what the first of `settings` says that says anything of each."""
    found: dict[str, int] = {}
    for some in settings:
        for role in ("bos", "pad", "unk"):
            value = some.get(f"{role}_token_id")
            if value is None:
                value = token_id(content, token_name(some.get(f"{role}_token")))
            if type(value) is int and 0 <= value <= MAX_ID:
                found.setdefault(role, value)
    return found


def chat_template(settings: Mapping[str, Any], file: bytes | None) -> str | None:
    """The template of a conversation: its own file, or the setting, of several the one called "default"."""
    if file is not None:
        return file.decode("utf-8", "replace")
    value = settings.get("chat_template")
    if isinstance(value, list):
        named = {some.get("name"): some.get("template") for some in value if isinstance(some, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None


def content_of(documents: Mapping[str, dict[str, Any]], merges: bytes) -> dict[str, Any]:
    """The content of tokenizer.json: the file's own, or built from vocab.json and `merges`, the text of merges.txt.

    Those two do not say how a text is split; the tokenizer_class does, and tokens that end in </w> are openai-gpt's.
    """
    settings = documents.get("tokenizer_config.json", {})
    if "tokenizer.json" in documents:
        return _with_settings(documents["tokenizer.json"], settings)
    vocabulary = documents["vocab.json"]
    family = str(settings.get("tokenizer_class") or "GPT2Tokenizer").removesuffix("Fast")
    if any(token.endswith("</w>") for token in vocabulary):
        family = "OpenAIGPTTokenizer"
    default = "<unk>" if family == "OpenAIGPTTokenizer" else "<|endoftext|>"
    special = _named_tokens(documents, vocabulary, default)
    model = bpe_model(vocabulary | special, _pairs(merges))
    if family == "OpenAIGPTTokenizer":
        model |= {"unk_token": "<unk>", "end_of_word_suffix": "</w>"}
        content = document(model, {"type": "BertPreTokenizer"}, {"type": "BPEDecoder", "suffix": "</w>"}, special)
        lower = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
        content["normalizer"] = {"type": "BertNormalizer"} | lower
    elif family == "Qwen2Tokenizer":
        words = {"type": "Split", "pattern": {"Regex": QWEN_PATTERN}, "behavior": "Isolated", "invert": False}
        steps = {"type": "Sequence", "pretokenizers": [words, BYTE_LEVEL]}
        content = document(model, steps, BYTE_LEVEL, special) | {"normalizer": {"type": "NFC"}}
    elif family in ("GPT2Tokenizer", "PreTrainedTokenizer"):
        split = BYTE_LEVEL | {"use_regex": True, "add_prefix_space": settings.get("add_prefix_space") is True}
        content = document(model, split, BYTE_LEVEL, special)
    else:
        raise TokenizerError(f"vocab.json and merges.txt of a {family[:40]} do not say enough; add its tokenizer.json")
    _flag_added(content, documents)
    first = token_name(settings.get("bos_token")) or default
    if settings.get("add_bos_token") is True and first in special:
        content["post_processor"] = _begins_with(first, special[first])
    return content


def _with_settings(content: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """tokenizer.json as transformers changes it: by add_prefix_space, and tokens that only the settings have."""
    step, prefix = content.get("pre_tokenizer"), settings.get("add_prefix_space")
    if isinstance(prefix, bool) and isinstance(step, dict) and step.get("type") == "ByteLevel":
        content = content | {"pre_tokenizer": step | {"add_prefix_space": prefix}}
    added = content.get("added_tokens") or []
    there = {token.get("content") for token in added if isinstance(token, dict)} if isinstance(added, list) else set()
    further = [entry for name, entry in _decoder_entries(settings).items() if name not in there]
    if not further or not isinstance(added, list):
        return content
    return content | {"added_tokens": [*added, *sorted(further, key=lambda entry: entry["id"])]}


def _decoder_entries(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The added tokens of tokenizer_config.json by their names, as tokenizer.json has them."""
    decoder, found = settings.get("added_tokens_decoder"), {}
    for number, token in decoder.items() if isinstance(decoder, dict) else ():
        if number.isdecimal() and len(number) < 10 and (name := token_name(token)):
            flags = token if isinstance(token, dict) else {}
            usual = {"single_word": False, "lstrip": False, "rstrip": False, "special": False}
            told = {flag: flags[flag] is True for flag in usual if flag in flags}
            normalized = flags.get("normalized", not told.get("special", False)) is True
            found[name] = {"id": int(number), "content": name} | usual | told | {"normalized": normalized}
    return found


def _flag_added(content: dict[str, Any], documents: Mapping[str, dict[str, Any]]) -> None:
    """Say of each added token what the files beside vocab.json say of it; those of added_tokens.json alone are text."""
    entries, named = _decoder_entries(documents.get("tokenizer_config.json", {})), set[str]()
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        source = documents.get(name, {})
        further = source.get("additional_special_tokens")
        listed = further if isinstance(further, list) else []
        named |= {token for token in map(token_name, [*map(source.get, _NAMED), *listed]) if token}
    for token in content["added_tokens"]:
        name = token["content"]
        if name in entries:
            token |= entries[name] | {"id": token["id"]}
        elif name in documents.get("added_tokens.json", {}) and name not in named:
            token |= {"special": False, "normalized": True}
        token["special"] = token["special"] or name in named


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
        lines = merges.decode().split("\n")
    except UnicodeDecodeError as error:
        raise TokenizerError("merges.txt is damaged: it is not UTF-8") from error
    pairs = [line.rstrip("\r").split(" ") for line in lines if line.strip() and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise TokenizerError("merges.txt is damaged: a line has not two parts")
    return [(one, two) for one, two in pairs]


def _named_tokens(documents: Mapping[str, dict[str, Any]], vocabulary: dict[str, Any], default: str) -> dict[str, Any]:
    """The special tokens that the files beside vocab.json name, with their ids."""
    settings = documents.get("tokenizer_config.json", {})
    found = dict(documents.get("added_tokens.json", {}))
    decoder = settings.get("added_tokens_decoder")
    for number, token in decoder.items() if isinstance(decoder, dict) else ():
        if number.isdecimal() and len(number) < 10 and (name := token_name(token)):
            found[name] = int(number)
    for source in (settings, documents.get("special_tokens_map.json", {})):
        for name in filter(None, (token_name(source.get(setting)) for setting in _NAMED)):
            if name in vocabulary:
                found.setdefault(name, vocabulary[name])
    if default in vocabulary:
        found.setdefault(default, vocabulary[default])
    return found
