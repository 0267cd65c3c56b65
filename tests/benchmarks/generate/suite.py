"""`benchmarks generate`: which workloads are measured, and beside whom."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .. import workloads as named
from ..harness import Harness
from ..nanogpt import NanoGpt
from .int8_loss import change_in_loss, check, sentence
from .measuring import plan
from .setup import FAR_MORE, PACKAGES, GenerationSetup
from .workloads import NANOGPT, WORKLOADS, GenerationWorkload


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `benchmarks generate`."""
    parser.description = (
        "Generate beside transformers, llama.cpp and nanoGPT, as far as they are there, from the same weights, and "
        "beside what this machine's memory allows. Without names the workloads that this machine can do: with a GPU "
        "those for a GPU, else those for a CPU."
    )
    named.add_options(parser, WORKLOADS, repeats=5)
    parser.add_argument(
        "--without", action="append", default=[], choices=[*PACKAGES, NANOGPT], metavar="PEER",
        help=f"leave one of {', '.join(PACKAGES)} and {NANOGPT} out",
    )  # fmt: skip
    parser.add_argument(
        "--model", metavar="MODEL",
        help="whose loss in int8 is compared (default: a model that is trained for some seconds)",
    )  # fmt: skip
    parser.add_argument("--text", metavar="FILE", help="the text of that loss (default: unseen `tales`)")


def run(
    arguments: argparse.Namespace,
    harness: Harness,
    workloads: Mapping[str, GenerationWorkload] = WORKLOADS,
    far_more: int = FAR_MORE,
) -> None:
    """Measure the workloads that are named, or those that this machine can do; with --list only say what there is.

    `far_more` bytes are read for the bandwidth of the memory. Raises UserError, OSError.
    """
    if arguments.list:
        print(*(workload.row for workload in workloads.values()), sep="\n")
        return
    nanogpt = NanoGpt.at(Path(arguments.nanogpt)) if arguments.nanogpt else None
    check(arguments.model, arguments.text)
    chosen, gpu = named.choose(workloads, arguments.workload, harness)
    harness.note(
        "All draw with temperature 0.8 and top-k 40. The limit is what each token must read, over the rate at "
        "which this machine reads as many bytes again and again; a share is of the rate at which it reads more than "
        "its caches hold."
    )
    loss_is_known = False
    with tempfile.TemporaryDirectory(prefix="minigpt-bench-", ignore_cleanup_errors=True) as home:
        for workload in chosen:
            with contextlib.ExitStack() as closing:
                gpu_used = gpu if workload.needs_gpu else ""
                setup = GenerationSetup(Path(home), closing, nanogpt, gpu_used, far_more, arguments.without)
                if workload is chosen[0]:
                    _introduce(setup, chosen, harness)
                _measure(workload, setup, arguments.repeats, harness)
                if workload.quantize == "int8" and not loss_is_known:
                    loss_is_known = True
                    _compare_losses(setup, arguments, harness)


def _measure(workload: GenerationWorkload, setup: GenerationSetup, repeats: int, harness: Harness) -> None:
    harness.say(f"{workload.name}: preparing ...")
    benchmark, roofline = plan(workload, setup)
    harness.measure(benchmark, repeats, warm_up=True)
    if workload.measure == "samples" and roofline.bound:
        harness.note(f"{workload.name}: {roofline.bound}.")


def _compare_losses(setup: GenerationSetup, arguments: argparse.Namespace, harness: Harness) -> None:
    harness.say("int8: preparing a model whose loss means something ...")
    benchmark = harness.measure(change_in_loss(setup, arguments.model, arguments.text), 1)
    if said := sentence(benchmark):
        harness.note(said)


def _introduce(setup: GenerationSetup, chosen: list[GenerationWorkload], harness: Harness) -> None:
    """Say which peers are left out, and what is not alike."""
    for said in setup.absent():
        harness.note(said)
    if any(w.measure == "pace" and w.tokens > w.shape.config.context_length for w in chosen):
        harness.note(
            "Past the context of 256 ours reads the last half of it anew and nanoGPT crops the text at each token; "
            "transformers and llama.cpp were given a model with the positions repeated up to the last token, and so "
            "look back further."
        )
    if setup.nanogpt is not None:
        commit = f" at commit {setup.nanogpt.commit}" if setup.nanogpt.commit else ""
        harness.note(f"{NANOGPT}{commit} is run as it was published.")
