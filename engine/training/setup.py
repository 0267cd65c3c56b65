"""From a run folder to its trainer: device, text, tokenizer, tokens, weights, learner, trainer."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ...data.corpus import Corpus, open_corpus, split_position
from ...data.corpus_tokenizer import corpus_tokenizer
from ...data.dataset import TokenDataset
from ...data.encoding import encode_corpus
from ...data.storage.errors import UserError
from ...data.tokenizers import Tokenizer
from ...models.config import ModelConfig
from ...models.devices import DeviceChoice
from ...models.gpt import GPT
from ...models.recipe import TrainingConfig
from ..events import Started
from ..generation.token_rows import check_tokens
from ..model_files import read_tokenizer
from ..runs import Run, RunManifest
from ..time_line import TimeLine
from .checkpoints import Counters, Resumed, resume_from
from .errors import TrainingError
from .follower import start_followers
from .group import Group
from .initial_weights import (
    WholeWeights,
    base_model_file,
    fresh_weights,
    load_base_model,
    open_base_model,
    stored_weights,
)
from .loop.commands import CommandReader
from .loop.event_log import EventLog
from .loop.intervals import Stopwatch
from .loop.progress import Progress
from .loop.trainer import REPORT_INTERVAL, Trainer, TrainingContext
from .machine import set_up_machine
from .setup_progress import SetupProgress
from .update.cuda_graph import captures_updates, update_capture
from .update.learner import Learner
from .update.memory import check_memory
from .update.notes import Notes
from .update.replicated import ReplicatedLearner
from .update.threads import Threads, ThreadTrial

_NAMED = 8  # characters without a token that a note names one by one


def build_trainer(
    run: Run,
    *,
    resume: bool,
    leave_core: bool,
    event_log: EventLog,
    commands: CommandReader,
    group: Group | None = None,
    report_interval: float = REPORT_INTERVAL,
    time_line: TimeLine | None = None,
) -> Trainer:
    """Build the trainer of a run, ready for its first update; the event log reports progress, and Started at the end.

    In a `group` this is its first process, from which the others receive what they need. Raises StopRequested, and
    UserError where the text, the tokenizer, the device or the checkpoint is not what the run needs.
    """
    time_line = time_line or TimeLine("device")
    manifest, progress = run.manifest(), SetupProgress(event_log, commands, time_line)
    config = manifest.training
    time_line.enter("device")
    choice, thread_count = set_up_machine(config, group, leave_core)
    threads = _choose_threads(choice, thread_count, config, group)
    corpus = _open_corpus(manifest, progress, event_log)
    resumed = _load_checkpoint(run, manifest.model, progress, event_log) if resume else None
    tokenizer = _choose_tokenizer(manifest, corpus, resumed, progress)
    dataset = encode_corpus(
        corpus,
        tokenizer,
        validation_fraction=manifest.corpus.validation_fraction,
        context_length=manifest.model.context_length,
        device=choice.device,
        literal=manifest.literal,
        progress=progress.enter("encoding"),
    )
    check_tokens([dataset.train, dataset.validation], tokenizer, manifest.model.vocab_size)
    _warn_left_out(dataset.left_out, corpus.n_characters, event_log)
    progress.enter("loading")
    check_memory(manifest, choice.device, group)
    builder = LearnerBuilder(manifest, tokenizer, dataset, choice, group, event_log)
    learner, counters = builder.build(resumed)
    started = Started(
        step=learner.step,
        total_steps=Progress(config, learner, Stopwatch(counters.seconds), counters).total_steps,
        parameters=sum(parameter.numel() for parameter in learner.model.parameters()),
        vocab_size=learner.model.config.vocab_size,
        train_tokens=len(dataset.train),
        validation_tokens=len(dataset.validation),
        device=str(choice.device),
        device_name=choice.name,
        dtype=str(choice.dtype).removeprefix("torch."),
        threads=thread_count,
        reason=_setup_summary(choice, threads, thread_count, config, group),
        time=time.time(),
        entropy_floor=_entropy_floor(corpus, manifest),
    )
    context = TrainingContext(
        run, config, tokenizer, dataset, event_log, commands, threads, report_interval, manifest.literal,
        time_line,
    )  # fmt: skip
    trainer = Trainer(context, learner, counters, Restart(run.checkpoints, builder, started, event_log))
    event_log.emit(started)
    gc.freeze()  # what exists now stays; collections need not look at it again
    return trainer


# --- text and tokenizer ---------------------------------------------------------------------------


def _open_corpus(manifest: RunManifest, progress: SetupProgress, event_log: EventLog) -> Corpus:
    """The run's text, unchanged since the run was made."""
    moved, record = f"or say where it is now: minigpt-tui resume {manifest.name} --corpus PATH", manifest.corpus
    try:
        corpus = open_corpus(record.spec, reading=record.reading, progress=progress.enter("reading"))
    except UserError as error:
        raise TrainingError(f"{error}; put the text back, {moved}") from error
    if corpus.fingerprint != manifest.corpus.fingerprint:
        raise TrainingError(
            f"the text of '{manifest.corpus.name}' ({manifest.corpus.spec}) has changed since the run was made; put "
            f"the old text back, {moved}; or start a new run on the new one"
        )
    for notice in corpus.notices:
        event_log.warn(notice)  # it stays to be read
    return corpus


