"""What the process of every peer does: it loads once, and then works once for each line that it is sent.

    standard input    "go", for each turn
    standard output   a line of facts when it is loaded, then a line of figures for each turn, both JSON objects

It ends when its standard input closes. Whatever else is printed goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TEMPERATURE, TOP_K = 0.8, 40  # of every peer and of ours


@dataclass(frozen=True)
class Job:
    """What a peer generates in a turn: `samples` texts of `tokens` tokens each, after the tokens of `prompt`."""

    model: str  # a path
    prompt: list[int]
    tokens: int
    samples: int
    device: str
    dtype: str  # "float32" or "bfloat16"
    checkout: str  # of a peer that is no package


def read_job(peer: str) -> Job:
    """The job that the command line names."""
    parser = argparse.ArgumentParser(prog=f"minigpt_tui.engine.bench.generation_peers.{peer}")
    parser.add_argument("model")
    parser.add_argument("--prompt", type=lambda text: [*map(int, text.split(","))], required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--checkout", default="")
    return Job(**vars(parser.parse_args()))


class Answers:
    """Standard output as the parent reads it; made before a library can print there."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def serve(self, facts: Mapping[str, str | float], work: Callable[[], Mapping[str, float]]) -> None:
        """Tell the facts, then do the work for each line."""
        self._send(facts)
        for _ in sys.stdin:
            self._send(work())

    def serve_generation(self, facts: Mapping[str, str | float], generate: Callable[[], int]) -> None:
        """The same for work that returns how many tokens it made, and is timed here."""

        def timed() -> dict[str, float]:
            start = time.perf_counter()
            tokens = generate()
            return {"tokens": tokens, "seconds": time.perf_counter() - start}

        self.serve(facts, timed)

    def _send(self, figures: Mapping[str, str | float]) -> None:
        print(json.dumps(figures), file=self._pipe, flush=True)
