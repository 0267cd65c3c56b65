"""From a run folder to a trainer: corpus, tokens, device, model, and where an earlier process ended."""

from __future__ import annotations

import gc
import os
import time

import torch

from ...data.corpus import Corpus, open_corpus, split_position
from ...data.dataset import build_dataset
from ...data.tokenizers import Tokenizer, build_tokenizer
from ...models.devices import DeviceChoice, choose_device, choose_threads
from ...models.gpt import GPT
from ..events import Started
from ..runs import Run, RunManifest
from .checkpoints import Counters, resume_from
from .journal import Journal
from .learner import Learner
from .orders import CommandReader
from .stopping import StopRequest
from .threads import ThreadTrial
from .trainer import Trainer, TrainingError

POLITENESS = 10  # added to the process's niceness on a CPU, behind the screen and the replies


def prepare(
    run: Run, *, resume: bool, leave_core: bool, journal: Journal, commands: CommandReader, stop: StopRequest
) -> Trainer:
    """Everything before the first update; the journal says Started.

    Raises CorpusError, DeviceError, CheckpointError or TrainingError, each in one sentence.
    """
    manifest = run.manifest()
    corpus = _corpus(manifest, journal)
    tokenizer = _tokenizer(manifest, corpus)
    choice = choose_device(manifest.training.device, manifest.training.dtype)
    threads = choose_threads(manifest.training.threads, leave_core)
    _set_up_processor(choice, threads)
    trial = None
    if choice.device.type == "cpu" and not manifest.training.threads and threads > 1:
        trial = ThreadTrial(threads)
    dataset = build_dataset(
        corpus.text, tokenizer, manifest.corpus.validation_fraction, manifest.model.context_length, choice.device
    )
    learner, counters = _learner(run, manifest, resume, choice, dataset.train, journal)
    trainer = Trainer(run, learner, tokenizer, dataset, manifest.training, counters, journal, commands, stop, trial)
    split = split_position(corpus.n_characters, manifest.corpus.validation_fraction)
    journal.emit(
        Started(
            step=learner.step,
            total_steps=trainer.total_steps,
            parameters=sum(parameter.numel() for parameter in learner.model.parameters()),
            vocab_size=manifest.model.vocab_size,
            train_tokens=len(dataset.train),
            validation_tokens=len(dataset.validation),
            device=str(choice.device),
            device_name=choice.name,
            dtype=str(choice.dtype).removeprefix("torch."),
            threads=threads,
            reason=choice.reason + (f"; up to {threads} threads, as many as make it faster" if trial else ""),
            time=time.time(),
            entropy_floor=corpus.entropy_floor(split, corpus.n_characters),
        )
    )
    gc.freeze()  # what exists now stays; collections need not look at it again
    return trainer


def _corpus(manifest: RunManifest, journal: Journal) -> Corpus:
    """The run's text, unchanged since the run was made."""
    corpus = open_corpus(manifest.corpus.spec)
    if corpus.fingerprint != manifest.corpus.fingerprint:
        raise TrainingError(
            f"the text of '{manifest.corpus.name}' ({manifest.corpus.spec}) has changed since the run was made; put "
            "the old text back, or start a new run on the new one"
        )
    for notice in corpus.notices:
        journal.note(notice)
    return corpus


def _tokenizer(manifest: RunManifest, corpus: Corpus) -> Tokenizer:
    tokenizer = build_tokenizer(manifest.tokenizer, alphabet=corpus.text, pieces=lambda: [corpus.text])
    if tokenizer.vocab_size > manifest.model.vocab_size:
        raise TrainingError(
            f"the model of run '{manifest.name}' knows {manifest.model.vocab_size} tokens but the text needs "
            f"{tokenizer.vocab_size}; start a new run"
        )
    return tokenizer


def _set_up_processor(choice: DeviceChoice, threads: int) -> None:
    """Give torch its threads, and the screen the right of way."""
    torch.set_num_threads(threads)
    if choice.device.type == "cpu" and hasattr(os, "nice"):
        os.nice(max(0, POLITENESS - os.nice(0)))
    if choice.device.type == "cuda":
        torch.cuda.set_device(choice.device)


def _learner(
    run: Run, manifest: RunManifest, resume: bool, choice: DeviceChoice, train_tokens: torch.Tensor, journal: Journal
) -> tuple[Learner, Counters]:
    """A new model, or the one of the newest whole checkpoint."""
    training = manifest.training

    def note(text: str) -> None:
        journal.note(text, "warning")

    resumed = resume_from(run.checkpoints, choice.device, choice.dtype, note) if resume else None
    if resumed is None:
        if resume:
            note("there is no checkpoint to resume from; the run begins anew")
        model = GPT(manifest.model, choice.device, choice.dtype)
        model.reset_parameters(torch.Generator().manual_seed(training.seed))
        return Learner(model, train_tokens, training, note), Counters()
    learner = Learner(resumed.model, train_tokens, training, note)
    if resumed.state is None:
        learner.skip_to(resumed.counters.step)
    else:
        try:
            learner.load_state_dict(resumed.state)
        except ValueError as error:
            raise TrainingError(f"{resumed.folder} cannot be resumed: {error}; start a new run") from error
    return learner, resumed.counters
