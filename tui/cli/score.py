"""The verb score: how likely a model finds a text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from ...data.storage.typed_json import dumps, to_plain
from ...engine.requests import GenerationMessage, Scored, ScoreProgress, ScoreText, TokenDetail
from ..text.escapes import unescaped
from .child import answer
from .console import progress
from .exit_codes import complain
from .options import (
    ESCAPES,
    EXPLAINED,
    add_device_options,
    add_literal_option,
    add_model_argument,
    model_to_load,
    path_of_model,
)
from .texts import add_encoding_option, text_of

_LIKELIEST = 3  # alternatives that fit on a line beside the token


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "How likely a model finds a text: loss, perplexity and bits per byte. Each token is predicted from those "
        "before it, of which it sees at least three quarters of the context length."
    )
    add_model_argument(parser)
    text = parser.add_mutually_exclusive_group()
    text.add_argument("file", nargs="?", help="a text file (default: standard input)")
    text.add_argument("--text", type=unescaped, help=f"the text itself. {ESCAPES}")
    add_encoding_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--explain", action="store_true", help=f"also print {EXPLAINED}")
    add_literal_option(parser)
    add_device_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print loss, perplexity and bits per byte of a text, and what each token contributes where that is asked for."""
    path = path_of_model(arguments.run)
    try:
        load = model_to_load(path, arguments)
    except ValueError as error:
        return complain(str(error))
    text = arguments.text if arguments.text is not None else text_of(arguments.file, arguments.encoding)
    if text is None:
        return complain("there is no text to score; name a file, give --text, or pipe it in")
    printer = _Printer(text, arguments.json, arguments.explain)
    request = ScoreText(2, text, arguments.explain, arguments.literal)
    with progress("scoring", show=not arguments.explain) as update:
        code = answer(load, request, lambda message: printer.take(message, update))
    printer.print_score()
    return code


class _Printer:
    """Prints the details as they come, or all in one JSON object, and the figures of the whole last."""

    def __init__(self, text: str, as_json: bool, explain: bool) -> None:
        self._text, self._as_json, self._explain = text, as_json, explain
        self._details: list[TokenDetail] = []
        self._scored: Scored | None = None

    def take(self, message: GenerationMessage, update: Callable[[float, str], None]) -> bool:
        """Print what `message` brings; True where it was the last."""
        match message:
            case ScoreProgress(fraction=fraction, details=details):
                if self._as_json:
                    self._details += details
                else:
                    print("".join(f"{_line(detail)}\n" for detail in details), end="")
                update(fraction, "")
            case Scored():
                self._scored = message
            case _:
                pass
        return self._scored is not None

    def print_score(self) -> None:
        """The figures of the whole text, where it was scored."""
        scored = self._scored
        if scored is None:
            return
        if self._as_json:
            details = {"details": self._details} if self._explain else {}
            print(dumps({"text": self._text, **to_plain(scored)} | details))
            return
        print(
            f"loss {scored.loss:.4f} nats per token, perplexity {scored.perplexity:.3f}, "
            f"{scored.bits_per_byte:.4f} bits per byte over {scored.tokens:,} tokens"
        )
        for notice in scored.notices:
            print(f"minigpt-tui: {notice}", file=sys.stderr)


def _line(detail: TokenDetail) -> str:
    """A token in a row of a table: its text, probability, rank, the entropy there, and the likeliest tokens."""
    others = "  ".join(f"{other.text!r} {other.probability:.3f}" for other in detail.alternatives[:_LIKELIEST])
    return (
        f"{detail.text!r:<16} {detail.probability:9.5f}  rank {detail.rank:<6} entropy {detail.entropy:6.3f}  {others}"
    )
