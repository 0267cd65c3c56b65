"""llama.cpp computes from an export what we do, with the same tokens."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data.tokenizers import load_tokenizer
from minigpt_tui.engine.export.vocabulary import describe_vocabulary
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.gguf import write_gguf
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.models.recipe import TokenizerKind

from .runs_to_export import BASE, GPT2, TEXT, export, foreign_tokenizer, make_run, tokenizer_of

gguf = pytest.importorskip("gguf")

OTHERS = "The Śnieg, è 語 🙃 \u0300end?"  # some of these characters begin with the same bytes as those above
LLAMA = replace(BASE, qk_norm=False)
BLOCKS = {
    "gpt2": GPT2,
    "gpt2-exact-gelu": replace(GPT2, mlp="gelu", bias=True, tied=True, n_kv_head=2),
    "gpt2-sinusoidal": replace(GPT2, position="sinusoidal"),
    "gpt2-attention-only": replace(GPT2, position="none", mlp="none"),
    "llama": replace(LLAMA, n_kv_head=2, bias=True, rope_theta=5000.0),
    "llama-linear": replace(LLAMA, mlp="none", rope_scaling="linear", rope_factor=2.0),
    "llama-llama3": replace(
        LLAMA, head_dim=32, qkv_bias=True, tied=True, rope_scaling="llama3", rope_factor=8.0, rope_original_context=16
    ),
    "qwen2": replace(LLAMA, qkv_bias=True, tied=True, n_kv_head=1),
    "qwen3": replace(BASE, n_kv_head=2, head_dim=32),
    "qwen3-bias-linear": replace(BASE, qkv_bias=True, rope_scaling="linear", rope_factor=2.0),
    "arcee": replace(LLAMA, mlp="relu2", n_kv_head=2),
}
# llama.cpp reads GELU from a table of half-precision numbers on a CPU
TOLERANCES = {"gpt2": 1e-2, "gpt2-exact-gelu": 1e-2, "gpt2-sinusoidal": 1e-2}


def continuation(model: GPT, ids: list[int], length: int) -> tuple[list[int], float]:
    """Greedy tokens after `ids`, and by how much the closest decision was made."""
    closest, text = float("inf"), list(ids)
    with torch.inference_mode():
        for _ in range(length):
            first, second = model(torch.tensor([text]))[0, -1].topk(2).values.tolist()
            closest = min(closest, first - second)
            text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
    return text[len(ids) :], closest


def open_in_llama_cpp(path: Path, exact: bool = True) -> Any:
    llama_cpp = pytest.importorskip("llama_cpp")
    cache = {"type_k": llama_cpp.GGML_TYPE_F32, "type_v": llama_cpp.GGML_TYPE_F32} if exact else {}
    return llama_cpp.Llama(str(path), n_ctx=64, n_threads=1, logits_all=True, verbose=False, **cache)


def their_continuation(llama: Any, ids: list[int], length: int) -> list[int]:
    llama.reset()
    tokens = llama.generate(ids, temp=0.0, repeat_penalty=1.0)
    return [next(tokens) for _ in range(length)]


@pytest.mark.parametrize("case", BLOCKS)
def test_llama_cpp_computes_the_same(case: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("llama_cpp")
    run = make_run(BLOCKS[case], tokenizer_of("char"))
    result = export(capsys, run, home / "x.gguf")
    assert result.architecture == case.split("-")[0]
    model, tokenizer = load_checkpoint(run.checkpoints / "best").model, load_tokenizer(run.checkpoints / "best")
    llama = open_in_llama_cpp(home / "x.gguf")
    ids = list(tokenizer.encode(TEXT[:40]))
    llama.eval(ids)
    theirs = torch.tensor(llama.scores[: len(ids)])
    with torch.inference_mode():
        ours = model(torch.tensor([ids]))[0]
    tolerance = TOLERANCES.get(case, 1e-4)
    torch.testing.assert_close(theirs[:, :-1], ours, atol=tolerance, rtol=1e-4)
    torch.testing.assert_close(theirs[:, -1], ours.mean(1), atol=tolerance, rtol=1e-4)  # the end that the file added
    expected, margin = continuation(model, ids[:20], 24)
    assert margin > 2 * tolerance, "the model is not decided enough for this test; choose another seed"
    assert their_continuation(llama, ids[:20], 24) == expected


@pytest.mark.parametrize("kind", ["char", "byte", "bpe", "gpt2"])
def test_llama_cpp_has_the_same_tokens_and_text(
    kind: TokenizerKind, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_cpp")
    if kind == "gpt2":
        cache = Path(__file__).parents[3] / "shared" / "data" / "tiktoken-cache"
        if not cache.is_dir():
            pytest.skip(f"GPT-2's merges are not in {cache}")
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    run = make_run(BASE, tokenizer_of(kind))
    export(capsys, run, home / "x.gguf")
    model, tokenizer = load_checkpoint(run.checkpoints / "best").model, load_tokenizer(run.checkpoints / "best")
    llama = open_in_llama_cpp(home / "x.gguf")
    for text in (
        TEXT,
        OTHERS,
        " a",
        "a ",
        "\n",
        "\r\n\n  x",
        "it's IT'S 1234567",
        "<|endoftext|><|end|>",
        "\0ÿ",
        "ǅ ª²",
    ):
        known, _ = tokenizer.drop_unknown(text)
        ids = llama.tokenize(text.encode(), add_bos=True, special=False)
        assert ids == list(tokenizer.encode(known)), text
        assert llama.detokenize(ids).decode() == known
    ids = list(tokenizer.encode(TEXT[:30]))
    expected, margin = continuation(model, ids, 24)
    assert margin > 1e-3, "the model is not decided enough for this test; choose another seed"
    assert their_continuation(llama, ids, 24) == expected
    assert llama.token_eos() not in tokenizer.encode(tokenizer.drop_unknown(TEXT + OTHERS)[0])


@pytest.mark.parametrize("pattern", ["qwen2", "llama-bpe", "dbrx", "smollm"])
def test_llama_cpp_cuts_words_like_foreign_tokenizers(pattern: str, home: Path) -> None:
    tokenizer = foreign_tokenizer(home, pattern)
    described = describe_vocabulary(tokenizer, tokenizer.vocab_size + 3)
    assert described.vocabulary.pattern == pattern
    assert described.vocabulary.adds_begin == (pattern == "llama-bpe")
    assert any("NFC" in notice for notice in described.notices) == (pattern == "qwen2")
    pytest.importorskip("llama_cpp")
    model = GPT(replace(BASE, n_layer=1, vocab_size=tokenizer.vocab_size + 3))
    weights = dict(model.named_parameters())
    write_gguf(home / "x.gguf", model.config, weights, described.vocabulary, general={"name": "foreign"}, dtype="f16")
    llama = open_in_llama_cpp(home / "x.gguf")
    for text in (
        TEXT.replace("e\u0301", "é").replace("n\u0303", "ñ"),
        "it's IT'S 1234567",
        "a<think>b<|eot|>c",
        "\r\n\n  x",
    ):
        ids = llama.tokenize(text.encode(), add_bos=True, special=False)
        assert ids == [*tokenizer.begin, *tokenizer.encode(text)], text


@pytest.mark.parametrize("dtype", ["f16", "bf16", "q8_0"])
@pytest.mark.parametrize("case", ["gpt2", "llama", "qwen3"])
def test_llama_cpp_generates_from_smaller_types(
    dtype: str, case: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("llama_cpp")
    run = make_run(BLOCKS[case], tokenizer_of("byte"))
    whole = export(capsys, run, home / "f32.gguf")
    small = export(capsys, run, home / "x.gguf", "--dtype", dtype)
    assert small.dtype == dtype
    assert small.bytes == (home / "x.gguf").stat().st_size < 0.75 * whole.bytes
    llama = open_in_llama_cpp(home / "x.gguf", exact=False)
    ids = list(TEXT.encode()[:30])
    llama.eval(ids)
    theirs = torch.tensor(llama.scores[: len(ids)])
    with torch.inference_mode():
        ours = load_checkpoint(run.checkpoints / "best").model(torch.tensor([ids]))[0]
    assert (theirs - ours).abs().mean() < 0.1 * ours.std()
    assert len(their_continuation(llama, ids, 20)) == 20


def test_llama_cpp_survives_more_text_than_there_are_learned_positions(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, for without the longer table llama.cpp aborts."""
    pytest.importorskip("llama_cpp")
    run = make_run(replace(GPT2, context_length=24), tokenizer_of("char"))
    result = export(capsys, run, home / "x.gguf")
    assert any("24 learned positions" in notice for notice in result.notices)
    program = """
import sys, llama_cpp
llama = llama_cpp.Llama(sys.argv[1], n_ctx=0, n_threads=1, verbose=False)
reply = llama.create_completion("The cat", max_tokens=60, temperature=0)
print(reply["usage"]["completion_tokens"], llama.n_ctx())
"""
    command = [sys.executable, "-c", program, str(home / "x.gguf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "60 256\n", done.stderr[-500:]
