"""The evaluate process's command line."""

from __future__ import annotations

import json
import math

import pytest
import torch
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.events import EvaluationResult
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.engine.training.evaluate import USER_ERROR, main
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.typed_json import loads


@pytest.fixture
def run(make_run, text) -> Run:
    """A run whose `last` knows nothing: every token is as likely as any other; `best` has noise."""
    run = make_run()
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
    *progress, last = capsys.readouterr().out.splitlines()
    fractions = [json.loads(line)["progress"] for line in progress]
    assert fractions == sorted(fractions)
    return loads(EvaluationResult, last)


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


def test_another_text_is_read_whole_without_unknown_characters(run, capsys, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("import sys" * 100 + "\N{SNOWMAN}" * 3, encoding="utf-8")
    assert main([str(run.path), "--on", str(other)]) == 0
    output = capsys.readouterr()
    assert loads(EvaluationResult, output.out.splitlines()[-1]).tokens == 999
    assert "3 characters" in output.err


def test_what_cannot_be_evaluated_is_named_in_one_sentence(run, capsys, tmp_path, text):
    short = tmp_path / "short.txt"
    short.write_text("import")
    (tmp_path / "empty").mkdir()
    weights = run.checkpoints / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    text.write_text(text.read_text() + "more")
    for arguments, words in (
        ([str(tmp_path / "nowhere")], "nowhere holds no checkpoint"),
        ([str(tmp_path / "empty")], "empty holds no checkpoint"),
        ([str(run.checkpoints / "best")], "model.safetensors is damaged"),
        ([str(run.checkpoints / "last")], "has changed"),
        ([str(run.checkpoints / "last"), "--on", str(tmp_path / "gone.txt")], "gone.txt"),
        ([str(run.checkpoints / "last"), "--on", str(short)], "context length"),
        ([str(run.checkpoints / "last"), "--on", "tales", "--device", "abacus"], "abacus"),
    ):
        assert main(arguments) == USER_ERROR, arguments
        output = capsys.readouterr()
        assert output.out == ""
        assert words in output.err
        assert len(output.err.splitlines()) == 1
