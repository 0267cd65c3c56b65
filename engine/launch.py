"""From a corpus and a recipe to a run folder that a train process can start on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import time
from pathlib import PurePath

from ..data.corpus import CorpusSummary, check_length, split_position
from ..models.recipe import Recipe, TokenizerKind
from .runs import CorpusRecord, Run, RunManifest, create_run, free_name


def vocabulary_size(tokenizer: TokenizerKind, corpus: CorpusSummary) -> int:
    """How many tokens `tokenizer` knows once it has seen the corpus."""
    return 256 if tokenizer == "byte" else corpus.vocabulary


def new_run(corpus: CorpusSummary, recipe: Recipe, name: str | None = None, parent: str | None = None) -> Run:
    """Make the run folder.

    Raises CorpusError where the text is too short for the context, ConfigError for an impossible model, and RunError
    for a bad name or a folder that cannot be written; nothing is left behind then.
    """
    tokens = corpus.n_bytes if recipe.tokenizer == "byte" else corpus.n_characters
    split = split_position(tokens, recipe.validation_fraction)
    check_length(split, tokens - split, recipe.model.context_length)
    model = dataclasses.replace(recipe.model, vocab_size=vocabulary_size(recipe.tokenizer, corpus))
    record = CorpusRecord(
        name=corpus.name,
        spec=corpus.spec,
        fingerprint=corpus.fingerprint,
        n_bytes=corpus.n_bytes,
        n_characters=corpus.n_characters,
        validation_fraction=recipe.validation_fraction,
    )
    manifest = RunManifest(
        name=name or free_name(PurePath(corpus.name).stem),
        created=time.time(),
        preset=recipe.name,
        corpus=record,
        tokenizer=recipe.tokenizer,
        model=model,
        training=recipe.training,
        parent=parent,
        versions=_versions(),
    )
    return create_run(manifest)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("minigpt-tui", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
