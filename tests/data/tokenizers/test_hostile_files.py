"""Damaged and hostile folders: refused in one sentence, nothing executed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.tokenizers import ByteTokenizer, CharTokenizer, TokenizerError, build_tokenizer, load_tokenizer
from minigpt_tui.data.tokenizers.load import MAX_FILE_SIZE

Refused = Callable[[str | bytes, str], None]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    def check(content: str | bytes, why: str) -> None:
        (tmp_path / "tokenizer.json").write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(TokenizerError, match=why) as caught:
            load_tokenizer(tmp_path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600

    return check


def bpe() -> dict[str, Any]:
    text = "low lower lowest newer wider " * 20
    return build_tokenizer("bpe", alphabet="", pieces=lambda: [text], bpe_vocab_size=270).to_huggingface()


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer\.json cannot be read: No such file"):
        load_tokenizer(tmp_path)
    with pytest.raises(TokenizerError, match="cannot be read"):
        load_tokenizer(tmp_path / "nowhere")
    (tmp_path / "tokenizer.json").mkdir()
    with pytest.raises(TokenizerError, match="cannot be read: Is a directory"):
        load_tokenizer(tmp_path)


def test_files_that_are_not_json(refused: Refused) -> None:
    good = json.dumps(CharTokenizer("ab").to_huggingface())
    refused(good[:-20], "damaged: it is not JSON")
    refused(b"\xff\xfe\x00", "damaged: it is not JSON")
    refused(b"", "damaged: it is not JSON")
    refused("[" * 100_000, "damaged: it is not JSON")
    refused('{"model": ' + "9" * 5000 + "}", "damaged: it is not JSON")
    refused("[]", "not a JSON object")
    refused("null", "not a JSON object")


def test_a_file_that_is_too_large(refused: Refused, tmp_path: Path) -> None:
    refused(b"", "damaged")
    os.truncate(tmp_path / "tokenizer.json", MAX_FILE_SIZE + 1)
    with pytest.raises(TokenizerError, match="larger than 64 MB"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("vocabulary", "why"),
    [
        (None, "no vocabulary"),
        ("ab", "no vocabulary"),
        ({}, "vocabulary .* is empty"),
        ([], "vocabulary .* is empty"),
        ({"a": 0, "b": 0}, "id 0 to two tokens"),
        ({"a": 0, "b": -1}, "'b' the id '-1'"),
        ({"a": 0, "b": 1 << 40}, "'b' the id '1099511627776'"),
        ({"a": 0, "b": 1 << 23}, "'b' the id"),
        ({"a": 0, "b": "1"}, "'b' the id '1'"),
        ({"a": 0, "b": True}, "'b' the id 'True'"),
        ({"a": 0, "b": 1.0}, "'b' the id"),
        ({"a": 0, "b": None}, "'b' the id"),
        ({"a": 0, "b": [1]}, "'b' the id"),
        ([["a", 0.0], [3, 0.0]], "'3' the id"),
        (["a", None], "'None' the id"),
        ({"a": 0, "\ud800": 1}, "tokenizers library cannot build it"),
    ],
)
def test_ids_that_are_none(refused: Refused, vocabulary: Any, why: str) -> None:
    content = CharTokenizer("ab").to_huggingface()
    refused(json.dumps(content | {"model": content["model"] | {"vocab": vocabulary}}), why)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": None}, "no model"),
        ({"model": "BPE"}, "no model"),
        ({"added_tokens": "x"}, "not a list of objects"),
        ({"added_tokens": [1]}, "not a list of objects"),
        ({"added_tokens": [{"id": -2, "content": "<s>"}]}, "'<s>' the id '-2'"),
        ({"added_tokens": [{"id": 1, "content": "<s>", "special": True}]}, "missing field `single_word`"),
        ({"added_tokens": [{"id": 2, "content": 7}]}, "'7' the id"),
        ({"added_tokens": [{"id": 2, "content": "<s>"}]}, "tokenizers library cannot build it"),
        ({"pre_tokenizer": {"type": "Nonsense"}}, "tokenizers library cannot build it"),
        ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}}, "cannot build it"),
        ({"decoder": 3}, "tokenizers library cannot build it"),
        ({"normalizer": "x"}, "tokenizers library cannot build it"),
        ({"post_processor": {"type": "TemplateProcessing"}}, "tokenizers library cannot build it"),
    ],
)
def test_parts_that_are_none(refused: Refused, change: dict[str, Any], why: str) -> None:
    refused(json.dumps(CharTokenizer("ab").to_huggingface() | change), why)


@pytest.mark.parametrize("said", [1, 900])
def test_added_tokens_get_the_ids_that_follow_whatever_the_file_says(tmp_path: Path, said: int) -> None:
    token = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    content = ByteTokenizer().to_huggingface() | {"added_tokens": [{"id": said, "content": "<s>"} | token]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.vocab_size, tokenizer.special_tokens) == (257, {"<s>": 256})


@pytest.mark.parametrize("merges", ["x", [["a"]], [["a", "zz"]], [[1, 2]], [["l", "o", "w"]], {"a": 1}, [None]])
def test_merges_that_are_none(refused: Refused, merges: Any) -> None:
    content = bpe()
    refused(
        json.dumps(content | {"model": content["model"] | {"merges": merges}}), "tokenizers library cannot build it"
    )


def test_merges_that_contradict_the_ranks_keep_their_own_meaning(tmp_path: Path) -> None:
    """Such a tokenizer is not handed to tiktoken, whose ids would differ."""
    content = bpe()
    content["model"]["merges"].reverse()
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    assert load_tokenizer(tmp_path).kind == "huggingface"


def test_the_other_files_are_not_trusted_either(tmp_path: Path) -> None:
    ByteTokenizer().save(tmp_path)
    for name in ("tokenizer_config.json", "config.json", "generation_config.json", "special_tokens_map.json"):
        good = (tmp_path / name).read_bytes() if (tmp_path / name).exists() else b"{}"
        for content in (b"{", b"[]", b"\xff"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(TokenizerError, match=rf"{name} is damaged") as caught:
                load_tokenizer(tmp_path)
            assert "\n" not in str(caught.value)
        (tmp_path / name).write_bytes(good)
    assert load_tokenizer(tmp_path).kind == "byte"


@pytest.mark.parametrize(
    ("merges", "vocabulary", "why"),
    [
        (b"a b c\n", {"a": 0}, "a line has not two parts"),
        (b"\xff\xfe", {"a": 0}, "not UTF-8"),
        (b"a b\n", {"a": 0, "b": 1}, "cannot build it"),
        (b"", {"a": "0"}, "which is none"),
        (b"", {}, "empty"),
    ],
)
def test_a_vocabulary_and_merges_that_are_damaged(
    tmp_path: Path, merges: bytes, vocabulary: dict[str, Any], why: str
) -> None:
    (tmp_path / "merges.txt").write_bytes(merges)
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    with pytest.raises(TokenizerError, match=why):
        load_tokenizer(tmp_path)


def test_two_files_of_an_unknown_family_say_too_little(tmp_path: Path) -> None:
    (tmp_path / "merges.txt").write_text("")
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "CodeThing"}')
    with pytest.raises(TokenizerError, match=r"of a CodeThing do not say enough; add its tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_characters_and_bytes_need_no_library(tmp_path: Path) -> None:
    CharTokenizer("ab", "token").save(tmp_path / "char")
    ByteTokenizer().save(tmp_path / "byte")
    program = (
        "import sys, pathlib; from minigpt_tui.data.tokenizers import load_tokenizer\n"
        "for folder in sys.argv[1:]: load_tokenizer(pathlib.Path(folder)).encode('ab')\n"
        "assert not {'tiktoken', 'tokenizers', 'regex', 'numpy', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "char", tmp_path / "byte"], check=True)


BOM = b"\xef\xbb\xbf"


def test_files_that_an_editor_of_windows_has_saved_are_the_same(tmp_path: Path) -> None:
    made = build_tokenizer(
        "bpe", alphabet="", pieces=lambda: ["low lower lowest newer wider " * 20], bpe_vocab_size=270
    )
    plain, marked = tmp_path / "plain", tmp_path / "marked"
    for folder in (plain, marked):
        made.save(folder)
        content = json.loads((folder / "tokenizer.json").read_bytes())["model"]
        (folder / "tokenizer.json").unlink()
        (folder / "vocab.json").write_text(json.dumps(content["vocab"]))
        merges = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in content["merges"])])
        (folder / "merges.txt").write_text(merges, encoding="utf-8")
        settings = {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        (folder / "generation_config.json").write_text('{"eos_token_id": 256}')
        (folder / "config.json").write_text('{"eos_token_id": 257}')
        (folder / "chat_template.jinja").write_text("{{ messages }}")
    for path in marked.iterdir():
        path.write_bytes(BOM + path.read_bytes())
    one, other = load_tokenizer(plain), load_tokenizer(marked)
    assert other.end_tokens == one.end_tokens == {256}
    assert other.encode("lower newest") == one.encode("lower newest")
    assert other.chat_templates == one.chat_templates == {"default": "{{ messages }}"}
