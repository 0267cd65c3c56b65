"""The verbs generate and evaluate: text and figures from a checkpoint, without a screen."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from ..engine.client import GenerateProcess, python_module
from ..engine.events import Ended, EvaluationResult, Failed, Generate, GenerationMessage, Load, SamplingSettings, Tokens
from ..engine.model_files import find_model
from ..engine.paths import state_dir
from ..engine.runs import find_run
from ..models.typed_json import dumps, from_plain, to_plain
from .cli import DONE, FAILED, USAGE, complain
from .headless_child import result_of


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
    path = path_of_model(arguments.run)
    names = ("temperature", "top_k", "top_p", "max_tokens", "seed")
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    try:
        settings = SamplingSettings(**given, stop=tuple(arguments.stop or ()))
    except ValueError as error:
        return complain(str(error))
    if arguments.threads < 0:
        return complain(f"threads must be at least 0, which chooses by what is there, not {arguments.threads}")
    prompt = arguments.prompt
    if prompt is None:
        prompt = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    load = Load(1, str(path), False, arguments.device, arguments.dtype, arguments.threads)
    return asyncio.run(_stream(load, Generate(2, prompt, settings), arguments.echo, arguments.json))


async def _stream(load: Load, request: Generate, echo: bool, as_json: bool) -> int:
    messages: asyncio.Queue[GenerationMessage | str] = asyncio.Queue()
    process = GenerateProcess(messages.put_nowait, on_exit=lambda code, sentence: messages.put_nowait(sentence))
    pieces: list[str] = []
    await process.start()
    try:
        process.send(load)
        process.send(request)
        if echo and not as_json:
            print(request.prompt, end="", flush=True)
        while True:
            match await messages.get():
                case str() as sentence:
                    return complain(f"{sentence}; see {state_dir() / 'generate.log'}", FAILED)
                case Failed(message=sentence, kind=kind):
                    return complain(sentence, USAGE if kind in ("checkpoint", "prompt") else FAILED)
                case Tokens(text=text):
                    pieces.append(text)
                    if not as_json:
                        print(text, end="", flush=True)
                case Ended() as ended:
                    _report(ended, request.prompt, "".join(pieces), as_json)
                    return DONE
                case _:
                    pass
    finally:
        await process.close()


def _report(ended: Ended, prompt: str, text: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"prompt": prompt, "text": text, **to_plain(ended)}, ensure_ascii=False))
        return
    print(flush=True)
    for notice in ended.notices:
        print(f"minigpt-tui: {notice}", file=sys.stderr)
    if sys.stderr.isatty():
        rate = f"{ended.tokens} tokens · {ended.tokens_per_second:,.0f}/s · step {ended.step} · seed {ended.seed}"
        print(rate, file=sys.stderr)


def evaluate(arguments: argparse.Namespace) -> int:
    """Print loss, perplexity and bits per byte."""
    subject = str(path_of_model(arguments.run))
    command = python_module("minigpt_tui.engine.training.evaluate", subject, "--protocol", arguments.protocol)
    if arguments.on:
        from ..data.corpus import normalise

        command += ["--on", normalise(arguments.on)]
    code, last = result_of(command, "evaluating")
    if code:
        return code
    result = from_plain(EvaluationResult, last)
    print(dumps(result) if arguments.json else _sentence(result))
    return DONE


def _sentence(result: EvaluationResult) -> str:
    return (
        f"{result.run}, step {result.step}: loss {result.loss:.4f} nats per token, perplexity {result.perplexity:.3f}, "
        f"{result.bits_per_byte:.4f} bits per byte over {result.tokens:,} tokens ({result.protocol})"
    )
