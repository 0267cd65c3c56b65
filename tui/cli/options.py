"""Options that several verbs share; most are made from the configuration's own fields: one name, one description."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import typing
from collections.abc import Callable
from dataclasses import Field
from pathlib import Path
from typing import Any, TypeVar

from ...data.storage.errors import UserError
from ...engine.model_files import find_model
from ...engine.requests import SHAPE, Load, Quantization, SamplingSettings
from ...engine.run_about import find_run
from ...models.config import ConfigError, ModelConfig, descriptions
from ...models.recipe import Recipe, TrainingConfig
from ..sampling_sets import BUILT_IN
from ..settings import load_settings
from ..text.escapes import unescaped

T = TypeVar("T")

# the tokenizer sets the first; --steps, --minutes and --budget the second; --sample-prompt, given several times, the
# last; the preset is what the others belong to
_NOT_OPTIONS = {"vocab_size", "budget", "name", "description", "source", "model", "training",
                "sample_prompts"}  # fmt: skip
_CHANGEABLE_IN_FINE_TUNING = {"context_length", "attention_dropout", "residual_dropout", "embedding_dropout"}
_REPEATABLE = {"stop": "--stop", "forbidden": "--forbid"}
_TEXTS = ("sample_prompt",)  # may hold what cannot be typed
_TOKENIZER_OPTIONS = ("tokenizer", "bpe_vocab_size", "unknown_characters")

MODEL = "a run, a checkpoint, a Hugging Face folder, or nanoGPT's ckpt.pt"
ESCAPES = r"\n is a new line, \t a tab, \u2028 that character, \\ a backslash."
EXPLAINED = "each token's probability, rank, entropy and likeliest alternatives"


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """`RUN`, which may be left out."""
    parser.add_argument("run", nargs="?", help="the run; the newest where none is named")


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """The same for verbs that take any model."""
    parser.add_argument("run", nargs="?", metavar="model", help=f"{MODEL}; the newest run where none is named")


def path_of_model(name: str | None) -> Path:
    """Where the model of that name lies; the newest run's where there is none.

    For a run that is the run's folder: its training may replace the checkpoint before it is loaded.
    """
    if name is None:
        return find_run().path
    file = find_model(name)
    with contextlib.suppress(UserError):  # where there are no locks the checkpoint that was named is what is read
        if file.run is not None and file.path == file.run.current_checkpoint():
            return file.run.path
    return file.path


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Where a model runs, and in which number format."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps or xpu (default auto)")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="(default auto)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads; 0 chooses by what is there")
    add_quantize_option(parser)


def add_quantize_option(parser: argparse.ArgumentParser) -> None:
    """`--quantize`."""
    parser.add_argument(
        "--quantize", choices=typing.get_args(Quantization), default="none",
        help="round the weights: faster on a CPU, a little worse",
    )  # fmt: skip


def add_literal_option(parser: argparse.ArgumentParser) -> None:
    """`--literal`."""
    parser.add_argument("--literal", action="store_true", help=descriptions(SamplingSettings)["literal"])


def model_to_load(path: Path, arguments: argparse.Namespace) -> Load:
    """The request to load it as the device options say. Raises ValueError for a number of threads that cannot be."""
    if arguments.threads < 0:
        raise ValueError(f"threads must be at least 0, which chooses by what is there, not {arguments.threads}")
    return Load(1, str(path), False, arguments.device, arguments.dtype, arguments.threads, arguments.quantize)


def add_event_options(parser: argparse.ArgumentParser) -> None:
    """How a training is watched."""
    parser.add_argument("--detach", action="store_true", help="start it, print its name, and return")
    parser.add_argument("--json", action="store_true", help="print the run's events as lines of JSON")


def with_message(read: Callable[[str], T]) -> Callable[[str], T]:
    """`read` as the type of an argument: argparse shows the message of its ValueError instead of a general one."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """One option for each field of a recipe; what is not given keeps the preset's value."""
    for title, cls in (("text and tokenizer", Recipe), ("model", ModelConfig), ("training", TrainingConfig)):
        group = parser.add_argument_group(title, "each overrides the preset")
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name not in _NOT_OPTIONS:
                _add_option(group, field, hints[field.name])


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """One option for each of the SamplingSettings; what is not given keeps its default."""
    group = parser.add_argument_group("how tokens are drawn")
    group.add_argument(
        "--set", dest="sampling_set", metavar="NAME",
        help=f"a named set of settings, which the options below change: {', '.join(BUILT_IN)}, or one of your own",
    )  # fmt: skip
    hints = typing.get_type_hints(SamplingSettings)
    for field in dataclasses.fields(SamplingSettings):
        if field.name in _REPEATABLE:
            flag, text = _REPEATABLE[field.name], f"{field.metadata['description']} May be repeated. {ESCAPES}"
            group.add_argument(flag, dest=field.name, action="append", type=unescaped, metavar="TEXT", help=text)
        else:
            _add_option(group, field, int if field.name == "seed" else hints[field.name])


