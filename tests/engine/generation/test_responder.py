"""What the process cannot be made to do from outside: errors that nobody foresaw."""

from __future__ import annotations

import weakref
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.generation.loaded_model import CheckpointSource, ReadModel
from minigpt_tui.engine.generation.responder import Responder
from minigpt_tui.engine.requests import (
    Ended,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Loaded,
    Quantization,
    SamplingSettings,
    Tokens,
)
from minigpt_tui.models.devices import DeviceChoice
from minigpt_tui.models.gpt import GPT


@pytest.fixture
def sent() -> list[GenerationMessage]:
    return []


@pytest.fixture
def responder(sent: list[GenerationMessage], chain, save, tmp_path: Path) -> Responder:
    responder = Responder(sent.append)
    responder.answer(Load(1, str(save(tmp_path / "checkpoint", chain("abcdefgh"))), device="cpu"), lambda: False)
    assert isinstance(sent.pop(), Loaded)
    return responder


def test_before_anything_is_loaded_it_says_so(sent: list[GenerationMessage]) -> None:
    Responder(sent.append).answer(Generate(1, "a"), lambda: False)
    assert sent == [Failed(1, "checkpoint", "no model is loaded; open a run or a checkpoint first")]


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (KeyError("x\ny"), "internal", "the request failed inside the program (KeyError: 'x\\ny'); details are in "),
        (RuntimeError("first\nsecond"), "internal", "(RuntimeError: first)"),
        (OSError("disk"), "internal", "(OSError: disk)"),
        (MemoryError(), "memory", "the reply needs more memory than there is; "),
        (torch.OutOfMemoryError("CUDA out of memory"), "memory", "the reply needs more memory than there is; "),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
            "memory",
            "choose a smaller model",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_unforeseen_error_is_one_sentence_its_traceback_is_logged_and_the_next_prompt_is_answered(
    responder: Responder,
    sent: list[GenerationMessage],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    kind: str,
    says: str,
) -> None:
    request = Generate(2, "ab", SamplingSettings(temperature=0, max_tokens=3))
    with monkeypatch.context() as patch:

        def fail(self: GPT, tokens: object, cache: object) -> None:
            raise error

        patch.setattr(GPT, "next_logits", fail)
        responder.answer(request, lambda: False)
    (failed,) = sent
    assert isinstance(failed, Failed)
    assert (failed.id, failed.kind) == (2, kind)
    assert says in failed.message
    assert "\n" not in failed.message
    assert "Traceback" in capsys.readouterr().err
    sent.clear()
    responder.answer(request, lambda: False)
    assert "".join(m.text for m in sent if isinstance(m, Tokens)) == "cde"
    assert isinstance(sent[-1], Ended)


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_the_old_model_has_left_when_the_next_one_is_read(
    responder: Responder,
    sent: list[GenerationMessage],
    chain,
    save,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quantize: Quantization,
) -> None:
    models: list[weakref.ref[GPT]] = []
    alive: list[int] = []
    open_source = CheckpointSource.read

    def opened(self: CheckpointSource, choice: DeviceChoice) -> ReadModel:
        alive.append(sum(model() is not None for model in models))
        result = open_source(self, choice)
        models.append(weakref.ref(result.checkpoint.model))
        return result

    monkeypatch.setattr(CheckpointSource, "read", opened)
    other = str(save(tmp_path / "other", chain("abcdefgh")))
    for request in range(2, 8, 2):
        responder.answer(Load(request, other, device="cpu", quantize=quantize), lambda: False)
        responder.answer(Generate(request + 1, "ab", SamplingSettings(max_tokens=3)), lambda: False)
        assert isinstance(sent[-1], Ended)
    assert alive == [0, 0, 0]


def test_text_that_waited_for_no_further_token_is_sent_as_any_other(
    sent: list[GenerationMessage], chain, save, tmp_path: Path
) -> None:
    responder = Responder(sent.append, send_interval=0)  # each piece on its own, as of a slow model
    responder.answer(Load(1, str(save(tmp_path / "checkpoint", chain("abcdefgh"))), device="cpu"), lambda: False)
    # d sets c free and waits itself, as it may begin a stop string; the end of the reply sets it free
    settings = SamplingSettings(temperature=0, max_tokens=3, stop=("cx", "dx"))
    responder.answer(Generate(2, "a", settings), lambda: False)
    assert [(m.text, m.count) for m in sent if isinstance(m, Tokens)] == [("b", 1), ("c", 2), ("d", 0)]
    assert isinstance(sent[-1], Ended)