def _load_checkpoint(run: Run, model: ModelConfig, progress: SetupProgress, event_log: EventLog) -> Resumed | None:
    """The newest complete checkpoint; None, with a warning, where there is none."""
    progress.enter("loading")
    resumed = resume_from(run.checkpoints, event_log.warn, model)
    if resumed is None:
        event_log.warn("there is no checkpoint to resume from; the run begins from its first step")
    return resumed


def _choose_tokenizer(
    manifest: RunManifest, corpus: Corpus, resumed: Resumed | None, progress: SetupProgress
) -> Tokenizer:
    """The tokenizer of the checkpoint, or of the model that the run starts from, else one made for the text."""
    if resumed:
        tokenizer = resumed.tokenizer
    elif base := base_model_file(manifest):
        tokenizer = read_tokenizer(base)
    else:
        tokenizer = corpus_tokenizer(
            corpus,
            manifest.tokenizer,
            validation_fraction=manifest.corpus.validation_fraction,
            bpe_vocab_size=manifest.bpe_vocab_size,
            unknown=manifest.unknown_characters,
            progress=progress.enter("tokenizer"),
        )
    return tokenizer


def _entropy_floor(corpus: Corpus, manifest: RunManifest) -> float | None:
    """The loss below which no model can come on the validation text, where the corpus knows it."""
    split = split_position(corpus.n_characters, manifest.corpus.validation_fraction)
    return corpus.entropy_floor(split, corpus.n_characters)


def _warn_left_out(left_out: Mapping[str, int], n_characters: int, event_log: EventLog) -> None:
    """One warning about the characters, of as many as the text has, that have no token."""
    if not left_out:
        return
    frequent, count = Counter(left_out).most_common(_NAMED), sum(left_out.values())
    share = f"{count / n_characters:.1%}" if count >= n_characters / 1000 else "less than 0.1%"
    named = ", ".join(f"{character!r} ({count:,})" for character, count in frequent)
    more = f" and {len(left_out) - len(frequent):,} others" if len(left_out) > len(frequent) else ""
    event_log.warn(
        f"{count:,} characters ({share}) are left out of the text, because the tokenizer has no token for {named}{more}"
    )


# --- weights and learner --------------------------------------------------------------------------


