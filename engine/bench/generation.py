"""`bench generate`: which rows are measured, and beside whom."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

from .generation_loss import change_in_loss, check, sentence
from .generation_rows import NANOGPT, ROWS, Row
from .generation_setting import FAR_MORE, Setting
from .generation_works import plan
from .machine import find_gpu
from .measurements import Measurements
from .nanogpt import NanoGpt


class NoGpuError(Exception):
    """Rows that need a GPU were asked for where there is none; one sentence."""


def run(arguments: argparse.Namespace, bench: Measurements) -> None:
    """Measure the rows that are named, or those that this machine can do; with --list only say what there is.

    Raises NoGpuError, CheckoutError, UserError, TextError, TurnFailedError, OSError.
    """
    if arguments.list:
        _list()
        return
    nanogpt = NanoGpt.at(Path(arguments.nanogpt)) if arguments.nanogpt else None
    check(arguments.model, arguments.text)
    rows, gpu = _rows(arguments.row, bench)
    bench.note(
        "Everybody draws with temperature 0.8 and top-k 40. The limit is what each token must read, over the rate at "
        "which this machine reads as many bytes again and again; a share is of the rate at which it reads more than "
        "its caches hold."
    )
    loss_is_known = False
    with tempfile.TemporaryDirectory(prefix="minigpt-bench-", ignore_cleanup_errors=True) as home:
        for row in rows:
            with contextlib.ExitStack() as closing:
                setting = Setting(Path(home), closing, nanogpt, gpu if row.needs_gpu else "", FAR_MORE)
                if row is rows[0]:
                    _introduce(setting, rows, bench)
                _measure(row, setting, arguments.repeats, bench)
                if row.quantize == "int8" and not loss_is_known:
                    loss_is_known = True
                    _compare_losses(setting, arguments, bench)


def _measure(row: Row, setting: Setting, repeats: int, bench: Measurements) -> None:
    bench.say(f"{row.name}: preparing ...")
    work, machine = plan(row, setting)
    bench.measure(work, repeats, warm_up=True)
    if row.measure == "samples" and machine.bound:
        bench.note(f"{row.name}: {machine.bound}.")


def _compare_losses(setting: Setting, arguments: argparse.Namespace, bench: Measurements) -> None:
    bench.say("int8: preparing a model whose loss means something ...")
    work = bench.measure(change_in_loss(setting, arguments.model, arguments.text), 1)
    if said := sentence(work):
        bench.note(said)


def _list() -> None:
    width = max(map(len, ROWS))
    for row in ROWS.values():
        print(f"{row.name:{width}}  {row.work}")


def _rows(names: list[str], bench: Measurements) -> tuple[list[Row], str]:
    """The rows to measure, and the GPU's name; the engine is asked for one only where that matters."""
    wanted = [row for row in ROWS.values() if row.name in names]
    if wanted and not any(row.needs_gpu for row in wanted):
        return wanted, ""
    bench.say("looking for a GPU ...")
    gpu = find_gpu()
    if not wanted:
        return [row for row in ROWS.values() if row.needs_gpu == bool(gpu)], gpu
    if not gpu:
        named = ", ".join(row.name for row in wanted if row.needs_gpu)
        there = ", ".join(row.name for row in ROWS.values() if not row.needs_gpu)
        raise NoGpuError(f"no GPU is found here, which {named} cannot do without; for a CPU there are {there}")
    return wanted, gpu


def _introduce(setting: Setting, rows: list[Row], bench: Measurements) -> None:
    """Say who is left out, and what is not alike."""
    for said in setting.absent():
        bench.note(said)
    if any(row.measure == "pace" and row.tokens > row.shape.config.context_length for row in rows):
        bench.note(
            "Past the context of 256 ours reads the last half of it anew and nanoGPT crops the text at each token; "
            "transformers and llama.cpp were given a model with the positions repeated up to the last token, and so "
            "look back further."
        )
    if setting.nanogpt is not None:
        commit = f" at commit {setting.nanogpt.commit}" if setting.nanogpt.commit else ""
        bench.note(f"{NANOGPT}{commit} is run as it was published.")
