"""A model with more rows than its tokenizer has tokens, or fewer: the same numbers as in transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.loaded_model import CheckpointSource
from minigpt_tui.engine.generation.reply import Reply
from minigpt_tui.engine.generation.scored_text import scored_text
from minigpt_tui.engine.generation.scoring import TextScorer
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.training.loop.evaluation import evaluate
from minigpt_tui.models.devices import choose_device

from .test_foreign_models import put_model, put_tokenizer

TEXT = "the cat sat on the mat, and the dog sat"


def opened(folder: Path, surplus: int) -> tuple[Decoder, Any, Any]:
    """A model with so many rows more than its tokenizer has tokens, and transformers' view of both."""
    theirs = put_tokenizer(folder, begins=False)
    model = put_model(folder, "qwen3", len(theirs) + surplus)
    read = CheckpointSource(folder).read(choose_device("cpu", "float32", training=False))
    return Decoder(read.checkpoint.model, read.tokenizer), model, theirs


def test_score_and_evaluate_count_all_rows_as_transformers_does(tmp_path: Path) -> None:
    decoder, model, theirs = opened(tmp_path, surplus=100)
    ids = theirs(TEXT, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = float(model(ids, labels=ids).loss)
    score = TextScorer(decoder, scored_text(decoder, TEXT), explain=True)
    details = [detail for _, some in score for detail in some]
    evaluated = evaluate(decoder.model, ids[0], len(TEXT), "sliding", context_length=ids.shape[1] - 1)
    assert score.result.loss == pytest.approx(expected, rel=1e-4)
    assert evaluated.loss == pytest.approx(expected, rel=1e-4)
    surprise = -sum(torch.tensor([detail.probability for detail in details]).log()) / len(details)
    assert float(surprise) == pytest.approx(expected, rel=1e-4)
    assert all(other.token < len(theirs) for detail in details for other in detail.alternatives)


def test_tokens_without_a_row_are_never_drawn_and_named_in_a_prompt(tmp_path: Path) -> None:
    decoder, model, theirs = opened(tmp_path, surplus=-20)
    assert decoder.vocab_size == len(theirs) - 20
    inputs = theirs("a b", return_tensors="pt", return_token_type_ids=False)
    assert int(inputs.input_ids.max()) < decoder.vocab_size
    new = model.generate(**inputs, do_sample=False, max_new_tokens=20, pad_token_id=1)[0, inputs.input_ids.shape[1] :]
    reply = Reply(decoder, "a b", SamplingSettings(temperature=0, max_tokens=20, forbidden=("the cat",)), explain=True)
    "".join(reply)
    assert [detail.token for detail in reply.details] == new.tolist()[: reply.tokens]
    assert reply.tokens >= 19
    sampled = Reply(decoder, "", SamplingSettings(seed=1, max_tokens=30, repetition_penalty=1.2))
    "".join(sampled)
    with pytest.raises(UserError, match=r"the text has the token '.+' \(id \d+\), but the model has 2\d\d rows"):
        "".join(Reply(decoder, TEXT, SamplingSettings(max_tokens=3)))
    with pytest.raises(UserError, match="rows: that token was added to the tokenizer alone"):
        list(TextScorer(decoder, scored_text(decoder, TEXT)))
