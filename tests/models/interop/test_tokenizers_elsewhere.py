"""Beside every block that we write, transformers reads the tokenizer as we do: the same ids for the same text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.tokenizers import Tokenizer, build_tokenizer, load_tokenizer
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint

transformers = pytest.importorskip("transformers")

TEXT = "First Citizen:\nWe are 12 345 of us; e\u0301 and  two spaces don't\tvanish, naïve 汉字 🙂.\r\n\r\n Yes!\n"
ROTARY = ModelConfig(context_length=32, n_layer=1, n_head=2, d_model=16, qk_norm=False)
LEARNED = replace(ROTARY, position="learned", norm="layer", mlp="gelu")
BLOCKS = {
    "llama": ROTARY,
    "llama with biases of queries, keys and values": replace(ROTARY, qkv_bias=True),
    "qwen3": replace(ROTARY, qk_norm=True),
    "arcee": replace(ROTARY, mlp="relu2"),
    "gpt2": LEARNED,
    "openai-gpt": replace(LEARNED, mlp="relu", norm_position="post"),
}


def written(folder: Path, block: ModelConfig, tokenizer: Tokenizer) -> Path:
    model = GPT(replace(block, vocab_size=tokenizer.vocab_size))
    save_checkpoint(model, folder, tokenizer=tokenizer, step=1, validation_loss=None)
    return folder


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
@pytest.mark.parametrize("block", BLOCKS)
def test_a_text_has_the_same_ids_there(block, kind, tmp_path):
    tokenizer = build_tokenizer(kind, alphabet=TEXT, pieces=lambda: [TEXT * 20], bpe_vocab_size=300)
    theirs = transformers.AutoTokenizer.from_pretrained(written(tmp_path, BLOCKS[block], tokenizer))
    assert theirs(TEXT)["input_ids"] == tokenizer.encode(TEXT).tolist()
    assert theirs.decode(tokenizer.encode(TEXT).tolist(), clean_up_tokenization_spaces=False) == TEXT


def test_the_tokenizer_of_a_qwen2_model_that_was_trained_further_keeps_its_ids(tmp_path):
    vocabulary = {token: n for n, token in enumerate(sorted({*"ĠĊčĉ", *map(chr, range(0x21, 0x7F)), "Ġw", "He"}))}
    original = transformers.Qwen2Tokenizer(vocab=vocabulary, merges=[("Ġ", "w"), ("H", "e")])
    (tmp_path / "qwen").mkdir()
    original.save_pretrained(tmp_path / "qwen")
    tokenizer = load_tokenizer(tmp_path / "qwen")
    (tmp_path / "ours").mkdir()
    folder = written(tmp_path / "ours", BLOCKS["llama with biases of queries, keys and values"], tokenizer)
    text = "Hello world 12 345,\n  two  We're\r\n\r\nok"
    ids = original(text)["input_ids"]
    assert transformers.AutoTokenizer.from_pretrained(folder)(text)["input_ids"] == ids
    assert tokenizer.encode(text).tolist() == ids
