"""What tokenizer_config.json and added_tokens.json say changes the ids here as it does in transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.tokenizers import TokenizerError, load_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

transformers = pytest.importorskip("transformers")

TEXT = "say foo_bar and ROMEO now, a<|end|>b"


def put_tokenizer(folder: Path, *special: str) -> dict[str, Any]:
    """A byte-level BPE with `special` tokens, <|endoftext|> where none is named; its tokenizer.json."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=[*(special or ("<|endoftext|>",))], initial_alphabet=alphabet
    )
    backend.train_from_iterator(["say a and a now " * 20], trainer)
    backend.save(str(folder / "tokenizer.json"))
    return json.loads((folder / "tokenizer.json").read_text())


def write(folder: Path, **files: Any) -> None:
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))


def as_text(folder: Path, text: str) -> tuple[list[int], list[int]]:
    """The ids of a text without special tokens, here and in transformers."""
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    return load_tokenizer(folder).encode(text).tolist(), theirs(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("setting", [False, True])
def test_the_setting_for_a_first_space_comes_before_the_one_in_the_pipeline(setting, inside, tmp_path):
    content = put_tokenizer(tmp_path)
    content["pre_tokenizer"]["add_prefix_space"] = inside
    settings = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": setting}
    write(tmp_path, tokenizer=content, tokenizer_config=settings, config={"model_type": "gpt2"})
    ours, theirs = as_text(tmp_path, "a and a")
    assert ours == theirs


def test_tokens_that_only_the_settings_have_exist(tmp_path):
    size = len(put_tokenizer(tmp_path)["model"]["vocab"])
    flags = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
    decoder = {str(size): {"content": "foo_bar", "special": False} | flags,
               str(size + 1): {"content": "<|end|>", "special": True} | flags}  # fmt: skip
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": decoder}
    write(tmp_path, tokenizer_config=settings)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.vocab_size == size + 2
    assert tokenizer.token_bytes(size) == b"foo_bar"
    assert tokenizer.special_tokens["<|end|>"] == size + 1
    ours, theirs = as_text(tmp_path, "say foo_bar and ROMEO now")
    assert ours == theirs
    assert size in ours


def test_added_tokens_that_are_not_special_are_text(tmp_path):
    content = put_tokenizer(tmp_path)
    size = len(content["model"]["vocab"])
    vocabulary, merges = content["model"]["vocab"], content["model"]["merges"]
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, merges), ""]), encoding="utf-8")
    write(tmp_path, vocab=vocabulary, added_tokens={"foo_bar": size, "ROMEO": size + 1},
          tokenizer_config={"tokenizer_class": "GPT2Tokenizer"})  # fmt: skip
    tokenizer = load_tokenizer(tmp_path)
    theirs = transformers.GPT2Tokenizer.from_pretrained(tmp_path)
    text = "say foo_bar and ROMEO now"
    ids = theirs(text)["input_ids"]
    assert tokenizer.encode(text).tolist() == ids
    assert {size, size + 1} <= set(ids)
    assert tokenizer.decode(ids) == theirs.decode(ids, clean_up_tokenization_spaces=False) == text


FLAGS = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}


def flagged(name: str, special: bool = True, **flags: bool) -> dict[str, Any]:
    return {"content": name, "special": special} | FLAGS | flags