def test_a_model_too_large_for_the_memory_is_said_so_and_its_load_is_tried_again(
    sent: list[GenerationMessage], chain, save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    responder = Responder(sent.append)
    with monkeypatch.context() as patch:

        def fail(*arguments: object) -> None:
            raise torch.OutOfMemoryError

        patch.setattr("minigpt_tui.engine.generation.loaded_model.read_tokenizer", fail)
        responder.answer(Load(1, str(save(tmp_path / "checkpoint", chain("abcd"))), threads=1), lambda: False)
    (failed,) = sent
    assert isinstance(failed, Failed)
    assert failed.kind == "memory"
    assert failed.message.startswith("the model needs more memory than there is")
    responder.answer(Generate(2, "a", SamplingSettings(temperature=0, max_tokens=2)), lambda: False)
    assert [type(m) for m in sent[1:]] == [Loaded, Tokens, Tokens, Ended]


def test_a_diverged_model_is_refused_when_it_is_loaded(
    sent: list[GenerationMessage], chain, save, tmp_path: Path
) -> None:
    model, tokenizer = chain("abcd")
    with torch.no_grad():
        model.head.fill_(torch.nan)
    responder = Responder(sent.append)
    for request in (Load(1, str(save(tmp_path / "checkpoint", (model, tokenizer)))), Generate(2, "a")):
        responder.answer(request, lambda: False)
    assert [(m.id, m.kind) for m in sent if isinstance(m, Failed)] == [(1, "checkpoint"), (2, "checkpoint")]


def test_a_foreign_model_is_loaded_spoken_with_and_not_followed(
    sent: list[GenerationMessage], nanogpt, tmp_path: Path
) -> None:
    responder, path = Responder(sent.append), nanogpt(tmp_path / "ckpt.pt")
    prompt = Generate(2, "abc", SamplingSettings(temperature=0, max_tokens=8))
    responder.answer(Load(1, str(path)), lambda: False)
    (loaded,) = sent
    assert isinstance(loaded, Loaded)
    assert (loaded.step, loaded.validation_loss, loaded.vocab_size, loaded.context_length) == (250, 1.5, 9, 16)
    # 6 x (768 weights of the block and 72 of the head) + 12 x 8 x 16 for the attention
    assert (loaded.parameters, loaded.flops_per_token) == (992, 6 * 840 + 12 * 128)
    sent.clear()
    for _ in range(2):
        responder.answer(prompt, lambda: False)
        path.write_bytes(b"something else")
    assert [type(message) for message in sent].count(Ended) == 2
    assert not [message for message in sent if isinstance(message, (Loaded, Failed))]


def test_a_refused_prompt_is_one_sentence_about_the_prompt(
    sent: list[GenerationMessage], chain, save, tmp_path: Path
) -> None:
    model, _ = chain("abcd")
    tokenizer, responder = CharTokenizer("abcd", "refuse"), Responder(sent.append)
    responder.answer(Load(1, str(save(tmp_path / "checkpoint", (model, tokenizer)))), lambda: False)
    sent.clear()
    responder.answer(Generate(2, "aéb", SamplingSettings(max_tokens=2)), lambda: False)
    (failed,) = sent
    assert isinstance(failed, Failed)
    assert failed.kind == "prompt"
    assert failed.message.startswith("the prompt cannot be read: the tokenizer has no token for 'é'")


def test_what_is_no_model_is_one_sentence(sent: list[GenerationMessage], tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text("Once")
    responder = Responder(sent.append)
    for path in (tmp_path / "novel.txt", tmp_path / "nothing"):
        responder.answer(Load(1, str(path)), lambda: False)
    assert [message.kind for message in sent if isinstance(message, Failed)] == ["checkpoint", "checkpoint"]


def test_what_it_says_of_its_log_is_where_that_lies(
    responder: Responder, sent: list[GenerationMessage], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever starts the process starts it beside its log, which is a temporary folder where there is no other."""

    def fail(self: GPT, tokens: object, cache: object) -> None:
        raise RuntimeError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(GPT, "next_logits", fail)
    responder.answer(Generate(2, "ab", SamplingSettings(max_tokens=3)), lambda: False)
    (failed,) = sent
    assert isinstance(failed, Failed)
    assert failed.message.endswith(f"details are in {tmp_path / 'generate.log'}")


def test_however_fast_tokens_come_a_line_with_their_details_stays_short(
    sent: list[GenerationMessage], chain, save, tmp_path: Path
) -> None:
    responder = Responder(sent.append, send_interval=1000)
    responder.answer(Load(1, str(save(tmp_path / "checkpoint", chain("abcdefgh"))), device="cpu"), lambda: False)
    for explain in (False, True):
        sent.clear()
        settings = SamplingSettings(temperature=0, max_tokens=600)
        responder.answer(Generate(2, "a", settings, explain=explain, alternatives=0), lambda: False)
        counts = [message.count for message in sent if isinstance(message, Tokens)]
        assert sum(counts) == 600
        assert (max(counts) <= 256) == explain
