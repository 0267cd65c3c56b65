"""From a run folder to a trainer: device, text, tokenizer, tokens, model, and where an earlier process ended."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections import Counter
from collections.abc import Mapping

import torch

from ...data.corpus import Corpus, open_corpus, split_position
from ...data.corpus_tokenizer import corpus_tokenizer
from ...data.encoding import encode_corpus
from ...data.tokenizers import Tokenizer
from ...models.devices import DeviceChoice, choose_device
from ...models.gpt import GPT
from ...models.recipe import TrainingConfig
from ..events import Started
from ..model_files import read_tokenizer
from ..runs import Run, RunManifest
from .checkpoints import Counters, Resumed, resume_from
from .errors import TrainingError
from .follower import begin
from .group import Group
from .initial_weights import WholeWeights, fresh_weights, starting_file, starting_model, stored_start, stored_weights
from .loop.commands import CommandReader
from .loop.event_log import Journal
from .loop.preparation_stages import Stages
from .loop.stop_request import StopRequest
from .loop.trainer import Trainer
from .machine import device_of, repeat_exactly, set_up_processor, threads_of
from .update.cuda_graph import captures_updates, update_capture
from .update.learner import Learner
from .update.memory import check_memory
from .update.replicated import ReplicatedLearner
from .update.threads import Threads, ThreadTrial

_NAMED = 8  # characters without a token that a note names one by one


def prepare(
    run: Run,
    *,
    resume: bool,
    leave_core: bool,
    journal: Journal,
    commands: CommandReader,
    stop: StopRequest,
    group: Group | None = None,
) -> Trainer:
    """Everything before the first update; the journal says how far it is, and at last Started.

    Raises UserError, TokenizerError, DeviceError, CheckpointError or TrainingError, each in one sentence, and
    PreparationStopped. With a `group` this is its first process; the others hear from it what they need.
    """

    def warn(sentence: str) -> None:
        journal.note(sentence, "warning")

    manifest, stages = run.manifest(), Stages(journal, commands, stop)
    exact = manifest.training.deterministic
    if exact:
        repeat_exactly()
    device = device_of(group, manifest.training.device)
    choice = choose_device(device, manifest.training.dtype, by_trying=not exact)
    count = threads_of(group, manifest.training.threads, leave_core and not exact)
    set_up_processor(choice, count)
    threads = _threads(choice, count, manifest.training, group)
    corpus = _corpus(manifest, stages, journal)
    resumed = _resumed(run, stages, journal) if resume else None
    origin = starting_file(manifest) if resumed is None else None
    if resumed:
        tokenizer = resumed.tokenizer
    elif origin:
        tokenizer = read_tokenizer(origin)
    else:
        tokenizer = _tokenizer(manifest, corpus, stages)
    if tokenizer.vocab_size > manifest.model.vocab_size:
        raise TrainingError(
            f"the model of run '{manifest.name}' knows {manifest.model.vocab_size} tokens but its tokenizer has "
            f"{tokenizer.vocab_size}; start a new run"
        )
    dataset = encode_corpus(
        corpus,
        tokenizer,
        validation_fraction=manifest.corpus.validation_fraction,
        context_length=manifest.model.context_length,
        device=choice.device,
        progress=stages.enter("encoding"),
    )
    _tell_left_out(dataset.left_out, journal)
    stages.enter("loading")
    check_memory(manifest, choice.device, group)

    def learn_from(resumed: Resumed | None) -> tuple[Learner, Counters]:
        if group and manifest.training.sharded:
            from .sharded.learner import sharded_learner  # takes seconds to import

            weights = _weights(manifest, tokenizer, resumed)
            begin(group, choice, weights.config, dataset, manifest.training)
            learner = sharded_learner(weights.config, dataset.train, manifest.training, choice, group, weights)
            return learner, _go_on(learner, resumed) if resumed else Counters()
        if resumed:
            model = resumed.stored.build(choice.device, choice.dtype, None)
        elif origin := starting_file(manifest):
            model = starting_model(origin, manifest.model, choice.device, choice.dtype)
        else:
            model = _new_model(manifest, tokenizer, choice)
        if group:
            begin(group, choice, model.config, dataset, manifest.training)
        learner = ReplicatedLearner(
            model, dataset.train, manifest.training, warn, group, journal.note,
            update_capture(choice.device, manifest.training, group),
        )  # fmt: skip
        return learner, _go_on(learner, _with_joined_shards(resumed, model)) if resumed else Counters()

    def begin_again() -> tuple[Learner, Counters]:
        learner, counters = learn_from(resume_from(run.checkpoints, warn))
        # watchers take what follows for the steps of a run that goes on from here
        journal.emit(dataclasses.replace(started, step=learner.step, time=time.time()))
        return learner, counters

    learner, counters = learn_from(resumed)
    trainer = Trainer(
        run, learner, tokenizer, dataset, manifest.training, counters, journal, commands, stop,
        threads, begin_again,
    )  # fmt: skip
    split = split_position(corpus.n_characters, manifest.corpus.validation_fraction)
    started = Started(
        step=learner.step,
        total_steps=trainer.total_steps,
        parameters=sum(parameter.numel() for parameter in learner.model.parameters()),
        vocab_size=learner.model.config.vocab_size,
        train_tokens=len(dataset.train),
        validation_tokens=len(dataset.validation),
        device=str(choice.device),
        device_name=choice.name,
        dtype=str(choice.dtype).removeprefix("torch."),
        threads=count,
        reason=_reason(choice, threads, count, manifest.training, group),
        time=time.time(),
        entropy_floor=corpus.entropy_floor(split, corpus.n_characters),
    )
    journal.emit(started)
    gc.freeze()  # what exists now stays; collections need not look at it again
    return trainer


def _threads(choice: DeviceChoice, count: int, config: TrainingConfig, group: Group | None) -> Threads:
    """The `count` CPU threads, or as many of them as a trial finds where nothing speaks against one."""
    if choice.device.type != "cpu":
        return Threads(kept_because="the model trains on an accelerator; CPU threads make no difference")
    if group:
        return Threads(kept_because="the processes that train together keep their CPU threads")
    if config.deterministic:
        return Threads(
            kept_because="a deterministic run keeps its CPU threads: their number changes how sums are rounded"
        )
    if config.compile == "on":
        return Threads(kept_because="a compiled run keeps its CPU threads: with another number it is compiled anew")
    return Threads(ThreadTrial(count) if count > 1 and not config.threads else None)


def _reason(choice: DeviceChoice, threads: Threads, count: int, config: TrainingConfig, group: Group | None) -> str:
    """Why the run is trained as it is, in one sentence."""
    return "; ".join(
        [choice.reason]
        + ([f"up to {count} threads, as many as make it faster"] if threads.tries else [])
        + (["each update as one CUDA graph, once it is recorded"] * captures_updates(choice.device, config, group))
        + (["deterministic: nothing depends on timing"] if config.deterministic else [])
        + ([f"{group.size} processes train together" + " and share the model" * config.sharded] if group else [])
    )


def _corpus(manifest: RunManifest, stages: Stages, journal: Journal) -> Corpus:
    """The run's text, unchanged since the run was made."""
    corpus = open_corpus(manifest.corpus.spec, progress=stages.enter("reading"))
    if corpus.fingerprint != manifest.corpus.fingerprint:
        raise TrainingError(
            f"the text of '{manifest.corpus.name}' ({manifest.corpus.spec}) has changed since the run was made; put "
            "the old text back, or start a new run on the new one"
        )
    for notice in corpus.notices:
        journal.note(notice)
    return corpus


