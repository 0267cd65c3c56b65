"""The evaluate process's command line."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.storage.typed_json import from_plain, loads
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.results import EvaluationResult
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.engine.training.evaluate_process import USER_ERROR, main
from minigpt_tui.models.gpt import GPT


@pytest.fixture
def run(make_run, text) -> Run:
    """A run whose `last` knows nothing: every token is as likely as any other; `best` has noise."""
    run = make_run(evaluation_batches=20)
    tokenizer = build_tokenizer("char", alphabet=text.read_text(), pieces=list)
    model = GPT(run.manifest().model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    checkpoints.save(run.checkpoints, "last", model, tokenizer, Counters(step=7))
    model.reset_parameters(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in model.head_parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    checkpoints.save(run.checkpoints, "best", model, tokenizer, Counters(step=5))
    return run


def result(capsys, *arguments: str) -> EvaluationResult:
    assert main([*arguments]) == 0
    *progress, last = map(json.loads, capsys.readouterr().out.splitlines())
    for part in ("reading", "encoding", "evaluating"):
        fractions = [line["progress"] for line in progress if line["doing"] == part]
        assert fractions == sorted(fractions)
    assert any(line["doing"] == "evaluating" for line in progress)
    return from_plain(EvaluationResult, last)


@pytest.mark.parametrize("protocol", ["full", "sliding", "random"])
def test_a_checkpoint_is_scored_on_the_validation_text_of_its_run(run, capsys, protocol):
    found = result(capsys, str(run.checkpoints / "last"), "--protocol", protocol)
    vocabulary = run.manifest().model.vocab_size
    assert found.loss == pytest.approx(math.log(vocabulary), rel=1e-6)
    assert found.perplexity == pytest.approx(vocabulary, rel=1e-5)
    assert (found.run, found.step, found.protocol) == (run.name, 7, protocol)
    if protocol != "random":
        assert found.tokens == 2000 - 1  # a tenth of the text


def test_a_run_stands_for_its_best_checkpoint(run, capsys):
    assert result(capsys, str(run.path)).step == 5


def test_windows_may_be_shorter_than_the_context(run, capsys):
    best = str(run.checkpoints / "best")
    short, own = result(capsys, best, "--context-length", "4"), result(capsys, best)
    assert short.tokens == own.tokens == 2000 - 1
    assert short.loss != own.loss
    assert result(capsys, best, "--context-length", "16") == own
    for length in ("0", "17"):
        assert main([best, "--context-length", length]) == USER_ERROR
        assert "allows 1 to 16" in capsys.readouterr().err


def test_a_text_with_characters_that_the_models_own_tokenizer_lacks_is_scored_without_them(run, capsys, text):
    content = text.read_text()
    checkpoint = run.checkpoints / "last"
    alphabet = "".join(sorted(set(content) - {"e"}))
    build_tokenizer("char", alphabet=alphabet, pieces=list).save(checkpoint)
    validation = content[int(len(content) * 0.9) :]
    assert "e" in validation
    assert result(capsys, str(checkpoint)).tokens == len(validation.replace("e", "")) - 1


def test_another_text_is_read_whole_without_unknown_characters(run, capsys, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("import sys" * 100 + "\N{SNOWMAN}" * 3, encoding="utf-8")
    assert main([str(run.path), "--on", str(other)]) == 0
    output = capsys.readouterr()
    assert loads(EvaluationResult, output.out.splitlines()[-1]).tokens == 999
    assert "3 characters" in output.err


def test_what_cannot_be_evaluated_is_named_in_one_sentence(run, capsys, tmp_path, text):
    short = tmp_path / "short.txt"
    short.write_text("i")
    strange = tmp_path / "strange.txt"
    strange.write_text("\N{SNOWMAN}" * 100, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    weights = run.checkpoints / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    text.write_text(text.read_text() + "more")
    for arguments, words in (
        ([str(tmp_path / "nowhere")], "there is no "),
        ([str(tmp_path / "empty")], "is an empty folder"),
        ([str(run.checkpoints / "best")], "model.safetensors is damaged"),
        ([str(run.checkpoints / "last")], "has changed"),
        ([str(run.checkpoints / "last"), "--on", str(tmp_path / "gone.txt")], "gone.txt"),
        ([str(run.checkpoints / "last"), "--on", str(short)], "fewer than two tokens for this model"),
        ([str(run.checkpoints / "last"), "--on", ""], "no corpus is named"),
        ([str(run.checkpoints / "last"), "--on", "tales", "--device", "abacus"], "abacus"),
    ):
        assert main(arguments) == USER_ERROR, arguments
        output = capsys.readouterr()
        assert all("progress" in json.loads(line) for line in output.out.splitlines())
        assert words in output.err
        assert len(output.err.splitlines()) == 1
    assert main([str(run.checkpoints / "last"), "--on", str(strange)]) == USER_ERROR
    assert "100 characters that the model has never seen are left out" in (told := capsys.readouterr().err)
    assert "fewer than two tokens for this model" in told


def nanogpt(path: Path, alphabet: str, context_length: int = 16) -> Path:
    """A ckpt.pt of nanoGPT's that knows nothing, so that each of its tokens is as likely as any other."""
    path.parent.mkdir(parents=True)
    blocks = {"ln_1": (8,), "attn.c_attn": (24, 8), "attn.c_proj": (8, 8), "ln_2": (8,), "mlp.c_fc": (32, 8),
              "mlp.c_proj": (8, 32)}  # fmt: skip
    shapes = {"wte": (len(alphabet), 8), "wpe": (context_length, 8), "ln_f": (8,)}
    weights = {
        name: torch.zeros(shape) for name, shape in (shapes | {f"h.0.{k}": v for k, v in blocks.items()}).items()
    }
    sizes = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": context_length, "vocab_size": len(alphabet)}
    model = {f"transformer.{name}.weight": tensor for name, tensor in weights.items()}
    torch.save({"model": model, "model_args": sizes, "iter_num": 40}, path)
    itos = dict(enumerate(alphabet))
    (path.parent / "meta.pkl").write_bytes(pickle.dumps({"itos": itos, "stoi": {c: i for i, c in itos.items()}}))
    return path


