"""Makes the folder of a run from a corpus and a recipe, and starts the run's train process. Light.

What a train process could not start with is refused before there is a folder.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import subprocess
import threading
import time
from pathlib import PurePath
from typing import Any

from ..data.corpus import Corpus, check_length, open_corpus, split_position
from ..data.storage.errors import UserError, sentence_of
from ..data.storage.plain_files import open_plain
from ..data.tokenizers import UnknownCharacterError
from ..models.config import ConfigError, ModelConfig, differing_fields, with_widths
from ..models.recipe import Recipe
from .child_process import child_environment, detached, python_module
from .device_check import check_device
from .failed_start import discard_failed_start
from .model_files import ModelFile, check_weights, read_config, read_tokenizer
from .ready_process import ReadyProcess
from .runs import CorpusRecord, Run, RunError, RunManifest, create_run, free_name

MOST_LEFT_OUT = 0.1
"""Of a text: the share without which it is learned unasked."""
_LOCKING_SECONDS = 5.0  # that a train process may take until it holds its lock; it imports torch after that
_TRAIN_PROCESS = "minigpt_tui.engine.training.process"
# Fields in which a fine-tuned model may differ from the one it starts from, and the one that the file decides.
_MAY_DIFFER = ("context_length", "attention_dropout", "residual_dropout", "embedding_dropout", "vocab_size")


class UnknownTextError(UserError):
    """A model would learn from what is left of a text; it does where that is asked for."""


def vocabulary_size(recipe: Recipe, corpus: Corpus, start_from: ModelFile | None = None) -> int:
    """How many tokens the model will know, at most: a text may hold too few pairs for a BPE of the size asked for.

    Raises ConfigError for a tokenizer that only a foreign model has, UserError where that cannot be read.
    """
    if start_from:
        return read_config(start_from).vocab_size
    match recipe.tokenizer:
        case "char":
            return len(corpus.alphabet) + (recipe.unknown_characters == "token")
        case "byte":
            return 256
        case "gpt2":
            return 50257
        case "bpe":
            return recipe.bpe_vocab_size
        case "huggingface":
            raise ConfigError("tokenizer 'huggingface' is one that a foreign model brings along; name that model")


def new_run(
    corpus: Corpus,
    recipe: Recipe,
    name: str | None = None,
    parent: str | None = None,
    start_from: ModelFile | None = None,
    drop_unknown: bool = False,
) -> Run:
    """Make the run folder; with `start_from` the run is a fine-tuning: it takes that model's weights and tokenizer.

    Raises UserError where the text is too short for the context or has characters that the model's tokenizer refuses,
    UnknownTextError where more than a tenth of it has no token unless `drop_unknown`, ConfigError for an impossible
    model or a device that is not there, UserError where `start_from` cannot be read or its parts do not belong
    together, and RunError for a bad name or a folder that cannot be written; nothing is left behind then.
    """
    kind, unknown = recipe.tokenizer, recipe.unknown_characters
    if start_from:
        check_weights(start_from)
        stored, tokenizer = read_config(start_from), read_tokenizer(start_from)
        check_agreement(recipe.model, stored, start_from.name)
        added = {*tokenizer.special_tokens.values(), *tokenizer.added_tokens.ids}  # a text need not have them
        if not added.issuperset(range(stored.vocab_size, tokenizer.vocab_size)):
            raise UserError(
                f"the tokenizer of {start_from.name} has {tokenizer.vocab_size:,} tokens, but its model knows "
                f"{stored.vocab_size:,}; they do not belong together, put the model's own tokenizer there"
            )
        kind, unknown = tokenizer.kind, tokenizer.unknown
        try:
            unknown_characters = tokenizer.filter_unknown(corpus.alphabet)[1]
        except UnknownCharacterError as error:
            raise UserError(f"the text of {corpus.name} does not suit {start_from.name}: {error}") from error
        if unknown_characters and not drop_unknown:
            _check_share(corpus, set(unknown_characters), start_from.name)
    # No tokenizer makes more tokens than there are bytes; how many it makes is known when the text is encoded.
    n_tokens = corpus.n_characters if kind == "char" else corpus.n_bytes
    split = split_position(n_tokens, recipe.validation_fraction)
    exact = kind in ("char", "byte") and not start_from
    check_length(split, n_tokens - split, recipe.model.context_length, exact=exact)
    model = dataclasses.replace(recipe.model, vocab_size=vocabulary_size(recipe, corpus, start_from))
    record = CorpusRecord(
        name=corpus.name,
        spec=corpus.spec,
        fingerprint=corpus.fingerprint,
        n_bytes=corpus.n_bytes,
        n_characters=corpus.n_characters,
        validation_fraction=recipe.validation_fraction,
        encoding=corpus.reading.encoding,
        reading_rules=corpus.reading.rules,
    )
    manifest = RunManifest(
        name=name or free_name(PurePath(corpus.name).stem),
        created=time.time(),
        preset=recipe.name,
        corpus=record,
        tokenizer=kind,
        model=model,
        training=recipe.training,
        bpe_vocab_size=recipe.bpe_vocab_size,
        unknown_characters=unknown,
        literal=recipe.literal,
        start_from=os.path.abspath(start_from.path) if start_from else None,
        parent=parent,
        versions=_versions(),
    )
    check_device(recipe.training)  # last: it takes seconds where a device is named
    return create_run(manifest)


def move_corpus(run: Run, spec: str) -> None:
    """Let the run's text be read from `spec` from now on. Raises UserError where that is another text."""
    manifest = run.manifest()
    corpus = open_corpus(spec, reading=manifest.corpus.reading)
    if corpus.fingerprint != manifest.corpus.fingerprint:
        raise UserError(
            f"{corpus.name} is not the text that '{run.name}' was made with ({manifest.corpus.name}, "
            f"{manifest.corpus.n_characters:,} characters; this one has {corpus.n_characters:,}); name that one, or "
            "start a new run"
        )
    run.write_corpus_spec(corpus.spec)


