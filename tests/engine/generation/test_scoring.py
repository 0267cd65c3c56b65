from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.responder import Responder
from minigpt_tui.engine.generation.scored_text import scored_text
from minigpt_tui.engine.generation.scoring import TextScorer
from minigpt_tui.engine.requests import Failed, GenerationMessage, Load, RequestError, Scored, ScoreProgress, ScoreText
from minigpt_tui.engine.text_loss import TextLoss
from minigpt_tui.engine.training.loop.evaluation import evaluate

TEXT = "abcdefgh\nhgfedcba\n" * 9


def scored(
    decoder: Decoder, text: str, explain: bool = False, *, start: int = 0, **passes: int
) -> tuple[TextLoss, list]:
    score = TextScorer(decoder, scored_text(decoder, text, start=start, aligned=explain), explain, **passes)
    details = [detail for _, details in score for detail in details]
    return score.result, details


@pytest.mark.parametrize("length", [18, 21, 50, len(TEXT)])
@pytest.mark.parametrize("passes", [{}, {"tokens_per_pass": 32}, {"logits_per_pass": 40}], ids=str)
def test_the_scores_add_up_to_the_loss_of_the_sliding_evaluation(
    random_model, length: int, passes: dict[str, int]
) -> None:
    model, tokenizer = random_model(context_length=16)
    text = TEXT[:length]
    score, details = scored(Decoder(model, tokenizer), text, explain=True, **passes)
    theirs = evaluate(model, torch.tensor(tokenizer.encode(text)), len(text), "sliding")
    assert (score.tokens, theirs.tokens) == (length - 1, length - 1)
    assert score.loss == pytest.approx(theirs.loss, rel=1e-5)
    assert score.perplexity == pytest.approx(theirs.perplexity, rel=1e-4)
    assert score.bits_per_byte == pytest.approx(theirs.bits_per_byte, rel=1e-5)
    assert "".join(detail.text for detail in details) == text[1:]
    assert -sum(math.log(detail.probability) for detail in details) == pytest.approx(
        score.loss * score.tokens, rel=1e-4
    )
    assert all(detail.probability == detail.drawn_probability for detail in details)


def test_a_text_within_the_context_is_one_window(random_model) -> None:
    model, tokenizer = random_model(context_length=16)
    for text in ("ab", "abcdefgh"):
        ids = torch.tensor([tokenizer.encode(text).tolist()])
        with torch.no_grad():
            loss = model.loss(ids[:, :-1], ids[:, 1:]).item()
        score, details = scored(Decoder(model, tokenizer), text)
        assert (score.loss, score.tokens, details) == (pytest.approx(loss, rel=1e-5), len(text) - 1, [])


def test_where_something_stands_before_every_text_the_first_token_is_predicted_too(random_model) -> None:
    model, tokenizer = random_model(context_length=16)
    tokenizer.begin = (8,)
    score, details = scored(Decoder(model, tokenizer), "abc", explain=True)
    assert [detail.text for detail in details] == ["a", "b", "c"]
    assert score.tokens == 3
    assert scored(Decoder(model, tokenizer), "a")[0].tokens == 1


def test_bits_per_byte_count_bytes_not_tokens_or_characters() -> None:
    from minigpt_tui.models.config import ModelConfig
    from minigpt_tui.models.gpt import GPT

    tokenizer = build_tokenizer("char", alphabet="é€a", pieces=list)
    model = GPT(ModelConfig(3, 8, n_layer=1, n_head=1, d_model=16))
    with torch.no_grad():
        assert model.head is not None
        model.head.zero_()
    score, _ = scored(Decoder(model, tokenizer), "é€a")
    assert score.loss == pytest.approx(math.log(3))
    assert score.bits_per_byte == pytest.approx(3 * math.log2(3) / 6)


@pytest.mark.parametrize("text", ["", "a", "€", "€a"])
def test_a_text_with_nothing_to_predict_is_refused(random_model, text: str) -> None:
    with pytest.raises(RequestError, match="at least two tokens"):
        scored_text(Decoder(*random_model()), text)


def test_through_the_process(random_model, save, tmp_path: Path) -> None:
    sent: list[GenerationMessage] = []
    responder = Responder(sent.append)
    responder.answer(ScoreText(1, "ab"), lambda: False)
    assert isinstance(sent[-1], Failed)
    responder.answer(Load(2, str(save(tmp_path / "checkpoint", random_model())), device="cpu"), lambda: False)
    responder.answer(ScoreText(3, TEXT + "€", explain=True), lambda: False)
    done = sent[-1]
    assert isinstance(done, Scored)
    assert done.notices == ("the model has never seen '€'; left out of the text",)
    parts = [message for message in sent if isinstance(message, ScoreProgress)]
    assert sum(len(part.details) for part in parts) == done.tokens == len(TEXT) - 1
    assert [part.fraction for part in parts] == sorted(part.fraction for part in parts)
    assert parts[-1].fraction == 1
    responder.answer(ScoreText(4, TEXT), lambda: True)
    assert isinstance(sent[-1], Failed)
    responder.answer(ScoreText(5, TEXT), lambda: False)
    assert isinstance(sent[-1], Scored)
    assert sent[-1].loss == done.loss


def test_the_characters_of_the_tokens_end_where_the_text_ends_whatever_was_left_out(random_model) -> None:
    text = "“abc” — def\nhgf"
    _, details = scored(Decoder(*random_model()), text, explain=True)
    at = len(text) - sum(detail.characters for detail in details)
    assert text[:at] == "“a"
    for detail in details:
        assert text[at] == detail.text
        at += detail.characters


@pytest.mark.parametrize("start", [1, 15, 16, 17, 40, 64, len(TEXT) - 1])
@pytest.mark.parametrize("passes", [{}, {"tokens_per_pass": 32}], ids=str)
def test_what_stands_behind_a_place_is_scored_as_in_the_whole_text(
    random_model, start: int, passes: dict[str, int]
) -> None:
    model, tokenizer = random_model(context_length=16)
    decoder = Decoder(model, tokenizer)
    _, whole = scored(decoder, TEXT, explain=True)
    score, part = scored(decoder, TEXT, explain=True, start=start, **passes)
    assert score.tokens == len(part) == len(TEXT) - start
    for one, other in zip(part, whole[start - 1 :], strict=True):
        assert (one.token, one.characters) == (other.token, 1)
        assert one.probability == pytest.approx(other.probability, rel=1e-4)
    assert score.loss == pytest.approx(-sum(math.log(one.probability) for one in part) / len(part), rel=1e-4)


def test_behind_the_end_of_a_text_nothing_is_scored(random_model) -> None:
    for start in (3, 99):
        with pytest.raises(RequestError, match=f"no token behind its first {start} characters"):
            scored_text(Decoder(*random_model()), "abc", start=start)
    with pytest.raises(ValueError, match="start must be at least 0"):
        ScoreText(1, "abc", start=-1)
