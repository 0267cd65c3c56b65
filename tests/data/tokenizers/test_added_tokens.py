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


def put_tokenizer(folder: Path) -> dict[str, Any]:
    """A byte-level BPE with one special token; its tokenizer.json."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
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


def test_a_tokenizer_of_sentencepiece_alone_says_how_it_becomes_one_that_is_read(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"pieces")
    with pytest.raises(TokenizerError, match=r"a tokenizer\.model alone.*save_pretrained"):
        load_tokenizer(tmp_path)