def _check_share(corpus: Corpus, unknown: set[str], model: str) -> None:
    """Raise UnknownTextError where the characters that the model has no token for are too many of the text."""
    table = dict.fromkeys(map(ord, unknown))
    left_out = sum(len(piece) - len(piece.translate(table)) for piece in corpus.pieces())
    if left_out > MOST_LEFT_OUT * corpus.n_characters:
        share = left_out / corpus.n_characters
        raise UnknownTextError(
            f"{model} has no token for {share:.0%} of the characters of {corpus.name}, which would be left out; train "
            "new weights on it, or ask for it with --drop-unknown"
        )


def check_agreement(model: ModelConfig, stored: ModelConfig, name: str) -> None:
    """Raise ConfigError where `model` cannot take the weights of `stored`, the configuration of the model `name`.

    Its context may be shorter and its dropouts other ones; the vocabulary is the stored model's.
    """
    wanted, given = with_widths(model), with_widths(stored)
    other = [
        f"{name} {getattr(wanted, name)} (it has {getattr(given, name)})"
        for name in differing_fields(model, stored)
        if name not in _MAY_DIFFER
    ]
    if model.context_length > stored.context_length:
        other.append(f"context_length {model.context_length} (at most {stored.context_length})")
    if other:
        raise ConfigError(f"{name} cannot be trained further with {', '.join(other)}; leave that as the model has it")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("minigpt-tui", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def start_training(
    run: Run,
    *,
    resume: bool = False,
    leave_core: bool = False,
    budget: str = "",
    devices: int | None = None,
    asked: float | None = None,
    ready: ReadyProcess | None = None,
) -> int:
    """Start the run's train process, detached: it outlives this one. Returns its pid.

    `leave_core` leaves one core to the app; `budget`, as Budget.parse reads it, takes the place of the run's. With
    several `devices`, or where the run says so, torchrun starts as many processes, and its pid is returned. The run's
    time line counts from when it was `asked` for, as time.time() has it, else from the start of the train process. From
    then on the run counts as training, and can be told to stop. Raises RunError where the run trains already or nothing
    can be started; the folder of a new run is in the trash then. A `ready` process becomes the train process where the
    run needs a single one.
    """
    run.check_not_trained()
    run.check_files()
    folder = run.path.absolute()
    number = devices or _device_count(run)
    arguments = [str(folder), *["--resume"] * resume, *["--leave-core"] * leave_core]
    arguments += ["--budget", budget] if budget else []
    arguments += ["--asked", f"{asked:.3f}"] if asked else []
    process = ready.take(arguments, folder, run.log_path.absolute()) if ready and number == 1 else None
    if process is None:
        if ready:
            ready.close()
        process = _new_process(run, number, arguments, keep=resume)
    # waited for, so that a trainer that ends before the app does not stay behind as a zombie
    threading.Thread(target=process.wait, name=f"wait for {process.pid}", daemon=True).start()
    _wait_until_locked(run, process)
    return process.pid


def _new_process(run: Run, number: int, arguments: list[str], *, keep: bool) -> subprocess.Popen[Any]:
    """A train process, or torchrun with that number of them; unless it is to be kept the run is discarded otherwise."""
    torchrun = ["--standalone", f"--nproc-per-node={number}", "-m", _TRAIN_PROCESS]
    command = python_module(*["torch.distributed.run", *torchrun] if number > 1 else [_TRAIN_PROCESS], *arguments)
    try:
        with open_plain(run.log_path, "ab", follow_links=False) as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=run.path.absolute(),
                env=child_environment(),
                **detached(),
            )
    except OSError as error:
        if not keep:
            discard_failed_start(run)
        raise RunError(f"'{run.name}' cannot be started: {sentence_of(error)}") from error


def _wait_until_locked(run: Run, process: subprocess.Popen[Any]) -> None:
    """Wait until the train process holds the run's lock, has ended, or is too slow to be waited for."""
    until = time.monotonic() + _LOCKING_SECONDS
    while process.returncode is None and not run.seems_alive() and time.monotonic() < until:
        time.sleep(0.01)


def _device_count(run: Run) -> int:
    """On how many devices the run trains according to its run.json."""
    try:
        return run.manifest().training.devices
    except RunError:
        return 1  # the train process will say what is wrong with it
