"""What rounding the weights to eight bits costs: the loss of one text, with and without. No seconds are measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.tales.generator import generate
from minigpt_tui.engine.model_files import find_model
from minigpt_tui.engine.requests import Load, Quantization
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget

from ..harness import OURS, Benchmark, Candidate, Comparison, Figure
from ..train.our_training import train, with_training
from .setup import GenerationSetup

FLOAT = "float32"
_CORPUS = "tales:1MB"  # of a training that takes seconds
_UNSEEN, _SEED = 20_000, 7  # characters, and a seed of which that corpus has none


def check(model: str | None, text: str | None) -> None:
    """See that what is named can be read, before anything is measured. Raises UserError, OSError."""
    if model is not None:
        find_model(model)
    if text is not None:
        _read(text)


def change_in_loss(setup: GenerationSetup, model: str | None, text: str | None, steps: int = 200) -> Benchmark:
    """The benchmark for the model that is named, or for one that is trained now for so many steps; `text` is scored,
    or unseen `tales`. Raises UserError, OSError.
    """
    path, name = _trained(setup, steps) if model is None else _named(model)
    scored = generate(_UNSEEN, _SEED).text if text is None else _read(text)

    def candidate(name: str, quantize: Quantization) -> Candidate:
        ours = setup.generation(Load(1, str(path), False, "cpu", "float32", quantize=quantize))

        def trial(repeat: int) -> Mapping[str, Figure]:
            return {"loss": ours.score(scored)}

        return Candidate(name, trial)

    on = "unseen `tales`" if text is None else Path(text).name
    return Benchmark(
        "int8", [candidate(FLOAT, "none"), candidate(OURS, "int8")],
        [Comparison(f"loss of {name} on {on}", "loss", "nats", FLOAT, ratio=False)],
    )  # fmt: skip


def sentence(benchmark: Benchmark) -> str:
    """What the rounding changed, to all digits that mean something; nothing where it was not measured."""
    losses = {trial.candidate: trial.figures["loss"] for trial in benchmark.trials if not trial.failure}
    before, after = losses.get(FLOAT), losses.get(OURS)
    if not isinstance(before, float) or not isinstance(after, float):
        return ""
    what = benchmark.comparisons[0].what
    return f"int8: the {what} changes from {before:.4f} to {after:.4f} nats a token, by {after - before:+.4f}."


def _trained(setup: GenerationSetup, steps: int) -> tuple[Path, str]:
    recipe = with_training(preset("quick"), budget=Budget(steps), evaluation="random", device="cpu")
    home = setup.home / "trained"
    home.mkdir()
    return train(home, _CORPUS, recipe).run.path, f"`quick` after {steps} steps"


def _read(text: str) -> str:
    try:
        return Path(text).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{text} is not UTF-8 text: {error.reason} at {error.start}; name another file with --text"
        ) from None


def _named(model: str) -> tuple[Path, str]:
    file = find_model(model)
    return file.path, file.name