def _resumed(run: Run, stages: Stages, journal: Journal) -> Resumed | None:
    """The newest whole checkpoint; None, with a word about it, where there is none."""
    stages.enter("loading")
    resumed = resume_from(run.checkpoints, lambda text: journal.note(text, "warning"))
    if resumed is None:
        journal.note("there is no checkpoint to resume from; the run begins anew", "warning")
    return resumed


def _tokenizer(manifest: RunManifest, corpus: Corpus, stages: Stages) -> Tokenizer:
    return corpus_tokenizer(
        corpus,
        manifest.tokenizer,
        validation_fraction=manifest.corpus.validation_fraction,
        bpe_vocab_size=manifest.bpe_vocab_size,
        unknown=manifest.unknown_characters,
        progress=stages.enter("tokenizer"),
    )


def _tell_left_out(left_out: Mapping[str, int], journal: Journal) -> None:
    """One note about the characters that have no token."""
    if not left_out:
        return
    often = Counter(left_out).most_common(_NAMED)
    named = ", ".join(f"{character!r} ({count:,})" for character, count in often)
    more = f" and {len(left_out) - len(often):,} others" if len(left_out) > len(often) else ""
    journal.note(
        f"{sum(left_out.values()):,} characters are left out of the text, because the tokenizer has no token for "
        f"{named}{more}",
        "warning",
    )


def _new_model(manifest: RunManifest, tokenizer: Tokenizer, choice: DeviceChoice) -> GPT:
    """A model with fresh weights and as many tokens as the tokenizer turned out to have."""
    config = dataclasses.replace(manifest.model, vocab_size=tokenizer.vocab_size)
    model = GPT(config, choice.device, choice.dtype)
    model.reset_parameters(torch.Generator().manual_seed(manifest.training.seed))
    return model


def _weights(manifest: RunManifest, tokenizer: Tokenizer, resumed: Resumed | None) -> WholeWeights:
    """What a model that the processes share begins with."""
    if resumed:
        return stored_weights(resumed.stored)
    if origin := starting_file(manifest):
        return stored_weights(stored_start(origin, manifest.model), manifest.model)
    config = dataclasses.replace(manifest.model, vocab_size=tokenizer.vocab_size)
    return fresh_weights(config, manifest.training.seed)


def _with_joined_shards(resumed: Resumed, model: GPT) -> Resumed:
    """The checkpoint with its whole state in one piece, as a replicated learner takes it."""
    if resumed.state is None or resumed.rows is None:
        return resumed
    from .sharded.state import joined_state  # takes most of a second to import

    return dataclasses.replace(resumed, state=resumed.state | joined_state(resumed.rows, model), rows=None)


def _go_on(learner: Learner, resumed: Resumed) -> Counters:
    """Put the learner where the checkpoint was written."""
    if resumed.state is None:
        learner.skip_to(resumed.counters.step)
        return resumed.counters
    try:
        learner.load_state_dict(resumed.state, resumed.rows)
    except ValueError as error:
        raise TrainingError(f"{resumed.folder} cannot be resumed: {error}; start a new run") from error
    return resumed.counters
