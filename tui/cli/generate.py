"""The verbs generate and evaluate: text and figures from a checkpoint, without a screen."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data.storage.typed_json import dumps, from_plain, to_plain
from ...engine.client import GenerateProcess, python_module
from ...engine.model_files import find_model
from ...engine.paths import state_dir
from ...engine.requests import Ended, Failed, Generate, GenerationMessage, Load, Loaded, Request, TokenDetail, Tokens
from ...engine.results import EvaluationResult
from ...engine.runs import find_run
from .child import result_of
from .main import DONE, FAILED, USAGE, complain
from .options import sampling_settings


def path_of_model(name: str | None) -> Path:
    """Where the model of that name lies; the newest run's where there is none.

    A run is meant by its folder, so that a checkpoint which its training exchanges meanwhile is found all the same.
    """
    if name is None:
        return find_run().path
    file = find_model(name)
    named = file.run is not None and file.path == file.run.speaking_checkpoint()
    return file.run.path if file.run is not None and named else file.path


def generate(arguments: argparse.Namespace) -> int:
    """Stream the continuation of a prompt to standard output."""
    if arguments.explain and not arguments.json:
        return complain("--explain has nowhere to go without --json; give both")
    path = path_of_model(arguments.run)
    try:
        load = model_to_load(path, arguments)
        request = Generate(2, "", sampling_settings(arguments), arguments.samples, arguments.explain)
    except ValueError as error:
        return complain(str(error))
    prompt = arguments.prompt
    if prompt is None:
        prompt = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    request = replace(request, prompt=prompt)
    return asyncio.run(converse(load, request, _Written(request, arguments.echo, arguments.json).take))


def model_to_load(path: Path, arguments: argparse.Namespace) -> Load:
    """What a generate process is to load, and on what. Raises ValueError for a number of threads that cannot be."""
    if arguments.threads < 0:
        raise ValueError(f"threads must be at least 0, which chooses by what is there, not {arguments.threads}")
    return Load(1, str(path), False, arguments.device, arguments.dtype, arguments.threads, arguments.quantize)


async def converse(load: Load, request: Request, take: Callable[[GenerationMessage], bool]) -> int:
    """Hand each message of a generate process to `take`, until it says that the request is answered."""
    messages: asyncio.Queue[GenerationMessage | str] = asyncio.Queue()
    process = GenerateProcess(messages.put_nowait, on_exit=lambda code, sentence: messages.put_nowait(sentence))
    await process.start()
    try:
        process.send(load)
        process.send(request)
        while True:
            match await messages.get():
                case str() as sentence:
                    return complain(f"{sentence}; see {state_dir() / 'generate.log'}", FAILED)
                case Failed(message=sentence, kind=kind):
                    return complain(sentence, USAGE if kind in ("checkpoint", "prompt") else FAILED)
                case message:
                    if take(message):
                        return DONE
    finally:
        await process.close()


class _Written:
    """What comes of a prompt: one text, which streams, or several, which are printed when all are complete."""

    def __init__(self, request: Generate, echo: bool, as_json: bool) -> None:
        self._request, self._echo, self._as_json = request, echo, as_json
        self._texts = [""] * request.samples
        self._details: list[list[TokenDetail]] = [[] for _ in range(request.samples)]
        self._ends: dict[int, Ended] = {}
        self._streams = request.samples == 1 and not as_json

    def take(self, message: GenerationMessage) -> bool:
        """One more message; whether it was the last."""
        match message:
            case Loaded() if self._streams and self._echo:
                print(self._request.prompt, end="", flush=True)
            case Tokens(text=text, sample=sample, details=details):
                self._texts[sample] += text
                self._details[sample] += details
                if self._streams:
                    print(text, end="", flush=True)
            case Ended(sample=sample):
                self._ends[sample] = message
                if len(self._ends) == len(self._texts):
                    self._print_json() if self._as_json else self._print()
                    return True
            case _:
                pass
        return False

    def _print_json(self) -> None:
        replies: list[dict[str, Any]] = []
        for sample, text in enumerate(self._texts):
            replies.append({"text": text, **to_plain(self._ends[sample])})
            if self._request.explain:
                replies[-1]["details"] = to_plain(self._details[sample])
        whole = replies[0] if len(replies) == 1 else {"samples": replies}
        print(json.dumps({"prompt": self._request.prompt, **whole}, ensure_ascii=False))

    def _print(self) -> None:
        if self._streams:
            print(flush=True)
        else:
            before = self._request.prompt if self._echo else ""
            for sample, text in enumerate(self._texts):
                print(f"--- sample {sample + 1} of {len(self._texts)}, seed {self._ends[sample].seed} ---")
                print(before + text, flush=True)
        ends = list(self._ends.values())
        for notice in dict.fromkeys(notice for ended in ends for notice in ended.notices):
            print(f"minigpt-tui: {notice}", file=sys.stderr)
        if sys.stderr.isatty():
            tokens, seconds = sum(ended.tokens for ended in ends), max(ended.seconds for ended in ends)
            step = f"step {ends[0].step} · " if ends[0].step else ""  # a model from elsewhere may not know its own
            print(f"{tokens} tokens · {tokens / seconds:,.0f}/s · {step}seed {self._ends[0].seed}", file=sys.stderr)


def evaluate(arguments: argparse.Namespace) -> int:
    """Print loss, perplexity and bits per byte."""
    subject = str(path_of_model(arguments.run))
    command = python_module("minigpt_tui.engine.training.evaluate_process", subject, "--protocol", arguments.protocol)
    command += ["--quantize", arguments.quantize]
    if arguments.context_length is not None:
        command += ["--context-length", str(arguments.context_length)]
    if arguments.on is not None:
        from ...data.corpus import normalise

        command += ["--on", normalise(arguments.on)]
    code, last = result_of(command, "evaluating")
    if code:
        return code
    result = from_plain(EvaluationResult, last)
    print(dumps(result) if arguments.json else _sentence(result))
    return DONE


def _sentence(result: EvaluationResult) -> str:
    step = f", step {result.step}" if result.step else ""  # a model from elsewhere may not know its own
    return (
        f"{result.run}{step}: loss {result.loss:.4f} nats per token, perplexity {result.perplexity:.3f}, "
        f"{result.bits_per_byte:.4f} bits per byte over {result.tokens:,} tokens ({result.protocol})"
    )
