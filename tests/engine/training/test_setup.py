"""From a run folder to a trainer: what the model learns, with which tokenizer, and from which weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data import catalog
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.tokenizers import CharTokenizer, build_tokenizer
from minigpt_tui.engine.events import Command, Note, Preparing, Started, StateChanged, TrainingEvent
from minigpt_tui.engine.launch import new_run, start_training
from minigpt_tui.engine.model_files import find_model, read_config, read_tokenizer
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import process
from minigpt_tui.engine.training import setup as preparation
from minigpt_tui.engine.training.errors import TrainingError
from minigpt_tui.engine.training.loop.commands import CommandReader, StopRequested
from minigpt_tui.engine.training.setup_progress import SetupProgress
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.models.recipe import Budget, Recipe, TrainingConfig
from minigpt_tui.models.tensor_file import load_tensors, save_tensors

from .preparing import prepared, stop

MODEL = ModelConfig(context_length=16, n_layer=1, n_head=2, d_model=16)
LEARNED = replace(MODEL, position="learned", norm="layer", mlp="gelu", qk_norm=False)
TRAINING = TrainingConfig(
    budget=Budget(5), batch_size=4, device="cpu", dtype="float32", threads=1, checkpoint_interval=5,
    evaluation_interval=5,
)  # fmt: skip
RECIPE = Recipe("tiny", "for tests", "tests", MODEL, TRAINING)

Events = Callable[[Run], list[TrainingEvent]]

pytestmark = pytest.mark.usefixtures("polite")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))


def make(spec: Path, name: str = "run", start_from: str | None = None, **changes: object) -> Run:
    recipe = replace(RECIPE, **changes)  # type: ignore[arg-type]
    file = find_model(start_from) if start_from else None
    return new_run(open_corpus(str(spec)), recipe, name, start_from=file, drop_unknown=True)


def last(events: list[TrainingEvent], kind: type[TrainingEvent]) -> Any:
    return [event for event in events if isinstance(event, kind)][-1]


def notes(events: list[TrainingEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


# --- tokenizers -----------------------------------------------------------------------------------


def test_a_model_has_as_many_tokens_as_its_tokenizer_turned_out_to_have(text: Path, events_of: Events) -> None:
    run = make(text, tokenizer="bpe", bpe_vocab_size=100_000)
    prepared(run).train()
    size = last(events_of(run), Started).vocab_size
    assert 300 < size < 10_000
    checkpoint = run.checkpoint("last")
    assert checkpoint is not None
    assert load_checkpoint(checkpoint).config == replace(run.manifest().model, vocab_size=size)
    tokenizer = read_tokenizer(find_model(run.name))
    assert (tokenizer.kind, tokenizer.vocab_size) == ("bpe", size)


def test_unknown_characters_have_a_token_that_the_validation_text_needs(tmp_path: Path, events_of: Events) -> None:
    path = tmp_path / "text.txt"
    path.write_text("abc" * 300 + "abz" * 33)
    run = make(path, tokenizer="char", unknown_characters="token")
    assert run.manifest().model.vocab_size == 5
    prepared(run).train()
    assert last(events_of(run), Started).vocab_size == 4
    tokenizer = read_tokenizer(find_model(run.name))
    assert isinstance(tokenizer, CharTokenizer)
    assert (tokenizer.alphabet, tokenizer.unknown) == ("abc", "token")


def test_a_resumed_run_keeps_the_tokenizer_of_its_checkpoint(
    text: Path, events_of: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(text, tokenizer="bpe", bpe_vocab_size=400)
    prepared(run).train()
    shutil.rmtree(catalog.cache_folder())
    monkeypatch.setattr(preparation, "corpus_tokenizer", None)
    prepared(run, resume=True)
    assert last(events_of(run), Started).step == 5
    (run.checkpoints / "last" / "tokenizer.json").write_text("{")
    prepared(run, resume=True)
    assert "tokenizer.json is damaged" in notes(events_of(run))[-1]
    assert "going on from best" in notes(events_of(run))[-1]


def test_byte_pairs_too_few_for_the_context_say_what_would_fit(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 100)
    run = make(path, tokenizer="bpe", bpe_vocab_size=300, model=replace(MODEL, context_length=200))
    with pytest.raises(UserError, match=r"needs at least 201 of each; choose a context length of at most \d+ or a"):
        prepared(run)


# --- fine-tuning ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [MODEL, LEARNED])
def test_a_run_begins_with_the_weights_and_the_tokenizer_of_a_model(
    text: Path, tmp_path: Path, events_of: Events, model: ModelConfig
) -> None:
    base = make(text, "base", model=model)
    prepared(base).train()
    before = load_checkpoint(base.checkpoints / "best").model
    other = tmp_path / "other.txt"
    other.write_text("def éèê(): return 'ü'\n" * 200, encoding="utf-8")
    run = make(other, "tuned", "base", model=replace(model, context_length=8, residual_dropout=0.5))
    trainer = prepared(run)
    started = last(events_of(run), Started)
    assert (started.vocab_size, started.step) == (before.config.vocab_size, 0)
    assert notes(events_of(run)) == [
        "800 characters (18.2%) are left out of the text, because the tokenizer has no token for 'é' (200), 'è' (200), "
        "'ê' (200), 'ü' (200)"
    ]
    tuned = trainer.learner.model
    assert tuned.config == replace(before.config, context_length=8, residual_dropout=0.5)
    tokens = torch.arange(16).reshape(2, 8)
    with torch.no_grad():
        assert torch.equal(tuned.eval()(tokens), before(tokens))
    tuned.train()
    trainer.train()
    assert read_tokenizer(find_model("tuned")).fingerprint == read_tokenizer(find_model("base")).fingerprint

    shutil.rmtree(base.path)  # a checkpoint of its own is all that a run needs to go on
    prepared(run, resume=True)
    assert last(events_of(run), Started).step == 5


def test_a_model_that_is_gone_or_another_one_is_one_sentence(text: Path) -> None:
    base = make(text, "base")
    prepared(base).train()
    run = make(text, "tuned", "base")
    shutil.rmtree(base.path)
    with pytest.raises(TrainingError, match=r"the model that 'tuned' fine-tunes is gone \(nothing lies at .*best\)"):
        prepared(run)
    larger = make(text, "base", model=replace(MODEL, d_model=32))
    prepared(larger).train()
    with pytest.raises(TrainingError, match=r"another model lies at .*d_model 16 \(it has 32\).*start a new run"):
        prepared(run)


def test_weights_that_are_no_numbers_are_refused_before_anything_is_learned(
    text: Path, events_of: Events, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make(text, "base")
    prepared(base).train()
    weights = base.checkpoints / "best" / "model.safetensors"
    tensors, metadata = load_tensors(weights)
    changed = {name: tensor.clone() for name, tensor in tensors.items()}
    changed["model.layers.0.self_attn.k_proj.weight"][3, 4] = torch.nan
    save_tensors(weights, changed, metadata)
    description = json.loads((weights.parent / "minigpt.json").read_text())
    description["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (weights.parent / "minigpt.json").write_text(json.dumps(description))
    run = make(text, "tuned", "base")
    assert process.main([str(run.path)]) == process.FAILED
    sentence = (
        f"{weights} holds NaN or infinity in model.layers.0.self_attn.k_proj.weight: its training diverged, or it is "
        "damaged; use an earlier checkpoint, or another model"
    )
    assert capsys.readouterr().err.strip() == sentence
    assert [(event.state, event.reason) for event in events_of(run) if isinstance(event, StateChanged)] == [
        ("starting", ""), ("failed", sentence)
    ]  # fmt: skip
    assert not any(isinstance(event, Started) for event in events_of(run))


def test_a_model_larger_than_the_memory_is_refused_before_it_is_built(text: Path) -> None:
    run = make(text, model=replace(MODEL, n_layer=1000, d_model=60_000, n_head=60))
    with pytest.raises(TrainingError, match=r"takes at least [\d,]+ GB of memory, and cpu has .*a smaller model"):
        prepared(run)


# --- while it lasts -------------------------------------------------------------------------------


def report_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every stage report, however short it is."""
    monkeypatch.setattr(preparation, "SetupProgress", partial(SetupProgress, delay=0, interval=0))


