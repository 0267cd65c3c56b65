"""The parts of `benchmarks gpu-check`: what each measures, by which process, and how long that may take."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..harness import Comparison, Figure, TrialFailedError
from ..processes import environment

REPOSITORY = Path(__file__).resolve().parents[3]
_WORDS = 8  # lines of what a process said that are kept where it failed

Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Part:
    """One process: `python -m` these words, ended after `limit` seconds; `read` finds the figures in what it prints."""

    name: str
    words: tuple[str, ...]
    limit: float
    comparisons: tuple[Comparison, ...] = ()
    read: Callable[[str], Figures] = lambda output: json.loads(output.splitlines()[-1])
    needs_text: bool = False  # Tiny Shakespeare, whose file is put behind the words

    def run(self, text: str | None) -> Figures:
        """Carry it out. Raises TrialFailedError with the last lines of what was said."""
        words = (*self.words, text) if self.needs_text and text else self.words
        with tempfile.TemporaryDirectory(prefix="minigpt-gpu-", ignore_cleanup_errors=True) as home:
            output, errors, code = _ended(words, self.limit, {"MINIGPT_HOME": home})
        if code is None:
            raise TrialFailedError(f"it was ended after {self.limit:.0f} s; {_last_words(output, errors)}")
        if code != 0:
            raise TrialFailedError(f"code {code}; {_last_words(output, errors)}")
        return self.read(output)


def _ended(words: tuple[str, ...], limit: float, variables: Mapping[str, str]) -> tuple[str, str, int | None]:
    """What the process printed, said on standard error, and its code; None where it was ended, with all it started."""
    process = subprocess.Popen(
        (sys.executable, "-m", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        errors="replace", cwd=REPOSITORY, env={**environment(), **variables}, start_new_session=True,
    )  # fmt: skip
    try:
        return *process.communicate(timeout=limit), process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return *process.communicate(), None


def _last_words(output: str, errors: str) -> str:
    lines = [line.strip() for line in (errors + "\n" + output).splitlines() if line.strip()]
    crash = next((place for place, line in enumerate(lines) if line.startswith("Fatal Python error")), None)
    told = lines[-_WORDS:] if crash is None else lines[max(0, crash - 2) : crash + _WORDS]
    return " | ".join(told)[-1500:]


def _tests(*files: str, limit: float) -> Part:
    """Tests that are skipped without a GPU; how many passed is their figure."""

    def read(output: str) -> Figures:
        found = re.search(r"(\d+) passed", output)
        if not found:
            raise TrialFailedError(f"no test ran: {_last_words(output, '')}")
        return {"passed": int(found[1])}

    # a process of its own for them, so that the others go on where one of them ends it
    words = ("pytest", "-q", "--tb=line", "-rf", "-p", "no:cacheprovider", "--numprocesses", "1")
    return Part("tests", (*words, *files), limit, (Comparison("passed", "passed", ""),), read)


def _training(name: str, preset: str, *options: str, limit: float = 60, target: str = "", mfu: str = "") -> Part:
    comparisons = [Comparison(name, "tokens/s", "tokens/s", better="higher", target=target)]
    if mfu:
        comparisons.append(Comparison("of the peak", "mfu", "%", better="higher", target=mfu, limit=100.0))
    return Part(name, ("benchmarks.gpu.training_pace", preset, *options), limit, tuple(comparisons))


def _decoding(name: str, shape: str, *options: str, target: str = "") -> Part:
    comparison = Comparison(name, "tokens/s", "tokens/s", better="higher", target=target)
    return Part(name, ("benchmarks.gpu.decoding_pace", shape, *options), 60, (comparison,))


def _first_trial(output: str) -> Figures:
    """The figures of ours in the last line of another suite."""
    trials = [trial for benchmark in json.loads(output.splitlines()[-1])["benchmarks"] for trial in benchmark["trials"]]
    return next(trial["figures"] for trial in trials if trial["candidate"] == "ours")


def _suite(name: str, suite: str, *words: str, limit: float, needs_text: bool = False, **figures: str) -> Part:
    """A workload of another suite, once; `figures` are those that are shown, each with its target."""
    comparisons = tuple(Comparison(figure, figure, "", target=target) for figure, target in figures.items())
    return Part(name, ("benchmarks", suite, "--repeats", "1", *words), limit, comparisons, _first_trial, needs_text)


_GPT2 = ("gpt2", "--batch-size", "96", "--micro-batch-size", "24")  # four micro-batches instead of twenty

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        _tests(
            "tests/engine/training/update/test_update_on_gpu.py",
            "tests/engine/generation/test_decoding_on_gpu.py",
            "tests/models/test_cross_entropy.py",
            limit=150,
        ),
        _training("train-10m", "nanogpt-char", target="4,000,000"),
        _training("train-10m-eager", "nanogpt-char", "--cuda-graph", "off"),
        _training("train-124m", *_GPT2, mfu="45"),
        _training("train-124m-eager", *_GPT2, "--cuda-graph", "off", mfu="45"),
        _decoding("decode-10m", "nanogpt-char", "--tokens", "500", target="8,000"),
        _decoding("decode-10m-eager", "nanogpt-char", "--tokens", "200", "--kernel-by-kernel"),
        _decoding("decode-124m", "gpt2", "--tokens", "200", target="3,000"),
        _decoding("decode-124m-eager", "gpt2", "--tokens", "200", "--kernel-by-kernel"),
        _decoding("decode-10m-64", "nanogpt-char", "--samples", "64"),
        _suite("generate-10m", "generate", "gpu-char", "--without", "transformers", "--without", "llama.cpp",
               limit=60, tokens_per_second="8,000"),
        _suite("generate-124m", "generate", "gpu-gpt2", "--without", "transformers", "--without", "llama.cpp",
               limit=60, tokens_per_second="3,000"),
        _suite("quality", "train", "gpu-quality", "--corpus", limit=120, needs_text=True, loss="1.38", seconds="15 s"),
        _training("train-10m-compiled", "nanogpt-char", "--compile", "on", limit=120, target="4,000,000"),
        _training("train-124m-compiled", *_GPT2, "--compile", "on", limit=150, mfu="45"),
    )
}  # fmt: skip
