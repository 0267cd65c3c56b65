"""The verb score: how likely a model finds a text, without a screen."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from ...data.storage.typed_json import to_plain
from ...engine.requests import GenerationMessage, Scored, ScoreProgress, ScoreText, TokenDetail
from .generate import converse, model_to_load, path_of_model
from .main import complain

_LIKELIEST = 3  # alternatives that fit on a line beside the token


def score(arguments: argparse.Namespace) -> int:
    """Print loss, perplexity and bits per byte of a text, and what each token contributes where that is asked for."""
    path = path_of_model(arguments.run)
    try:
        load = model_to_load(path, arguments)
        text = _text(arguments)
    except UnicodeDecodeError as error:
        return complain(f"{arguments.file or 'standard input'} is not UTF-8 text: {error.reason} at {error.start}")
    except ValueError as error:
        return complain(str(error))
    printed = _Printed(text, arguments.json, arguments.explain)
    return asyncio.run(converse(load, ScoreText(2, text, arguments.explain), printed.take))


def _text(arguments: argparse.Namespace) -> str:
    if arguments.text is not None:
        return arguments.text
    if arguments.file:
        return Path(arguments.file).read_bytes().decode()
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("there is no text to score; name a file, give --text, or pipe it in")
    return sys.stdin.buffer.read().decode()


class _Printed:
    """The details as they come, or all in one JSON object, and the figures of the whole last."""

    def __init__(self, text: str, as_json: bool, explain: bool) -> None:
        self._text, self._as_json, self._explain = text, as_json, explain
        self._details: list[TokenDetail] = []

    def take(self, message: GenerationMessage) -> bool:
        """One more message; whether it was the last."""
        match message:
            case ScoreProgress(fraction=fraction, details=details):
                if self._as_json:
                    self._details += details
                else:
                    print("".join(f"{_line(detail)}\n" for detail in details), end="")
                if sys.stderr.isatty() and not self._explain:
                    print(f"\rscoring {fraction:4.0%}", end="", file=sys.stderr, flush=True)
            case Scored():
                self._finish(message)
                return True
            case _:
                pass
        return False

    def _finish(self, scored: Scored) -> None:
        if sys.stderr.isatty() and not self._explain:
            print("\r\x1b[K", end="", file=sys.stderr)
        if self._as_json:
            details = {"details": to_plain(self._details)} if self._explain else {}
            print(json.dumps({"text": self._text, **to_plain(scored)} | details, ensure_ascii=False))
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
