"""A checkout of nanoGPT: its data written, its train.py run and timed by the lines it prints, all files elsewhere."""

from __future__ import annotations

import os
import pickle
import re
import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from minigpt_tui.data.corpus import split_position
from minigpt_tui.data.storage.errors import UserError

from .harness import TrialFailedError
from .processes import last_line

NAME = "nanoGPT"
CHARACTERS = "config/train_shakespeare_char.py"
# The command of its README for a computer without a GPU.
CPU_RECIPE: Mapping[str, object] = {
    "device": "cpu", "compile": False, "eval_iters": 20, "block_size": 64, "batch_size": 12, "n_layer": 4, "n_head": 4,
    "n_embd": 128, "max_iters": 2000, "lr_decay_iters": 2000, "dropout": 0.0,
}  # fmt: skip

_NEEDED = ("train.py", "model.py", "configurator.py", CHARACTERS)
_ITERATION = re.compile(r"iter (\d+): loss ([\d.]+|nan), time ([\d.]+)ms")
_EVALUATION = re.compile(r"step (\d+): train loss ([\d.]+|nan), val loss ([\d.]+|nan)")


@dataclass
class TrainOutput:
    """What train.py has printed; wall seconds count from the start of its process."""

    iterations: dict[int, float] = field(default_factory=dict)  # its own seconds of each iteration that it logs
    logged_at: dict[int, float] = field(default_factory=dict)  # wall seconds at which it said so
    evaluations: list[tuple[float, int, float]] = field(default_factory=list)  # wall seconds, iteration, its val loss
    whole: float = 0.0

    def take(self, line: str, wall: float) -> None:
        """Read one line; what is neither an iteration nor an evaluation is passed over."""
        if found := _ITERATION.match(line):
            number = int(found[1])
            self.iterations[number], self.logged_at[number] = float(found[3]) / 1e3, wall
        elif found := _EVALUATION.match(line):
            self.evaluations.append((wall, int(found[1]), float(found[3])))

    @property
    def seconds(self) -> float:
        """Of iterations alone: one that was evaluated in counts as the median, for its time has the evaluation's in it.

        Needs every iteration logged.
        """
        evaluated = {iteration for _, iteration, _ in self.evaluations}
        alone = [seconds for iteration, seconds in self.iterations.items() if iteration not in evaluated]
        return sum(alone) + statistics.median(alone) * (len(self.iterations) - len(alone))

    def best(self) -> float:
        """The lowest loss that it printed itself."""
        return min(loss for _, _, loss in self.evaluations)

    def reached(self, loss: float) -> float:
        """Wall seconds until its own loss was there. Raises TrialFailedError where it never was."""
        for wall, _, its_loss in self.evaluations:
            if its_loss <= loss:
                return wall
        raise TrialFailedError(f"its own loss never came down to {loss}; its lowest was {self.best():.4f}")

    def tokens_per_second(self, tokens_per_iteration: int, warm_up: int) -> float:
        """The pace by the clock between the first line logged after the warm-up and the last."""
        warm = [iteration for iteration in self.logged_at if iteration >= warm_up]
        if len(warm) < 2:
            raise TrialFailedError(f"it logged too few iterations after its first {warm_up} to have a pace")
        first, last = min(warm), max(warm)
        return (last - first) * tokens_per_iteration / (self.logged_at[last] - self.logged_at[first])


@dataclass(frozen=True)
class NanoGpt:
    """A checkout of nanoGPT."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> NanoGpt:
        """The checkout at `path`. Raises UserError where it is none."""
        absolute = path.expanduser().absolute()
        if missing := [name for name in _NEEDED if not (absolute / name).is_file()]:
            raise UserError(f"{path} is no checkout of nanoGPT: it has no {missing[0]}; name the folder of one")
        return cls(absolute)

    @property
    def commit(self) -> str:
        """The commit that is checked out, or nothing where git cannot say."""
        try:
            command = ["git", "-C", str(self.path), "rev-parse", "--short", "HEAD"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    def train(self, data: Path, out: Path, options: Mapping[str, object]) -> TrainOutput:
        """Run train.py with the character recipe and `options`, on prepared data, and return what it printed.

        Its checkpoint goes to `out`, with the characters beside it, so that it opens as a model. Raises
        TrialFailedError with the last line of its log where it fails.
        """
        out.mkdir(parents=True, exist_ok=True)
        (out / "meta.pkl").write_bytes((data / "meta.pkl").read_bytes())
        settings = {"dataset": data, "out_dir": out, **options}
        command = [sys.executable, "-u", "train.py", CHARACTERS, *(f"--{key}={settings[key]}" for key in settings)]
        output, began = TrainOutput(), time.perf_counter()
        with (out / "errors.txt").open("w+", encoding="utf-8", errors="replace") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace", cwd=self.path,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,  # the terminal's Ctrl-C reaches the harness alone, which ends this one
            )  # fmt: skip
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    output.take(line, time.perf_counter() - began)
                code = process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            output.whole = time.perf_counter() - began
            errors.seek(0)
            if code != 0:
                raise TrialFailedError(f"nanoGPT's train.py ended with code {code}: {last_line(errors.read())}")
        return output


def write_data(text: str, folder: Path, validation_fraction: float) -> None:
    """Write a text into `folder` the way nanoGPT's character data sets lie on disk, for train.py reads no other form.

    train.bin and val.bin hold ids of two bytes; meta.pkl is a pickle with the vocabulary's size, id -> character and
    character -> id: plain numbers and characters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    characters = sorted(set(text))
    ids = {character: number for number, character in enumerate(characters)}
    split = split_position(len(text), validation_fraction)
    for name, part in (("train.bin", text[:split]), ("val.bin", text[split:])):
        numbers = array("H", map(ids.__getitem__, part))
        if sys.byteorder == "big":
            numbers.byteswap()
        (folder / name).write_bytes(numbers.tobytes())
    meta = {"vocab_size": len(characters), "itos": dict(enumerate(characters)), "stoi": ids}
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta))
