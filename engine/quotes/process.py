"""The index process: `python -m minigpt_tui.engine.quotes.process CORPUS` builds the index of quotes from a text.

CORPUS is a SearchedCorpus as JSON. Standard output: lines {"progress": 0.4, "doing": "reading"}, then {"index": PATH}.
Exit code 2 with a sentence for a user's error. Several processes that are asked for the same index build it once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from ...data.quotes.build import build_index
from ...data.quotes.index import QuoteIndex, index_path
from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.storage.printable import printable
from ...data.storage.typed_json import loads
from .. import locks
from ..parent import end_with_parent
from ..results import ProgressLines
from .searched_corpus import SearchedCorpus

USER_ERROR, INTERRUPTED = 2, 130
_NICE = 19  # of the background: the training, which is nice itself, goes first, and so does all else
_LOOK = 0.5  # seconds between two looks whether another process is done


def main(arguments: list[str] | None = None) -> int:
    """Build the index that the command line names, unless it is there; returns the exit code."""
    parser = argparse.ArgumentParser(prog="minigpt_tui.engine.quotes.process", description="Index a text for quotes.")
    parser.add_argument("corpus", type=lambda text: loads(SearchedCorpus, text), help="a SearchedCorpus as JSON")
    parser.add_argument("--background", action="store_true", help="let everything else go first")
    options = parser.parse_args(arguments)
    end_with_parent()
    torch.set_num_threads(1)  # a sort gains little from more
    if options.background:
        _let_all_else_go_first()
    try:
        path = _build(options.corpus)
    except KeyboardInterrupt:
        return INTERRUPTED
    except EXPECTED as error:
        sentence = sentence_of(error)
        print(f"minigpt-tui: {printable(sentence, longest=len(sentence))}", file=sys.stderr)
        return USER_ERROR
    print(json.dumps({"index": str(path)}), flush=True)
    return 0


def _let_all_else_go_first() -> None:
    """Run when a core would be idle; where the system knows no such thing, with the lowest priority."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    if hasattr(os, "SCHED_IDLE"):  # Linux
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _build(searched: SearchedCorpus) -> Path:
    corpus = searched.open(ProgressLines("reading"))
    path = index_path(corpus, searched.length)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_suffix(".lock")):
        if QuoteIndex.open(corpus, searched.length) is None:
            build_index(corpus, searched.length, ProgressLines("indexing"))
    return path


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock, once whoever has it is done. Where none can be had two may build, and the files are atomic."""
    waiting = ProgressLines("waiting for another process that indexes")
    held = None
    with contextlib.suppress(UserError):
        while (held := locks.acquire(lock)) is None:
            waiting(0.0)
            time.sleep(_LOOK)
    try:
        yield
    finally:
        if held is not None:
            held.close()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # so that what is half written is taken away
    sys.exit(main())
