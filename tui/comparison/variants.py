"""By what a column is written: a model, settings and a seed; and which others there are to choose from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import randbelow

from ...engine.requests import SamplingSettings
from ...engine.runs import Run, list_runs
from ..bridge import Bridge
from ..run_checkpoints import checkpoints_of, history_of
from ..sampling_sets import BUILT_IN, applied, name_of
from ..text import formatting

_SEEDS = 1_000_000  # that are drawn from where none is chosen: short enough to be typed again
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Variant:
    """What one column has for itself, while the prompt is the same in all of them."""

    path: Path  # that is loaded
    follow: bool  # it is a run's folder, whose newest weights write each reply
    model: str  # the path of the run or of the model on disk, whose token ids are its own
    name: str  # of the run or the model
    checkpoint: str  # which of a run's: "best", "last", "step 100"; nothing for its newest
    settings: SamplingSettings  # with a seed

    @property
    def seed(self) -> int:
        """By which the same is written again."""
        assert self.settings.seed is not None
        return self.settings.seed

    def with_seed(self, seed: int) -> Variant:
        """The same with another seed."""
        return replace(self, settings=replace(self.settings, seed=seed))

    def loads_the_same(self, other: Variant) -> bool:
        """Whether the same weights write both."""
        return (self.path, self.follow) == (other.path, other.follow)

    def title(self, step: int | None) -> str:
        """The model in few words, with the training step of its weights where it is known."""
        words = [f"step {step:,}"] if step else []
        if self.checkpoint and not (words and self.checkpoint.startswith("step")):
            words.append(self.checkpoint)
        return " · ".join([*words, formatting.one_line(self.name)])

    def how(self, own: Mapping[str, SamplingSettings]) -> str:
        """The set of settings and the seed, in few words."""
        return f"{name_of(self.settings, own) or 'settings of your own'} · seed {self.seed}"


def first_variants(bridge: Bridge, settings: SamplingSettings) -> list[Variant]:
    """The two that a comparison begins with; none where no model is on screen.

    They are the oldest checkpoint of the run and its newest, else its newest with two seeds. They begin with the set
    `neutral`: the model's own distribution; length, stop texts and a seed are those of `settings`.
    """
    settings = applied(BUILT_IN["neutral"], settings)
    settings = replace(settings, seed=randbelow(_SEEDS) if settings.seed is None else settings.seed)
    if (file := bridge.opened) is not None:
        newest, oldest = Variant(file.path, False, str(file.path), file.name, "", settings), None
    elif (run := bridge.run) is not None and run.checkpoint() is not None:
        newest = _newest(run, settings)
        oldest = next((_checkpoint(newest, run, folder) for _, folder in history_of(run)), None)
    else:
        return []
    return [oldest, newest] if oldest else [newest, newest.with_seed(next_seed(newest.seed))]


def next_seed(seed: int) -> int:
    """Another one."""
    return seed + 1 if seed < _LARGEST_SEED else 0


def other_seeds(variants: list[Variant]) -> list[Variant]:
    """The same with new seeds; those that had the same one have the same one again."""
    seeds = {variant.seed: 0 for variant in variants}
    first = randbelow(_SEEDS)
    seeds = {seed: first + number for number, seed in enumerate(seeds)}
    return [variant.with_seed(seeds[variant.seed]) for variant in variants]


@dataclass(frozen=True)
class Choice:
    """A variant that differs from another one in one thing, and which that is."""

    words: str
    variant: Variant


def choices(variant: Variant, own: Mapping[str, SamplingSettings], columns: Collection[Variant] = ()) -> list[Choice]:
    """What differs from `variant` in one thing: a checkpoint of its run, another run, a set of settings, a seed.

    What one of the `columns` has already is left out. Reads the folders of all runs: not on the thread that draws.
    """
    found = (*_checkpoints(variant), *_runs(variant), *_sets(variant, own))
    seed, taken = next_seed(variant.seed), {column.seed for column in columns}
    while seed in taken:
        seed = next_seed(seed)
    others = [Choice(words, one) for words, one in found if one != variant and one not in columns]
    return [*others, seed_choice(variant, seed)]


def seed_choice(variant: Variant, seed: int) -> Choice:
    """The same with this seed."""
    return Choice(f"seed {seed}", variant.with_seed(seed))


def typed_seed(words: str) -> int | None:
    """The seed that somebody has typed: "7" or "seed 7"; None where it is none."""
    digits = words.strip().removeprefix("seed").strip()
    return int(digits) if digits.isdecimal() and len(digits) < 20 and int(digits) <= _LARGEST_SEED else None


def _checkpoints(variant: Variant) -> Iterator[tuple[str, Variant]]:
    run = Run(Path(variant.model))
    for found in checkpoints_of(run):
        yield found.words, _checkpoint(variant, run, found.folder)


def _runs(variant: Variant) -> Iterator[tuple[str, Variant]]:
    for run in list_runs():
        if run.checkpoint() is not None:
            yield f"run {formatting.one_line(run.name)}", _newest(run, variant.settings)


def _sets(variant: Variant, own: Mapping[str, SamplingSettings]) -> Iterator[tuple[str, Variant]]:
    for name, chosen in {**BUILT_IN, **own}.items():
        yield f"set {name}", replace(variant, settings=applied(chosen, variant.settings))


def _newest(run: Run, settings: SamplingSettings) -> Variant:
    return Variant(run.path, True, str(run.path), run.name, "", settings)


def _checkpoint(variant: Variant, run: Run, folder: Path) -> Variant:
    step = folder.name.removeprefix("step-")
    words = f"step {int(step):,}" if step.isdecimal() else folder.name
    return Variant(folder, False, str(run.path), run.name, words, variant.settings)
