"""What all trainings share: the text and a folder for all files; and ours and nanoGPT's as candidates."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from minigpt_tui.data.corpus import Corpus, split_position
from minigpt_tui.engine.events import TrainingEvent
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.recipe import Recipe

from ..harness import OURS, Candidate, Figure
from ..nanogpt import NanoGpt, TrainOutput, write_data
from .our_training import Training, evaluate, train, with_training

VALIDATION_FRACTION = 0.1


@dataclass
class TrainingSetup:
    """Where trainings are measured. All files are below `home`, which is deleted afterwards."""

    home: Path
    corpus: Corpus
    nanogpt: NanoGpt | None = None
    long_peers: bool = False  # whether a peer may take many minutes
    cpu_peer: Candidate | None = None  # nanoGPT's CPU recipe, once a workload has needed it
    _prepared: dict[str, Path] = field(default_factory=dict)

    def ours(
        self,
        recipe: Recipe,
        figures: Callable[[Training, Path], Mapping[str, Figure]],
        name: str = OURS,
        watch: Callable[[Run, TrainingEvent], None] = lambda run, event: None,
    ) -> Candidate:
        """A candidate that trains `recipe`, each repeat with the next seed, from a home that knows nothing.

        `figures` reads them off the training that has ended; its files are in the folder that it is given.
        """

        def run(repeat: int) -> Mapping[str, Figure]:
            with self.folder() as home:
                training = train(home, self.corpus.spec, with_training(recipe, seed=repeat), watch)
                return {**figures(training, home), **training.facts}

        return Candidate(name, run)

    def peer(
        self, options: Mapping[str, object], figures: Callable[[TrainOutput, Path], Mapping[str, Figure]], name: str
    ) -> Candidate:
        """A candidate that runs nanoGPT's train.py on the same text; `figures` finds its checkpoint in the folder."""

        def run(repeat: int) -> Mapping[str, Figure]:
            assert self.nanogpt
            with self.folder() as out:
                return figures(self.nanogpt.train(self._data(), out, options), out)

        return Candidate(name, run)

    def loss_of_peer(self, out: Path) -> float:
        """The `full` loss of nanoGPT's checkpoint on the validation text, as ours are scored."""
        return evaluate(out, out / "ckpt.pt", on=self._validation_text())

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(dir=self.home, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def _data(self) -> Path:
        if "data" not in self._prepared:
            folder = self.home / "nanogpt-data"
            write_data(self.corpus.read(), folder, VALIDATION_FRACTION)
            self._prepared["data"] = folder
        return self._prepared["data"]

    def _validation_text(self) -> Path:
        if "validation" not in self._prepared:
            text, path = self.corpus.read(), self.home / "validation.txt"
            path.write_bytes(text[split_position(len(text), VALIDATION_FRACTION) :].encode())
            self._prepared["validation"] = path
        return self._prepared["validation"]