NAMED: dict[str, dict[str, Any]] = {
    "a role": {"tokenizer_config": {"eos_token": "</s>"}},
    "two roles, one in the vocabulary": {"tokenizer_config": {"pad_token": "<x>", "eos_token": "</s>"}},
    "a role that is a word": {"tokenizer_config": {"pad_token": "now"}},
    "a role with flags": {"tokenizer_config": {"eos_token": flagged("<x>", lstrip=True) | {"__type": "AddedToken"}}},
    "a role of the model's own": {"tokenizer_config": {"image_token": "<x>", "eos_token": "<y>"}},
    "further ones": {"tokenizer_config": {"extra_special_tokens": ["<x>", "<y>"]}},
    "further ones by their old name": {"tokenizer_config": {"additional_special_tokens": ["<x>", "<y>"]}},
    "further ones by names": {"tokenizer_config": {"extra_special_tokens": {"image_token": "<x>"},
                                                   "additional_special_tokens": ["<y>"]}},
    "no further ones": {"tokenizer_config": {"extra_special_tokens": {}, "additional_special_tokens": ["<y>"]}},
    "an id far away": {"tokenizer_config": {"added_tokens_decoder": {"900": flagged("<x>")}}},
    "ids in no order": {"tokenizer_config": {"added_tokens_decoder": {"1000": flagged("<x>"), "900": flagged("<y>"),
                                                                      "9": flagged("<z>")}}},
    "the id of another": {"tokenizer_config": {"added_tokens_decoder": {"1": flagged("<x>")}}},
    "a word": {"tokenizer_config": {"added_tokens_decoder": {"400": flagged("now", special=False)}}},
    "other flags": {"tokenizer_config": {"added_tokens_decoder": {"1": flagged("<pad>", lstrip=True, rstrip=True)}}},
    "special no longer": {"tokenizer_config": {"added_tokens_decoder": {"1": flagged("<pad>", special=False)}}},
    "special by its role": {"tokenizer_config": {"added_tokens_decoder": {"400": flagged("<x>", special=False)},
                                                 "eos_token": "<x>"}},
    "an older file that no longer counts": {
        "tokenizer_config": {"added_tokens_decoder": {"400": flagged("<x>")}},
        "special_tokens_map": {"eos_token": "<y>"},
    },
    "the older file": {"special_tokens_map": {"eos_token": flagged("<x>"), "additional_special_tokens": ["<y>"]}},
    "the older file first": {"tokenizer_config": {"eos_token": "<x>"}, "special_tokens_map": {"eos_token": "<y>"}},
    "added tokens": {"added_tokens": {"<x>": 470, "<y>": 480}},
    "added tokens, one with a role": {"tokenizer_config": {"eos_token": "<x>"}, "added_tokens": {"<x>": 480, "<y>": 7}},
    "roles of a class": {"tokenizer_config": {"tokenizer_class": "GPT2Tokenizer", "eos_token": "</s>"}},
    "roles of a class set to none": {
        "tokenizer_config": {"tokenizer_class": "GPT2Tokenizer", "unk_token": None, "bos_token": None,
                             "eos_token": None}
    },
    "roles of the model's type": {"tokenizer_config": {"tokenizer_class": None}, "config": {"model_type": "qwen3"}},
    "text that is always literal": {"tokenizer_config": {"split_special_tokens": True}},
}  # fmt: skip
TEXTS = ["say</s> a<x> <y>now <pad> a<z>", "<|endoftext|>a <s>now<unk>", "nowhere now\n<x>\n<pad>\n"]


def put_files(folder: Path, files: dict[str, Any], **settings: Any) -> None:
    """The files of a case; `settings` are further ones of tokenizer_config.json, and what is None there is left out."""
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | files.get("tokenizer_config", {}) | settings
    if settings["tokenizer_class"] is None:
        del settings["tokenizer_class"]
    write(folder, **files | {"tokenizer_config": settings})


@pytest.mark.parametrize("case", NAMED)
def test_tokens_that_the_files_name_have_the_ids_that_they_have_in_transformers(case, tmp_path):
    content = put_tokenizer(tmp_path, "</s>", "<pad>")
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "</s>"]
    write(tmp_path, tokenizer=content)
    put_files(tmp_path, NAMED[case])
    tokenizer, theirs = load_tokenizer(tmp_path), transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.encode(text).tolist() == ids
        shown = theirs.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert tokenizer.decode(ids) == shown
    assert tokenizer.vocab_size == len(theirs)


WITHOUT_CLASS = [name for name in NAMED if "class" not in name and "type" not in name]
BESIDE_A_VOCABULARY = [(name, kind) for name in WITHOUT_CLASS for kind in ("GPT2Tokenizer", "Qwen2Tokenizer")]
BESIDE_A_VOCABULARY.remove(("a role with flags", "Qwen2Tokenizer"))  # version 5 forgets the flags, 4.57 keeps them


@pytest.mark.parametrize(("case", "kind"), BESIDE_A_VOCABULARY)
def test_beside_a_vocabulary_and_merges_they_have_them_too(case, kind, tmp_path):
    content = put_tokenizer(tmp_path, "</s>", "<pad>")
    (tmp_path / "tokenizer.json").unlink()
    merges = ["#version: 0.2", *map(" ".join, content["model"]["merges"]), ""]
    (tmp_path / "merges.txt").write_text("\n".join(merges), encoding="utf-8")
    write(tmp_path, vocab=content["model"]["vocab"])
    put_files(tmp_path, NAMED[case], tokenizer_class=kind)
    for text in TEXTS:
        ours, theirs = as_text(tmp_path, text)
        assert ours == theirs


def test_a_tokenizer_of_sentencepiece_alone_says_how_it_becomes_one_that_is_read(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"pieces")
    with pytest.raises(TokenizerError, match=r"a tokenizer\.model alone.*save_pretrained"):
        load_tokenizer(tmp_path)
