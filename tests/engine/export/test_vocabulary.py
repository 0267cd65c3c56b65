"""A tokenizer as llama.cpp has it: tokens, merges, and what it cannot have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.tokenizers import CharTokenizer, TokenizerError, load_tokenizer
from minigpt_tui.engine.export.vocabulary import describe_vocabulary

from .runs_to_export import foreign_tokenizer, tokenizer_of

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}


def test_characters_are_put_together_from_their_bytes() -> None:
    vocabulary = describe_vocabulary(CharTokenizer("\n aé漢字"), 6).vocabulary
    assert vocabulary.tokens == ["Ċ", "Ġ", "a", "Ã©", "æ¼¢", "åŃĹ", "<|end|>"]
    assert vocabulary.types == [1, 1, 1, 1, 1, 1, 3]
    assert vocabulary.merges == ["Ã ©", "å Ń", "æ ¼", "åŃ Ĺ", "æ¼ ¢"]
    assert (vocabulary.begin, vocabulary.end, vocabulary.suppressed) == (0, 6, [6])


def test_the_token_for_unknown_characters_is_marked_and_its_loss_told() -> None:
    described = describe_vocabulary(CharTokenizer("ab", "token"), 3)
    assert described.vocabulary.tokens == ["a", "b", "<unk>", "<|end|>"]
    assert (described.vocabulary.types, described.vocabulary.unknown) == ([1, 1, 2, 3], 2)
    assert any("not in the alphabet" in notice for notice in described.notices)


def test_bytes_end_at_one_that_is_in_no_text_and_need_no_other() -> None:
    vocabulary = describe_vocabulary(tokenizer_of("byte"), 256).vocabulary
    assert len(vocabulary.tokens) == len(set(vocabulary.tokens)) == 256
    assert (vocabulary.begin, vocabulary.end, vocabulary.suppressed) == (10, 255, [255])


def test_byte_pairs_keep_their_merges_and_their_own_end() -> None:
    tokenizer = tokenizer_of("bpe")
    vocabulary = describe_vocabulary(tokenizer, tokenizer.vocab_size + 5).vocabulary
    end = tokenizer.special_tokens["<|endoftext|>"]
    assert (vocabulary.pattern, vocabulary.end, vocabulary.types[end]) == ("gpt-2", end, 3)
    assert len(vocabulary.merges) == tokenizer.vocab_size - 256 - 1
    assert set("".join(vocabulary.merges[0].split(" "))) <= set("".join(vocabulary.tokens[:-5]))
    assert vocabulary.types[-5:] == [5] * 5
    assert vocabulary.suppressed == [*range(tokenizer.vocab_size, tokenizer.vocab_size + 5)]
    assert len(set(vocabulary.tokens)) == len(vocabulary.tokens)


def test_all_that_a_foreign_model_says_of_its_tokens_is_kept(home: Path) -> None:
    tokenizer = foreign_tokenizer(home, "llama-bpe")
    folder, begin, size = home / "foreign", tokenizer.special_tokens["<|begin|>"], tokenizer.vocab_size
    eot, think = begin + 1, begin + 2
    generation = {"eos_token_id": [think, eot, 5], "pad_token_id": 6, "bos_token_id": begin}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 7, "bos_token_id": 3, "unk_token_id": 8}))
    settings = {"eos_token": "<|eot|>", "unk_token": "<|begin|>", "chat_template": "old"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    described = describe_vocabulary(load_tokenizer(folder), size)
    vocabulary = described.vocabulary
    assert (vocabulary.begin, vocabulary.padding, vocabulary.unknown) == (begin, 7, 8)
    assert (vocabulary.end, vocabulary.turn_end, vocabulary.message_end) == (eot, 5, think)
    assert vocabulary.chat_templates == {"default": "old"}
    assert described.notices == ()
    (folder / "chat_template.jinja").write_text("{{ new }}")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, eot, think, 9]}))
    described = describe_vocabulary(load_tokenizer(folder), size)
    assert described.vocabulary.chat_templates == {"default": "{{ new }}"}
    assert "goes on after <think>" in described.notices[0]


def test_ids_that_no_token_has_are_never_drawn(home: Path) -> None:
    foreign_tokenizer(home, "dbrx")
    content = json.loads((home / "foreign" / "tokenizer.json").read_text())
    content["added_tokens"] = []
    hole = content["model"]["vocab"].pop("ÿ")
    (home / "foreign" / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = load_tokenizer(home / "foreign")
    vocabulary = describe_vocabulary(tokenizer, tokenizer.vocab_size + 3).vocabulary
    unused = [hole, *range(tokenizer.vocab_size, tokenizer.vocab_size + 3)]
    assert [token for token, kind in enumerate(vocabulary.types) if kind == 5] == unused
    assert set(unused) <= set(vocabulary.suppressed)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "rewrites a text"),
        ({"pre_tokenizer": BYTES | {"add_prefix_space": True}}, "the pattern"),
        ({"pre_tokenizer": BYTES | {"use_regex": False}}, "the pattern"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "only byte-level BPE"),
        ({"pre_tokenizer": None}, "only byte-level BPE"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 0},
                    "unk_token": "a"}, "added_tokens": []}, "only byte-level BPE"),
    ],
)  # fmt: skip
def test_a_tokenizer_that_llama_cpp_does_not_have_is_refused(changes: dict[str, Any], words: str, home: Path) -> None:
    tokenizer = foreign_tokenizer(home, "qwen2", **changes)
    with pytest.raises(TokenizerError, match=words):
        describe_vocabulary(tokenizer, tokenizer.vocab_size)
