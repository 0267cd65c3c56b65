"""The verb generate: the continuation of a prompt, without a screen."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from ...data.storage.typed_json import dumps, to_plain
from ...engine.requests import Ended, Generate, GenerationMessage, Loaded, TokenDetail, Tokens, Turn
from ..text.escapes import unescaped
from .child import answer
from .exit_codes import complain
from .options import (
    ESCAPES,
    EXPLAINED,
    add_device_options,
    add_model_argument,
    add_sampling_options,
    model_to_load,
    path_of_model,
    sampling_settings,
)
from .speaking import add_speaking_options, framed_speech
from .texts import add_encoding_option, text_of


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Continue a prompt; the text streams to standard output."
    add_model_argument(parser)
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument(
        "--prompt", type=unescaped,
        help="the text to continue (default: standard input, as it stands, where that is not a terminal). " + ESCAPES,
    )  # fmt: skip
    prompt.add_argument("--prompt-file", metavar="FILE", help="continue the text of a file, as it stands")
    add_encoding_option(parser)
    parser.add_argument(
        "--chat",
        action="store_true",
        help="frame the prompt by the model's chat template: what an instruct model answers",
    )
    parser.add_argument(
        "--system", type=unescaped, metavar="TEXT", help=f"with --chat: what stands before the first turn. {ESCAPES}"
    )
    parser.add_argument("--samples", type=int, default=1, metavar="N", help="how many texts to write at once")
    parser.add_argument(
        "--echo", action="store_true", help="print the prompt before its continuation, as it was framed"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    parser.add_argument("--explain", action="store_true", help=f"with --json: {EXPLAINED}")
    add_speaking_options(parser)
    add_sampling_options(parser)
    add_device_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Stream the continuation of a prompt to standard output."""
    if arguments.explain and not arguments.json:
        return complain("--explain has nowhere to go without --json; give both")
    if arguments.system is not None and not arguments.chat:
        return complain("--system stands before the turns of a conversation; give --chat as well")
    speaks = arguments.you is not None or arguments.answer is not None
    if speaks and arguments.chat:
        return complain("--you and --answer speak as the text does, --chat as the chat template; give one of them")
    path = path_of_model(arguments.run)
    try:
        load = model_to_load(path, arguments)
        request = Generate(2, "", sampling_settings(arguments), arguments.samples, arguments.explain)
    except ValueError as error:
        return complain(str(error))
    prompt = arguments.prompt
    if prompt is None:
        prompt = text_of(arguments.prompt_file, arguments.encoding)
        if arguments.chat and prompt is not None:
            prompt = prompt.removesuffix("\n")  # the end of a file, not of what is said
    prompt = prompt or ""
    if arguments.chat:
        system = () if arguments.system is None else (Turn("system", arguments.system),)
        request = replace(request, messages=(*system, Turn("user", prompt)))
    else:
        if speaks:
            prompt, form = framed_speech(arguments, prompt)
            request = replace(request, speech=form)
        request = replace(request, prompt=prompt)
    return answer(load, request, _Printer(request, prompt, arguments.echo, arguments.json).take)


class _Printer:
    """Prints the samples of one prompt: a single text as it comes, several when all are complete."""

    def __init__(self, request: Generate, prompt: str, echo: bool, as_json: bool) -> None:
        self._request, self._prompt, self._echo, self._as_json = request, prompt, echo, as_json
        self._texts = [""] * request.samples
        self._details: list[list[TokenDetail]] = [[] for _ in range(request.samples)]
        self._ends: dict[int, Ended] = {}
        self._framed = bool(request.messages)
        self._begins = request.speech is not None and not echo  # whether a blank at the beginning belongs to the frame
        self._streams = request.samples == 1 and not as_json and not (echo and self._framed)  # the frame comes last

    def take(self, message: GenerationMessage) -> bool:
        """Print what `message` brings; True where it was the last."""
        match message:
            case Loaded() if self._streams and self._echo:
                print(self._prompt, end="", flush=True)
            case Tokens(text=text, sample=sample, details=details):
                first = not self._texts[sample].strip(" ")
                self._texts[sample] += text
                self._details[sample] += details
                if self._streams:
                    print(self._shown(text) if first else text, end="", flush=True)
            case Ended(sample=sample):
                self._ends[sample] = message
                if len(self._ends) == len(self._texts):
                    self._print_json() if self._as_json else self._print()
                    return True
            case _:
                pass
        return False

    def _shown(self, text: str) -> str:
        """The beginning of a reply without the blank behind the speaker's name, where that is not printed."""
        return text.lstrip(" ") if self._begins else text

    def _print_json(self) -> None:
        replies: list[dict[str, Any]] = []
        for sample, text in enumerate(self._texts):
            replies.append({"text": text, **to_plain(self._ends[sample])})
            if self._request.explain:
                replies[-1]["details"] = to_plain(self._details[sample])
        whole = replies[0] if len(replies) == 1 else {"samples": replies}
        print(dumps({"prompt": self._prompt, **whole}))

    def _print(self) -> None:
        if self._streams:
            print(flush=True)
        else:
            before = "" if not self._echo else self._ends[0].prompt_text if self._framed else self._prompt
            for sample, text in enumerate(self._texts):
                if len(self._texts) > 1:
                    print(f"--- sample {sample + 1} of {len(self._texts)}, seed {self._ends[sample].seed} ---")
                print(before + self._shown(text), flush=True)
        ends = list(self._ends.values())
        for notice in dict.fromkeys(notice for ended in ends for notice in ended.notices):
            print(f"minigpt-tui: {notice}", file=sys.stderr)
        if sys.stderr.isatty():
            tokens, seconds = sum(ended.tokens for ended in ends), max(ended.seconds for ended in ends)
            step = f"step {ends[0].step} · " if ends[0].step else ""  # a model from elsewhere may not know its own
            print(f"{tokens} tokens · {tokens / seconds:,.0f}/s · {step}seed {self._ends[0].seed}", file=sys.stderr)
