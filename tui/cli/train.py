"""The verb train: make a run and follow its train process."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time

from ...data.corpus import open_corpus
from ...data.storage.atomic import write_atomic
from ...data.text_files import Reading
from ...engine.failed_start import discard_failed_start
from ...engine.follow import LineFollower
from ...engine.launch import UnknownTextError, new_run, start_training
from ...engine.model_files import find_model, read_config
from ...engine.paths import inputs_dir
from ...engine.runs import Run
from ...engine.time_line import process_age
from ...models.config import ConfigError, ModelConfig
from ...models.presets import DEFAULT_PRESET, FINE_TUNING, PRESETS, fine_tuning, preset
from ...models.recipe import Budget, Recipe
from .exit_codes import FAILED, complain
from .follow import follow, leave_detached
from .options import MODEL, add_event_options, add_recipe_options, given_fields, refuse_shapes, with_message
from .texts import add_encoding_option

_EXIT_SECONDS = 5.0  # that the process of a run which has failed may take to end


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = "minigpt-tui train [options] CORPUS"  # there are a hundred; the help lists them
    parser.description = "Train a new run. The training outlives this command; Ctrl-C stops and saves it."
    parser.add_argument("corpus", help="a name (see corpora), a file, a folder, or - for standard input")
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        metavar="PRESET",
        help=f"the recipe: see the verb presets (default {DEFAULT_PRESET}, or {FINE_TUNING.name} with --from)",
    )
    parser.add_argument(
        "--from", dest="start_from", metavar="MODEL", help=f"train this model further instead of new weights: {MODEL}"
    )
    parser.add_argument(
        "--drop-unknown", action="store_true",
        help="with --from: train even where the model has no token for more than a tenth of the text",
    )  # fmt: skip
    add_encoding_option(parser)
    parser.add_argument(
        "--as", dest="read_as", choices=["text"], help="learn HTML, RTF, JSON lines and the like as they stand"
    )
    parser.add_argument("--name", help="the run's name (default: the corpus and a number)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--budget", type=with_message(Budget.parse), help="'2000 steps', '5 minutes' or '2 epochs'")
    budget.add_argument(
        "--steps", dest="budget", type=with_message(lambda text: Budget(_number(text), "steps")), metavar="N",
        help="the budget in steps",
    )  # fmt: skip
    budget.add_argument(
        "--minutes", dest="budget", type=with_message(lambda text: Budget(_number(text), "minutes")), metavar="X",
        help="the budget in minutes",
    )  # fmt: skip
    add_event_options(parser)
    add_recipe_options(parser)


def recipe_of(arguments: argparse.Namespace, start_from: ModelConfig | None) -> Recipe:
    """The recipe that the command line asks for; `start_from` is the model that is trained further.

    Raises ConfigError for values that do not go together.
    """
    recipe = preset(arguments.preset or (FINE_TUNING.name if start_from else DEFAULT_PRESET))
    if start_from:
        refuse_shapes(arguments)
        recipe = fine_tuning(recipe, start_from)
    elif recipe.name == FINE_TUNING.name:
        raise ConfigError(f"the preset '{FINE_TUNING.name}' goes on with a trained model: name it with --from")
    return recipe.overridden(**given_fields(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Make a run and follow it to its end."""
    start_from = find_model(arguments.start_from) if arguments.start_from else None
    recipe = recipe_of(arguments, read_config(start_from) if start_from else None)
    spec = _keep_standard_input() if arguments.corpus == "-" else arguments.corpus
    corpus = open_corpus(spec, reading=Reading(arguments.encoding, as_text=arguments.read_as == "text"))
    try:
        run = new_run(corpus, recipe, arguments.name, start_from=start_from, drop_unknown=arguments.drop_unknown)
    except UnknownTextError:
        for notice in corpus.notices:  # the text may have been read in another encoding than it is in
            complain(notice)
        raise
    start_training(run, asked=time.time() - process_age())
    if not arguments.detach:
        code = follow(run, LineFollower(run.metrics_path), arguments.json)
        if code == FAILED:
            _discard(run)
        return code
    for notice in corpus.notices:
        complain(notice)
    return leave_detached(run)


def _discard(run: Run) -> None:
    """Leave no run behind where nothing was trained, as soon as its process has ended."""
    until = time.monotonic() + _EXIT_SECONDS
    while run.is_alive() and time.monotonic() < until:
        time.sleep(0.05)
    if folder := discard_failed_start(run):
        complain(f"nothing was trained; the folder of '{run.name}' is in the trash: {folder}")


def _keep_standard_input() -> str:
    """Keep the text that came through the pipe, so that the run can be done again, and return its path."""
    content = sys.stdin.buffer.read()
    path = inputs_dir() / f"stdin-{hashlib.sha256(content).hexdigest()[:8]}.txt"
    write_atomic(path, content, private=True)
    return str(path)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None
