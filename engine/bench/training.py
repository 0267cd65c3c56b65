"""`bench train`: which rows are measured, on which text, beside whom."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from ...data.catalog import CATALOG, download
from ...data.corpus import Corpus, open_corpus
from . import cpu_rows, gpu_rows
from .machine import find_gpu
from .measurements import Measurements, Work
from .nanogpt import NanoGpt
from .rows import ROWS, Row
from .setting import Setting

_TEXT = "tinyshakespeare"
_WORKS: dict[str, Callable[[Setting], Work]] = {
    "cpu-time-to-loss": cpu_rows.time_to_loss,
    "cpu-budget": cpu_rows.budget,
    "gpu-quality": gpu_rows.quality,
    "gpu-throughput": gpu_rows.throughput,
    "gpu-mfu": gpu_rows.utilisation,
    "crafting-attention": gpu_rows.crafting_attention,
}
_LONG = ("gpu-quality", "crafting-attention")  # where the peer takes many minutes


class BenchError(Exception):
    """A bench that cannot be done as it was asked for; one sentence."""


def run(arguments: argparse.Namespace, bench: Measurements) -> None:
    """Measure the rows that are named, or those that this machine can do; with --list only say what there is.

    Raises BenchError, CheckoutError, UserError.
    """
    if arguments.list:
        _list()
        return
    peer = NanoGpt.at(Path(arguments.nanogpt)) if arguments.nanogpt else None
    rows = _rows(arguments.row, arguments.corpus is not None, bench)
    corpus = _text(arguments.corpus, bench)
    with tempfile.TemporaryDirectory(prefix="minigpt-bench-", ignore_cleanup_errors=True) as home:
        setting = Setting(Path(home), corpus, peer, arguments.with_long_peers)
        _introduce(setting, rows, bench)
        for row in rows:
            bench.measure(_WORKS[row.name](setting), arguments.repeats)


def _list() -> None:
    width = max(map(len, ROWS))
    for row in ROWS.values():
        print(f"{row.name:{width}}  {row.work}")


def _rows(names: list[str], has_text: bool, bench: Measurements) -> list[Row]:
    """The rows to measure, in the order of the table; the engine is asked for a GPU only where that matters."""
    wanted = [row for row in ROWS.values() if row.name in names]
    if wanted and not any(row.needs_gpu for row in wanted):
        return wanted
    bench.say("looking for a GPU ...")
    gpu = find_gpu()
    if not wanted:
        return [row for row in ROWS.values() if row.needs_gpu == bool(gpu) and not row.own_text]
    if not gpu:
        named = ", ".join(row.name for row in wanted if row.needs_gpu)
        there = ", ".join(row.name for row in ROWS.values() if not row.needs_gpu)
        raise BenchError(f"no GPU is found here, which {named} cannot do without; for a CPU there are {there}")
    for row in wanted:
        if row.own_text and not has_text:
            raise BenchError(f"{row.name} learns from a text of its own: {row.work}; name its folder with --corpus")
    return wanted


def _text(spec: str | None, bench: Measurements) -> Corpus:
    """The text that is named, else Tiny Shakespeare, by a path that any process finds whatever its home is."""
    if spec is None:
        bench.say(f"looking for {_TEXT} ...")
        spec = str(download(CATALOG[_TEXT]))
    corpus = open_corpus(spec)
    if corpus.fingerprint != CATALOG[_TEXT].sha256:
        bench.note(
            f"The text is {corpus.name} ({corpus.n_characters:,} characters), not {_TEXT}, for which the targets are."
        )
    return corpus


def _introduce(setting: Setting, rows: list[Row], bench: Measurements) -> None:
    """Say what the figures of the peer are, and which of them are left out."""
    if setting.nanogpt is None:
        bench.say("no peer is measured; name a checkout of nanoGPT with --nanogpt PATH")
        return
    commit = f" at commit {setting.nanogpt.commit}" if setting.nanogpt.commit else ""
    bench.note(f"nanoGPT{commit} is run as it was published and is not tuned anew.")
    left_out = [row.name for row in rows if row.name in _LONG and not setting.long_peers]
    if left_out:
        bench.note(
            f"nanoGPT is left out of {', '.join(left_out)}, where it takes minutes; --with-long-peers has it in."
        )