@pytest.mark.parametrize("context_length", [16, 5000])
def test_a_foreign_model_is_scored_on_a_text_that_is_named(capsys, tmp_path, context_length):
    path = nanogpt(tmp_path / "out-letters" / "ckpt.pt", "zyxabc\n", context_length)
    other = tmp_path / "other.txt"
    other.write_text("abcabc\n!" * 300)
    for subject in (path, path.parent):
        found = result(capsys, str(subject), "--on", str(other))
        assert (found.run, found.step, found.tokens) == ("out-letters", 40, 2099)
        assert found.loss == pytest.approx(math.log(7), rel=1e-6)
        assert found.bits_per_byte == pytest.approx(math.log2(7), rel=1e-3)
    assert main([str(path)]) == USER_ERROR
    assert "lies in no run; name the text to evaluate on with --on" in capsys.readouterr().err


def test_names_of_special_tokens_are_tokens_unless_the_text_is_read_literally(run, capsys, tmp_path):
    tokenizer = build_tokenizer("bpe", alphabet="", pieces=lambda: ["abc abc " * 9], bpe_vocab_size=258)
    model = GPT(replace(run.manifest().model, vocab_size=tokenizer.vocab_size))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    checkpoints.save(run.checkpoints, "best", model, tokenizer, Counters(step=5))
    other = tmp_path / "other.txt"
    other.write_text("abc<|endoftext|>" * 50)
    moved = shutil.move(run.checkpoints / "best", tmp_path / "model")  # in no run, so nobody says how it has learned
    for literal in (False, True):
        n_tokens = len(tokenizer.encode(other.read_text(), literal))
        found = result(capsys, str(moved), "--on", str(other), *(["--literal"] if literal else []))
        assert found.tokens == n_tokens - 1
        n_bytes = 16 * 50 * found.tokens / n_tokens  # without those of the first token
        assert found.bits_per_byte == pytest.approx(found.loss * found.tokens / n_bytes / math.log(2), rel=1e-3)
    checkpoints.save(run.checkpoints, "best", model, tokenizer, Counters(step=5))
    path = run.path / "run.json"
    for learned_literally in (False, True):
        manifest = json.loads(path.read_text()) | {"literal": learned_literally}
        path.write_text(json.dumps(manifest))
        found = result(capsys, str(run.checkpoints / "best"), "--on", str(other))
        assert found.tokens == len(tokenizer.encode(other.read_text(), learned_literally)) - 1


@pytest.mark.parametrize("length", [2, 9, 16])
@pytest.mark.parametrize("protocol", ["full", "sliding", "random"])
def test_a_text_shorter_than_the_context_is_one_short_window(run, capsys, tmp_path, length, protocol):
    other = tmp_path / "other.txt"
    other.write_text("import argparse as"[:length])
    found = result(capsys, str(run.checkpoints / "last"), "--on", str(other), "--protocol", protocol)
    assert found.loss == pytest.approx(math.log(run.manifest().model.vocab_size), rel=1e-6)
    if protocol != "random":
        assert found.tokens == length - 1


def test_a_foreign_model_of_a_long_context_is_scored_on_a_short_text(capsys, tmp_path):
    path = nanogpt(tmp_path / "out" / "ckpt.pt", "abc", 512)
    other = tmp_path / "other.txt"
    other.write_text("abcab")
    for protocol in ("full", "sliding"):
        assert result(capsys, str(path), "--on", str(other), "--protocol", protocol).tokens == 4


def test_a_text_larger_than_what_is_encoded_at_once_is_scored_whole(run, capsys, tmp_path):
    other = tmp_path / "other.txt"
    # a megabyte, most of it characters that the model does not know: only the others are predicted
    other.write_text(("import argparse\n" + 20 * "\N{SNOWMAN}") * 15_000, encoding="utf-8")
    assert main([str(run.checkpoints / "last"), "--on", str(other)]) == 0
    output = capsys.readouterr()
    assert loads(EvaluationResult, output.out.splitlines()[-1]).tokens == 16 * 15_000 - 1
    assert "300,000 characters" in output.err


def test_a_tokenizer_of_another_model_is_refused(run, capsys, tmp_path):
    folder = tmp_path / "copied"
    shutil.copytree(run.checkpoints / "last", folder)
    alphabet = "".join(map(chr, range(32, 500)))
    build_tokenizer("char", alphabet=alphabet, pieces=list).save(folder)
    other = tmp_path / "other.txt"
    other.write_text(alphabet * 10, encoding="utf-8")
    assert main([str(folder), "--on", str(other)]) == USER_ERROR
    assert "or the tokenizer is another model's" in capsys.readouterr().err
