"""The verb open: the app with a model in the chat. A path without a verb opens the app as well."""

from __future__ import annotations

import argparse
import os

from ...data.corpus import normalise
from ...data.storage.errors import EXPECTED
from ..found_models import look_up
from .options import MODEL
from .start import open_app


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Open the app with a model in the chat."
    parser.add_argument("model", help=MODEL)
    parser.add_argument(
        "--plain", action="store_true", default=argparse.SUPPRESS, help="talk to it line by line, without a screen"
    )


def run(arguments: argparse.Namespace) -> int:
    """Look the model up before the app starts, so that what is wrong with it is said in the terminal."""
    if arguments.plain:
        from .plain import talk

        return talk(arguments.model)
    return open_app(model=look_up(arguments.model))


def open_path(text: str) -> int:
    """Open the app with what `text` names: a model, or a corpus to train on. Raises FileNotFoundError."""
    corpus = normalise(text)
    if os.path.isabs(corpus) and not os.path.lexists(corpus):
        raise FileNotFoundError(corpus)
    return open_app(model_path=corpus) if _may_be_model(corpus) else open_app(corpus)


def _may_be_model(path: str) -> bool:
    """Whether the app should offer to open what lies there instead of learning from it."""
    if not (os.path.isdir(path) or path.endswith(".pt")):
        return False
    try:
        look_up(path)
    except EXPECTED:
        return path.endswith(".pt")  # the app says what is wrong with it; it is no text in any case
    return True
