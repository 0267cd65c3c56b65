"""What rounding the weights to eight bits costs: the loss of one text, with and without. No seconds are measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...data.tales.generator import generate
from ...models.presets import preset
from ...models.recipe import Budget
from ..model_files import find_model
from ..requests import Load, Quantization
from .generation_setting import Setting
from .measurements import OURS, Comparison, Work
from .our_training import train, with_training
from .turns import Contestant, Figure

FLOAT = "float32"
_STEPS, _CORPUS = 200, "tales:1MB"  # of a training that takes seconds
_UNSEEN, _SEED = 20_000, 7  # characters, and a seed of which that corpus has none


class TextError(Exception):
    """The file to be scored is no text; one sentence."""


def check(model: str | None, text: str | None) -> None:
    """See that what is named can be read, before anything is measured. Raises UserError, TextError,
    OSError.
    """
    if model is not None:
        find_model(model)
    if text is not None:
        _read(text)


def change_in_loss(setting: Setting, model: str | None, text: str | None) -> Work:
    """The work for the model that is named, or for one that is trained now; `text` is scored, or unseen `tales`.

    Raises as `check` does, and TurnFailedError.
    """
    path, name = _trained(setting) if model is None else _named(model)
    scored = generate(_UNSEEN, _SEED).text if text is None else _read(text)

    def contestant(name: str, quantize: Quantization) -> Contestant:
        ours = setting.generation(Load(1, str(path), False, "cpu", "float32", quantize=quantize))

        def turn(repeat: int) -> Mapping[str, Figure]:
            return {"loss": ours.score(scored)}

        return Contestant(name, turn)

    on = "unseen `tales`" if text is None else Path(text).name
    return Work(
        "int8", [contestant(FLOAT, "none"), contestant(OURS, "int8")],
        [Comparison(f"loss of {name} on {on}", "loss", "nats", FLOAT, ratio=False)],
    )  # fmt: skip


def sentence(work: Work) -> str:
    """What the rounding changed, to all digits that mean something; nothing where it was not measured."""
    losses = {turn.contestant: turn.figures["loss"] for turn in work.turns if not turn.failure}
    before, after = losses.get(FLOAT), losses.get(OURS)
    if not isinstance(before, float) or not isinstance(after, float):
        return ""
    what = work.comparisons[0].what
    return f"int8: the {what} changes from {before:.4f} to {after:.4f} nats a token, by {after - before:+.4f}."


def _trained(setting: Setting) -> tuple[Path, str]:
    recipe = with_training(preset("quick"), budget=Budget(_STEPS), device="cpu")
    home = setting.home / "trained"
    home.mkdir()
    return train(home, _CORPUS, recipe).run.path, f"`quick` after {_STEPS} steps"


def _read(text: str) -> str:
    try:
        return Path(text).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TextError(
            f"{text} is not UTF-8 text: {error.reason} at {error.start}; name another file with --text"
        ) from None


def _named(model: str) -> tuple[Path, str]:
    file = find_model(model)
    return file.path, file.name
