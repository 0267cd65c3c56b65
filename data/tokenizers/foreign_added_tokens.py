"""Tokens that a model's files add to its vocabulary, in the order and with the ids that transformers gives them.

tokenizer.json lists some; others stand only beside it: in added_tokens_decoder of tokenizer_config.json or the older
added_tokens.json, as the token of a role such as eos_token, or in a list of further special tokens. One that the
vocabulary does not have gets the next free id, whatever id the files say. Checked with transformers 4.57 and 5.23.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .tokenizer import SURROGATES, TokenizerError

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_END = "<|endoftext|>"
DEFAULTS: dict[str, dict[str, str]] = {
    "GPT2Tokenizer": {"bos_token": _END, "eos_token": _END, "unk_token": _END},
    "Qwen2Tokenizer": {"eos_token": _END, "unk_token": _END, "pad_token": _END},
    "OpenAIGPTTokenizer": {"unk_token": "<unk>"},
}
"""The roles that a class of transformers fills where the settings do not name them; null in the settings is none."""
_CLASSES = {
    "gpt2": "GPT2Tokenizer", "openai-gpt": "OpenAIGPTTokenizer", "qwen2": "Qwen2Tokenizer", "qwen3": "Qwen2Tokenizer",
}  # fmt: skip
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")

Documents = Mapping[str, dict[str, Any]]  # the JSON files of a folder by their names
Entry = dict[str, Any]  # a token as in added_tokens of tokenizer.json


def token_name(setting: Any) -> str | None:
    """The token that a setting such as `eos_token` names, as text or as an object with its `content`."""
    name = setting.get("content") if isinstance(setting, dict) else setting
    return name if isinstance(name, str) else None


def tokenizer_class(documents: Documents) -> str | None:
    """The class that the settings name, else the one of the model's type; without "Fast". None where neither says."""
    settings, config = documents.get("tokenizer_config.json", {}), documents.get("config.json", {})
    for named in (settings.get("tokenizer_class"), config.get("tokenizer_class")):
        if isinstance(named, str) and named:
            return named.removesuffix("Fast")
    kind = config.get("model_type")
    return _CLASSES.get(kind) if isinstance(kind, str) else None


def role_names(documents: Documents) -> dict[str, str]:
    """The token of each role, such as eos_token, under which a chat template finds it."""
    return {role: name for role, token in _roles(documents).items() if (name := token_name(token)) is not None}


def with_added_tokens(content: dict[str, Any], documents: Documents) -> dict[str, Any]:
    """A checked tokenizer.json with all tokens that its files add, each with its id."""
    vocabulary = content["model"]["vocab"]
    ids = vocabulary if isinstance(vocabulary, dict) else {entry[0]: at for at, entry in enumerate(vocabulary)}
    known: dict[str, Entry] = {}
    last = len(vocabulary) - 1
    for entry in _entries(content, documents):
        if name := entry["content"]:
            if not name.isascii() and SURROGATES.intersection(name):
                raise TokenizerError(f"its files name the token {name[:40]!r}, which is no text")
            before = known.get(name, {})
            number = before.get("id", ids.get(name, last + 1))
            once_special = before.get("special") or entry.get("special", False)  # `tokenizers` never takes that back
            known[name] = entry | {"id": number, "special": once_special}
            last = max(last, number)
    named = {name for name in map(token_name, _roles(documents).values()) if name}
    for name in named & known.keys():
        known[name]["special"] = True
    return content | {"added_tokens": list(known.values())}


def _entries(content: dict[str, Any], documents: Documents) -> Iterator[Entry]:
    """All added tokens in the order in which they get their ids; of a name that comes twice the later flags count."""
    settings = documents.get("tokenizer_config.json", {})
    there = [dict(token) for token in content.get("added_tokens") or []]
    yield from there
    names = {token["content"] for token in there}
    roles, further = _roles(documents), _further(documents)
    listed = list(_of_decoder(settings) if _has_decoder(settings) else _of_file(documents))
    yield from listed
    names |= {token["content"] for token in listed}
    padding = content.get("padding")
    if isinstance(padding, dict) and "pad_token" not in settings:
        roles["pad_token"] = padding.get("pad_token")
    in_order = [roles.pop(role, None) for role in ROLES]
    for token in (*in_order, *roles.values(), *further):
        if (name := token_name(token)) and name not in names:
            names.add(name)
            yield _entry(token, special=True)


def _entry(token: Any, **changes: bool) -> Entry:
    """A token that is a name alone, or an object with flags, as tokenizer.json has it."""
    told = token if isinstance(token, dict) else {}
    flags = {flag: told[flag] is True for flag in _FLAGS if flag in told} | changes
    special = flags.get("special", False)
    return {"content": token_name(token)} | dict.fromkeys(_FLAGS, False) | {"normalized": not special} | flags


def _has_decoder(settings: Mapping[str, Any]) -> bool:
    return isinstance(settings.get("added_tokens_decoder"), dict)


def _of_decoder(settings: Mapping[str, Any]) -> Iterator[Entry]:
    """The tokens of added_tokens_decoder by the ids that it says."""
    numbered = settings["added_tokens_decoder"].items()
    known = [(int(n), token) for n, token in numbered if n.isdecimal() and len(n) < 10 and token_name(token)]
    for _, token in sorted(known, key=lambda item: item[0]):
        yield _entry(token)


def _of_file(documents: Documents) -> Iterator[Entry]:
    """The tokens of added_tokens.json by the ids that it says: special where they are named elsewhere too."""
    special = {token_name(token) for token in (*_roles(documents).values(), *_further(documents))}
    numbered = [(n, name) for name, n in documents.get("added_tokens.json", {}).items() if type(n) is int]
    for _, name in sorted(numbered):
        yield _entry(name, special=name in special, normalized=name not in special)


def _roles(documents: Documents) -> dict[str, Any]:
    """The setting of each role: the seven known ones, and those that a model has of its own, such as image_token.

    special_tokens_map.json comes before tokenizer_config.json, and counts only where that has no added_tokens_decoder.
    """
    settings = documents.get("tokenizer_config.json", {})
    older = {} if _has_decoder(settings) else documents.get("special_tokens_map.json", {})
    named = {role: token for role, token in (settings | older).items() if role.endswith("_token")}
    known = {role: token for role, token in named.items() if role in ROLES or token_name(token)}
    own = settings.get("extra_special_tokens")
    return DEFAULTS.get(tokenizer_class(documents) or "", {}) | known | (own if isinstance(own, dict) else {})


def _further(documents: Documents) -> list[Any]:
    """The list of special tokens without a role: the first that is not empty."""
    settings = documents.get("tokenizer_config.json", {})
    sources = [settings] if _has_decoder(settings) else [settings, documents.get("special_tokens_map.json", {})]
    for source in sources:
        for name in ("extra_special_tokens", "additional_special_tokens"):
            if isinstance(listed := source.get(name), list) and listed:
                return listed
    return []
