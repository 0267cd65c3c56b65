"""Where generation is measured: the models in every form that is needed, and which peers are there."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from minigpt_tui.engine.requests import Load

from ..nanogpt import NanoGpt
from ..processes import output_of
from .our_generation import OurGeneration
from .peers.protocol import PeerProcess
from .workloads import LLAMA, NANOGPT, TRANSFORMERS, GenerationWorkload, Shape

PACKAGES = {TRANSFORMERS: ("transformers",), LLAMA: ("llama_cpp", "gguf", "numpy")}  # a GGUF file must be written, too

FAR_MORE = 2**29  # bytes that no cache holds


def missing_packages() -> dict[str, str]:
    """The peers that cannot be measured here, each with a package that it needs and that is not installed."""
    absent = {
        peer: next((package for package in packages if importlib.util.find_spec(package) is None), "")
        for peer, packages in PACKAGES.items()
    }
    return {peer: package for peer, package in absent.items() if package}


@dataclass
class GenerationSetup:
    """All files are below `home`, and all processes end with `closing`."""

    home: Path
    closing: contextlib.ExitStack
    nanogpt: NanoGpt | None = None
    gpu: str = ""  # its name, where the workloads are for one
    far_more: int = FAR_MORE
    without: Collection[str] = ()  # peers that are not to be measured
    missing: dict[str, str] = field(default_factory=missing_packages)

    def has(self, peer: str) -> bool:
        """Whether that peer is measured here."""
        there = self.nanogpt is not None if peer == NANOGPT else peer not in self.missing
        return there and peer not in self.without

    def absent(self) -> Iterator[str]:
        """A sentence for each peer that is not measured."""
        for peer in self.without:
            yield f"{peer} is left out, as was asked for."
        for peer, package in self.missing.items():
            if peer not in self.without:
                yield f"{peer} is left out: the package {package} is not installed."
        if self.nanogpt is None and NANOGPT not in self.without:
            yield f"{NANOGPT} is left out: no checkout of it is named with --nanogpt."

    def ours(self, workload: GenerationWorkload) -> OurGeneration:
        """Our generate process with the workload's model."""
        device, dtype = ("auto", "bfloat16") if workload.needs_gpu else ("cpu", "float32")
        folder = self.checkpoint(workload.shape)
        return self.generation(Load(1, str(folder), False, device, dtype, quantize=workload.quantize))

    def generation(self, load: Load) -> OurGeneration:
        """A generate process of ours, which starts when it is first asked."""
        ours = OurGeneration(load)
        self.closing.callback(ours.close)
        return ours

    def peer(self, name: str, module: str, *arguments: object) -> PeerProcess:
        """A process of the package `peers`, which starts when it is first asked."""
        process = PeerProcess(name, module, *map(str, arguments))
        self.closing.callback(process.close)
        return process

    def checkpoint(self, shape: Shape, positions: int = 0) -> Path:
        """The folder of the shape's model; with a table of so many `positions` where it has fewer."""
        folder = self.home / f"{shape.preset}-{max(positions, shape.config.context_length)}"
        if not folder.exists():
            sizes = ("--characters", str(shape.characters), "--positions", str(positions))
            output_of("benchmarks.generate.random_model", str(folder), "--preset", shape.preset, *sizes)
        return folder

    def gguf(self, checkpoint: Path, dtype: str) -> Path:
        """The same model in a file that our export writes."""
        file = self.home / f"{checkpoint.name}-{dtype}.gguf"
        if not file.exists():
            options = ("--to", "gguf", "--dtype", dtype, "--output", str(file))
            output_of("minigpt_tui.engine.export.process", str(checkpoint), *options)
        return file
