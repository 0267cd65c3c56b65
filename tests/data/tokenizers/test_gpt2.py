import json
import shutil
from pathlib import Path

import pytest
import tiktoken
import transformers
from minigpt_tui.data.tokenizers import Tokenizer, TokenizerError, build_tokenizer, load_tokenizer

MERGES = "6d1cbeee0f20b3d9449abfede4726ed8212e3aee"


def build() -> Tokenizer:
    return build_tokenizer("gpt2", alphabet="", pieces=list)


@pytest.fixture
def gpt2(tiktoken_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tokenizer:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tiktoken_cache))
    return build()


def test_ids_are_those_of_tiktoken_and_transformers(
    gpt2: Tokenizer, tiktoken_cache: Path, mixed_text: str, tmp_path: Path
) -> None:
    assert (gpt2.kind, gpt2.vocab_size, gpt2.end_tokens) == ("gpt2", 50257, {50256})
    mixed_text = mixed_text[:200_000]
    ids, literally = gpt2.encode(mixed_text), gpt2.encode(mixed_text, literal=True)
    assert ids.typecode == "H"
    assert ids.tolist() == tiktoken.get_encoding("gpt2").encode(mixed_text, allowed_special="all")
    assert literally.tolist() == tiktoken.get_encoding("gpt2").encode_ordinary(mixed_text)
    assert 50256 in ids
    assert gpt2.decode(literally) == mixed_text
    gpt2.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    auto = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert auto(mixed_text)["input_ids"] == ids.tolist()
    assert auto(mixed_text, split_special_tokens=True)["input_ids"] == literally.tolist()
    assert auto.decode(ids.tolist()) == mixed_text
    assert (len(auto), auto.eos_token_id) == (50257, 50256)
    again = load_tokenizer(tmp_path)
    assert (again.kind, again.fingerprint) == ("gpt2", gpt2.fingerprint)
    assert again.encode(mixed_text) == ids


@pytest.mark.parametrize("form", ["vocab.json", "tokenizer.json"])
def test_the_published_folder_is_recognised(gpt2: Tokenizer, tiktoken_cache: Path, tmp_path: Path, form: str) -> None:
    for name, cached in (("vocab.json", "6c7ea1a7e38e3a7f062df639a5b80947f075ffe6"), ("merges.txt", MERGES)):
        shutil.copy(tiktoken_cache / cached, tmp_path / name)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "eos_token_id": 50256}))
    folder = tmp_path
    if form == "tokenizer.json":
        folder = tmp_path / "converted"
        transformers.GPT2Tokenizer.from_pretrained(tmp_path).save_pretrained(folder)
        assert not (folder / "vocab.json").exists()
    found = load_tokenizer(folder)
    assert (found.kind, found.fingerprint, found.end_tokens) == ("gpt2", gpt2.fingerprint, {50256})


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, nothing cached; the folder of the cache."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    return tmp_path / "cache" / "tokenizers" / "gpt2"


def test_without_a_network_one_sentence_names_what_helps(offline: Path) -> None:
    with pytest.raises(TokenizerError) as caught:
        build()
    message = str(caught.value)
    assert "\n" not in message
    assert f"put that file at {offline / 'vocab.bpe'}, or set TIKTOKEN_CACHE_DIR" in message
    assert f"under the name {MERGES}" in message
    assert "could not be downloaded from" in message


def test_the_named_file_helps(offline: Path, tiktoken_cache: Path) -> None:
    offline.mkdir(parents=True)
    shutil.copy(tiktoken_cache / MERGES, offline / "vocab.bpe")
    assert build().vocab_size == 50257
    (offline / "vocab.bpe").write_text("#version: 0.2\na b\n")
    with pytest.raises(TokenizerError, match="could not be downloaded"):
        build()
