"""Where the rows of `bench generate` are measured: the models in every form that is needed, and who is there."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..client import child_environment, python_module
from ..requests import Load
from .answering_process import AnsweringProcess
from .generation_rows import LLAMA, NANOGPT, TRANSFORMERS, Row, Shape
from .nanogpt import NanoGpt
from .our_generation import OurGeneration
from .turns import TurnFailedError

_PACKAGES = {TRANSFORMERS: ("transformers",), LLAMA: ("llama_cpp", "gguf", "numpy")}  # a GGUF file must be written, too

FAR_MORE = 2**29  # bytes that no cache holds


@dataclass
class Setting:
    """All files are below `home`, and all processes end with `closing`."""

    home: Path
    closing: contextlib.ExitStack
    nanogpt: NanoGpt | None = None
    gpu: str = ""  # its name, where the rows are for one
    far_more: int = FAR_MORE

    def has(self, peer: str) -> bool:
        """Whether that peer can be measured here."""
        return self.nanogpt is not None if peer == NANOGPT else not _missing(peer)

    def absent(self) -> Iterator[str]:
        """A sentence for each peer that cannot be measured."""
        for peer in filter(_missing, _PACKAGES):
            yield f"{peer} is left out: the package {_missing(peer)} is not installed."
        if self.nanogpt is None:
            yield f"{NANOGPT} is left out: no checkout of it is named with --nanogpt."

    def ours(self, row: Row) -> OurGeneration:
        """Our generate process with the row's model."""
        device, dtype = ("auto", "bfloat16") if row.needs_gpu else ("cpu", "float32")
        return self.generation(Load(1, str(self.checkpoint(row.shape)), False, device, dtype, quantize=row.quantize))

    def generation(self, load: Load) -> OurGeneration:
        """A generate process of ours, which starts when it is first asked."""
        ours = OurGeneration(load)
        self.closing.callback(ours.close)
        return ours

    def peer(self, name: str, module: str, *arguments: object) -> AnsweringProcess:
        """A process of `generation_peers`, which starts when it is first asked."""
        process = AnsweringProcess(name, f"generation_peers.{module}", *map(str, arguments))
        self.closing.callback(process.close)
        return process

    def checkpoint(self, shape: Shape, positions: int = 0) -> Path:
        """The folder of the shape's model; with a table of so many `positions` where it has fewer."""
        folder = self.home / f"{shape.preset}-{max(positions, shape.config.context_length)}"
        if not folder.exists():
            sizes = ("--characters", str(shape.characters), "--positions", str(positions))
            _run("minigpt_tui.engine.bench.generation_models", str(folder), "--preset", shape.preset, *sizes)
        return folder

    def gguf(self, checkpoint: Path, dtype: str) -> Path:
        """The same model in a file that our export writes."""
        file = self.home / f"{checkpoint.name}-{dtype}.gguf"
        if not file.exists():
            options = ("--to", "gguf", "--dtype", dtype, "--output", str(file))
            _run("minigpt_tui.engine.export.process", str(checkpoint), *options)
        return file


def _missing(peer: str) -> str:
    """A package that the peer needs and that is not installed, or nothing."""
    return next((package for package in _PACKAGES[peer] if importlib.util.find_spec(package) is None), "")


def _run(module: str, *arguments: str) -> None:
    """Run a process of ours to its end. Raises TurnFailedError with its last word where it fails."""
    command = python_module(module, *arguments)
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", errors="replace", env=child_environment()
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines() or [f"{module} ended with code {done.returncode}"]
        raise TurnFailedError(last[-1].removeprefix("minigpt-tui: "))