def sampling_settings(arguments: argparse.Namespace) -> SamplingSettings:
    """What the command line asks for. Raises ValueError with the range for a value outside it, and for a set that is
    not known.
    """
    names = [field.name for field in dataclasses.fields(SamplingSettings)]
    given: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    for name in _REPEATABLE.keys() & given.keys():
        given[name] = tuple(given[name])
    return SamplingSettings(**(_set_values(arguments.sampling_set) | given))


def _set_values(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    sets = BUILT_IN if name in BUILT_IN else BUILT_IN | load_settings()[0].sampling_sets
    if name not in sets:
        raise ValueError(f"there is no set of sampling settings '{name}'; there are {', '.join(sets)}")
    return {field: getattr(sets[name], field) for field in SHAPE}


def refuse_shapes(arguments: argparse.Namespace) -> None:
    """Raise ConfigError for options that a model which is trained further has decided already."""
    decided = {field.name for field in dataclasses.fields(ModelConfig)} - _NOT_OPTIONS - _CHANGEABLE_IN_FINE_TUNING
    given = [name for name in (*_TOKENIZER_OPTIONS, *sorted(decided)) if getattr(arguments, name, None) is not None]
    if given:
        raise ConfigError(
            f"{', '.join(map(_flag, given))} cannot be given together with --from: the model that is trained further "
            "has its own shape and tokenizer; leave it out, or train new weights without --from"
        )


def given_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a recipe that the command line gives, as `Recipe.overridden` takes them."""
    names = {field.name for cls in (Recipe, ModelConfig, TrainingConfig) for field in dataclasses.fields(cls)}
    names = names - _NOT_OPTIONS | {"budget"}
    given = {name: value for name, value in vars(arguments).items() if name in names and value is not None}
    if (prompts := given.get("sample_prompt")) is not None:
        given |= {"sample_prompt": prompts[0], "sample_prompts": tuple(prompts) if len(prompts) > 1 else ()}
    return given


def _add_option(group: Any, field: Field[Any], kind: Any) -> None:
    flag = _flag(field.name)
    help_text = field.metadata.get("description", "").replace("%", "%%")
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help_text)
    elif typing.get_origin(kind) is typing.Literal:
        choices = [choice for choice in typing.get_args(kind) if choice != "huggingface"]  # that comes with a model
        group.add_argument(flag, choices=choices, default=None, help=help_text)
    else:
        metavar = {int: "N", float: "X"}.get(kind, "TEXT")
        if field.name in _TEXTS:
            help_text = f"{help_text} May be repeated. {ESCAPES}"
            group.add_argument(flag, type=unescaped, action="append", default=None, metavar=metavar, help=help_text)
            return
        kind = with_message(_seed) if field.name == "seed" else kind
        group.add_argument(flag, type=kind, default=None, metavar=metavar, help=help_text)


def _seed(text: str) -> int:
    """A seed, alike for training and generation. Raises ValueError with the range."""
    if not (text.isdecimal() and len(text) < 20 and int(text) < 2**63):
        raise ValueError(f"seed must lie between 0 and {2**63 - 1}, not {text[:30]}")
    return int(text)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