def test_a_preparation_that_is_quick_needs_no_words(text: Path, events_of: Events, monkeypatch) -> None:
    run = make(text)
    prepared(run)
    assert [type(event) for event in events_of(run)] == [Started]
    report_at_once(monkeypatch)
    slow = make(text, "slow", tokenizer="bpe", bpe_vocab_size=300)
    prepared(slow)
    said = [event for event in events_of(slow) if isinstance(event, Preparing)]
    assert list(dict.fromkeys(event.stage for event in said)) == ["reading", "tokenizer", "encoding"]
    assert {event.fraction for event in said if event.stage == "encoding"} == {1.0}
    assert None in {event.fraction for event in said if event.stage == "tokenizer"}


@pytest.mark.parametrize("stage", ["reading", "tokenizer", "encoding"])
def test_a_stop_ends_every_stage_at_its_next_report(
    text: Path, stage: str, events_of: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_at_once(monkeypatch)
    text.write_text(text.read_text() * 60)  # large enough for tokens in a file, and for several reports
    run = make(text, tokenizer="bpe", bpe_vocab_size=300)

    def stop_at(event: TrainingEvent, commands: CommandReader) -> None:
        commands.stop_requested |= isinstance(event, Preparing) and event.stage == stage

    with pytest.raises(StopRequested):
        prepared(run, watch=stop_at)
    assert {event.stage for event in events_of(run) if isinstance(event, Preparing)} >= {stage}
    assert not any(isinstance(event, Started) for event in events_of(run))
    assert list(catalog.cache_folder().glob("tokens/*")) == []


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_that_prepares_obeys_a_stop(tmp_path: Path, text: Path, events_of: Events, until) -> None:
    """By a signal in the middle of a large text, and by a command that was there before the process."""
    path = tmp_path / "large.txt"
    path.write_text(text.read_text() * 500)
    run = make(path, tokenizer="bpe", bpe_vocab_size=5000)
    pid = start_training(run)
    until(lambda: any(isinstance(event, Preparing) for event in events_of(run)), "the preparation")
    os.kill(pid, signal.SIGTERM)
    until(lambda: run.state() == "stopped", "the end")
    early = make(text, "early")
    early.send(Command("pause"))
    early.send(Command("stop"))
    start_training(early)
    until(lambda: early.state() == "stopped", "the end")
    for stopped in (run, early):
        until(lambda stopped=stopped: not stopped.is_alive(), "the end of the process")
        states = [event.state for event in events_of(stopped) if isinstance(event, StateChanged)]
        assert states == ["starting", "stopped"]
        assert stopped.checkpoint() is None
        assert not any(isinstance(event, Started) for event in events_of(stopped))


def test_a_resumed_run_that_is_stopped_early_stands_where_it_stood(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(text)
    prepared(run).train()
    before = run.status()
    assert before is not None
    assert (before.step, before.state) == (5, "finished")
    monkeypatch.setattr(CommandReader, "listen_to_signals", stop)  # a signal that comes at once
    assert process.main([str(run.path), "--resume"]) == 0
    stopped = run.status()
    assert stopped is not None
    assert stopped == replace(before, state="stopped", reason=stopped.reason, heartbeat=stopped.heartbeat)


def test_a_text_that_changed_since_the_run_was_made_is_refused(text: Path) -> None:
    """Also where the text is large, and what was found in it is remembered."""
    text.write_text(text.read_text() * 420)
    long_ago = time.time() - 3600
    os.utime(text, (long_ago, long_ago))
    run = make(text)
    prepared(run)
    text.write_text(text.read_text().replace("a", "b", 1))
    os.utime(text, (long_ago, long_ago))
    with pytest.raises(TrainingError, match="has changed since the run was made"):
        prepared(run)


# --- special tokens that the text names -----------------------------------------------------------


@pytest.mark.parametrize("literal", [None, False, True])
def test_a_run_learns_the_tokens_that_its_text_names_unless_it_reads_literally(
    tmp_path: Path, events_of: Events, literal: bool | None
) -> None:
    text = tmp_path / "stories.txt"
    text.write_text("Once there was a fox who lost his hat.<|endoftext|>" * 60)
    run = make(text, tokenizer="bpe", bpe_vocab_size=300, literal=bool(literal))
    if literal is None:  # as a run that was made before has it
        path = run.path / "run.json"
        path.write_text(path.read_text().replace('"literal"', '"something_else"'))
    prepared(run)
    [started] = [event for event in events_of(run) if isinstance(event, Started)]
    tokenizer = build_tokenizer("bpe", alphabet="", pieces=lambda: [text.read_text()[:2754]], bpe_vocab_size=300)
    ids = tokenizer.encode(text.read_text(), literal is not False)
    assert started.train_tokens + started.validation_tokens == pytest.approx(len(ids), abs=5)
    assert started.vocab_size == tokenizer.vocab_size


def test_a_model_from_elsewhere_is_trained_further_on_the_tokens_of_its_own_tokenizer(
    tmp_path: Path, events_of: Events
) -> None:
    import transformers

    source = tmp_path / "theirs"
    tokenizer = build_tokenizer("bpe", alphabet="", pieces=lambda: ["user assistant hello " * 9], bpe_vocab_size=270)
    tokenizer.save(source)
    auto = transformers.AutoTokenizer.from_pretrained(source)
    auto.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    auto.save_pretrained(source)
    config = transformers.GPT2Config(
        vocab_size=len(auto), n_positions=32, n_embd=16, n_layer=1, n_head=2, eos_token_id=auto.eos_token_id
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(source)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    (source / "tokenizer_config.json").write_text(json.dumps(settings | {"pad_token": "<pad>"}))  # that has no row
    text = tmp_path / "chat.txt"
    text.write_text("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>\n" * 30)
    model = read_config(find_model(str(source)))
    run = make(text, start_from=str(source), model=replace(model, context_length=16))
    prepared(run)
    [started] = [event for event in events_of(run) if isinstance(event, Started)]
    ids = auto(text.read_text(), add_special_tokens=False)["input_ids"]
    assert ids.count(auto.convert_tokens_to_ids("<|im_end|>")) == 60
    assert started.train_tokens + started.validation_tokens == pytest.approx(len(ids), abs=4)  # the split cuts a word
    text.write_text("hello<pad>\n" * 90)
    named = make(text, "named", start_from=str(source), model=replace(model, context_length=16))
    with pytest.raises(UserError, match=r"the text has the token '<pad>' \(id \d+\), but the model has \d+ rows"):
        prepared(named)
    changes = {"model": replace(model, context_length=16), "literal": True}
    prepared(make(text, "literal", start_from=str(source), **changes))
