"""`benchmarks train`: which workloads are measured, on which text, beside whom."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from minigpt_tui.data.catalog import CATALOG, download
from minigpt_tui.data.corpus import Corpus, open_corpus
from minigpt_tui.data.storage.errors import UserError

from .. import workloads as named
from ..harness import Harness
from ..nanogpt import NanoGpt
from .setup import TrainingSetup
from .workloads import WORKLOADS, TrainingWorkload

_TEXT = "tinyshakespeare"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `benchmarks train`."""
    parser.description = (
        "Train beside nanoGPT: how fast, how well. Without names the workloads that this machine can do: with a GPU "
        "those for a GPU, else those for a CPU."
    )
    named.add_options(parser, WORKLOADS, repeats=3)
    parser.add_argument(
        "--with-long-peers", action="store_true", help="let nanoGPT also train where that takes many minutes"
    )
    parser.add_argument(
        "--corpus", metavar="FILE", help="a file or folder to learn from (default: tinyshakespeare, downloaded once)"
    )


def run(arguments: argparse.Namespace, harness: Harness, workloads: Mapping[str, TrainingWorkload] = WORKLOADS) -> None:
    """Measure the workloads that are named, or those that this machine can do; with --list only say what there is.

    Raises UserError, OSError.
    """
    if arguments.list:
        print(*(workload.row for workload in workloads.values()), sep="\n")
        return
    peer = NanoGpt.at(Path(arguments.nanogpt)) if arguments.nanogpt else None
    for workload in workloads.values():
        if workload.name in arguments.workload and workload.own_text and arguments.corpus is None:
            raise UserError(f"{workload.name} learns from a text of its own; name its folder with --corpus")
    chosen, _ = named.choose(workloads, arguments.workload, harness)
    corpus = _text(arguments.corpus, harness)
    with tempfile.TemporaryDirectory(prefix="minigpt-bench-", ignore_cleanup_errors=True) as home:
        setup = TrainingSetup(Path(home), corpus, peer, arguments.with_long_peers)
        _introduce(setup, chosen, harness)
        for workload in chosen:
            harness.measure(workload.benchmark(setup), arguments.repeats)


def _text(spec: str | None, harness: Harness) -> Corpus:
    """The text that is named, else Tiny Shakespeare, by a path that any process finds whatever its home is."""
    if spec is None:
        harness.say(f"looking for {_TEXT} ...")
        spec = str(download(CATALOG[_TEXT]))
    corpus = open_corpus(spec)
    if corpus.fingerprint != CATALOG[_TEXT].sha256:
        harness.note(
            f"The text is {corpus.name} ({corpus.n_characters:,} characters), not {_TEXT}, for which the targets are."
        )
    return corpus


def _introduce(setup: TrainingSetup, chosen: list[TrainingWorkload], harness: Harness) -> None:
    """Say how nanoGPT is run, and which of its trainings are left out."""
    if setup.nanogpt is None:
        harness.say("no peer is measured; name a checkout of nanoGPT with --nanogpt PATH")
        return
    commit = f" at commit {setup.nanogpt.commit}" if setup.nanogpt.commit else ""
    harness.note(f"nanoGPT{commit} is run as it was published and is not tuned anew.")
    if left_out := [workload.name for workload in chosen if workload.long_peer and not setup.long_peers]:
        harness.note(
            f"nanoGPT is left out of {', '.join(left_out)}, where it takes minutes; --with-long-peers has it in."
        )