@dataclass(frozen=True)
class LearnerBuilder:
    """Builds a run's learner: from its checkpoint, from the model that it begins with, or with new weights."""

    manifest: RunManifest
    tokenizer: Tokenizer
    dataset: TokenDataset
    device: DeviceChoice
    group: Group | None
    event_log: EventLog

    def build(self, resumed: Resumed | None) -> tuple[Learner, Counters]:
        """The learner as the checkpoint has it, or as the run begins. Raises UserError."""
        if self.group and self.manifest.training.sharded:
            learner = self._sharded_learner(self.group, resumed)
        else:
            learner = self._replicated_learner(resumed)
        return learner, resumed.counters if resumed else Counters()

    def _replicated_learner(self, resumed: Resumed | None) -> Learner:
        manifest, device, log = self.manifest, self.device, self.event_log
        if resumed:
            model = resumed.stored.build(device.device, device.dtype, None)
        elif base := base_model_file(manifest):
            model = load_base_model(base, manifest.model, device.device, device.dtype)
        else:
            model = GPT(self._new_config(), device.device, device.dtype)
            model.reset_parameters(torch.Generator().manual_seed(manifest.training.seed))
        if self.group:
            start_followers(self.group, device, model.config, self.dataset, manifest.training)
        capture = update_capture(device.device, manifest.training, self.group)
        learner = ReplicatedLearner(
            model, self.dataset.train, manifest.training, Notes(log.note, log.warn), self.group, capture
        )
        if resumed:
            _restore(learner, _with_joined_shards(resumed, model))
        return learner

    def _sharded_learner(self, group: Group, resumed: Resumed | None) -> Learner:
        from .sharded.learner import sharded_learner  # takes seconds to import

        weights, config, log = self._whole_weights(resumed), self.manifest.training, self.event_log
        start_followers(group, self.device, weights.config, self.dataset, config)
        notes = Notes(log.note, log.warn)
        learner = sharded_learner(weights.config, self.dataset.train, config, self.device, group, notes, weights)
        if resumed:
            _restore(learner, resumed)
        return learner

    def _whole_weights(self, resumed: Resumed | None) -> WholeWeights:
        if resumed:
            return stored_weights(resumed.stored)
        if base := base_model_file(self.manifest):
            return stored_weights(open_base_model(base, self.manifest.model), self.manifest.model)
        return fresh_weights(self._new_config(), self.manifest.training.seed)

    def _new_config(self) -> ModelConfig:
        """That of the manifest, with as many tokens as the tokenizer turned out to have."""
        return dataclasses.replace(self.manifest.model, vocab_size=self.tokenizer.vocab_size)


def _with_joined_shards(resumed: Resumed, model: GPT) -> Resumed:
    """The checkpoint with its whole state in one piece, as a replicated learner takes it."""
    if resumed.state is None or resumed.shards is None:
        return resumed
    from .sharded.state import joined_state  # takes most of a second to import

    return dataclasses.replace(resumed, state=resumed.state | joined_state(resumed.shards, model), shards=None)


def _restore(learner: Learner, resumed: Resumed) -> None:
    """Put the learner where the checkpoint was written."""
    if resumed.state is None:
        learner.skip_to(resumed.counters.step)
        return
    try:
        learner.load_state_dict(resumed.state, resumed.shards)
    except ValueError as error:
        raise TrainingError(f"{resumed.folder} cannot be resumed: {error}; start a new run") from error


@dataclass(frozen=True)
class Restart:
    """After a divergence, builds the learner again, from the newest checkpoint or the initial weights."""

    checkpoints: Path
    builder: LearnerBuilder
    started: Started
    event_log: EventLog

    def __call__(self) -> tuple[Learner, Counters]:
        """The learner and its counters; a second Started tells those who watch from which step the run goes on."""
        learner, counters = self.builder.build(
            resume_from(self.checkpoints, self.event_log.warn, self.builder.manifest.model)
        )
        self.event_log.emit(dataclasses.replace(self.started, step=learner.step, time=time.time()))
        return learner, counters


# --- threads --------------------------------------------------------------------------------------


def _choose_threads(choice: DeviceChoice, count: int, config: TrainingConfig, group: Group | None) -> Threads:
    """The `count` CPU threads, or as many of them as trying finds to be fastest, unless something forbids that."""
    if choice.device.type != "cpu":
        return Threads(kept_because="the model trains on an accelerator; CPU threads make no difference")
    if group:
        return Threads(kept_because="the processes that train together keep their CPU threads")
    if config.deterministic:
        return Threads(
            kept_because="a deterministic run keeps its CPU threads: their number changes how sums are rounded"
        )
    if config.compile == "on":
        return Threads(kept_because="a compiled run keeps its CPU threads: with another number it is compiled again")
    return Threads(ThreadTrial(count) if count > 1 and not config.threads else None)


def _setup_summary(
    choice: DeviceChoice, threads: Threads, count: int, config: TrainingConfig, group: Group | None
) -> str:
    """Why the run is trained as it is, in one sentence."""
    return "; ".join(
        [choice.reason]
        + ([f"up to {count} threads, as many as make it faster"] if threads.tries else [])
        + (["each update as one CUDA graph, once it is captured"] * captures_updates(choice.device, config, group))
        + (["deterministic: nothing depends on timing"] if config.deterministic else [])
        + ([f"{group.size} processes train together" + " and share the model" * config.sharded] if group else [])
    )
