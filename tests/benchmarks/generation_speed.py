"""Tokens per second of a model with random weights: ours, end to end through the generate process, beside transformers.

Both sample with temperature 0.8, top-k 40 and top-p 0.95 from the same checkpoint folder, in turns. transformers runs
with its own cache; it is left out where it is not installed, or where the tokens would pass the context.

    python tests/benchmarks/generation_speed.py [--preset nanogpt-char] [--tokens 250] [--repeats 5] [--quantize int8]
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.client import GenerateProcess
from minigpt_tui.engine.events import Ended, Failed, Generate, GenerationMessage, Load, Quantization, SamplingSettings
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.huggingface import save_checkpoint
from minigpt_tui.models.presets import preset

ALPHABET = "\n" + "".join(map(chr, range(32, 96)))  # 65 characters, as Tiny Shakespeare has
PROMPT = "HELLO"


def make_checkpoint(folder: Path, name: str) -> int:
    """A checkpoint of the preset's model as it is before training; returns its context length."""
    tokenizer = build_tokenizer("char", alphabet=ALPHABET, pieces=list)
    model = GPT(dataclasses.replace(preset(name).model, vocab_size=tokenizer.vocab_size))
    folder.mkdir()
    save_checkpoint(model, folder, tokenizer=tokenizer, step=0, validation_loss=None)
    return model.config.context_length


async def measure(
    folder: Path, tokens: int, repeats: int, quantize: Quantization, peer: Callable[[], float] | None
) -> None:
    """Ask for the replies, one after the other, with the peer's turn between them, and print the rates."""
    messages: asyncio.Queue[GenerationMessage | str] = asyncio.Queue()
    process = GenerateProcess(messages.put_nowait, lambda code, sentence: messages.put_nowait(sentence))
    await process.start()
    process.send(Load(0, str(folder), quantize=quantize))
    ours, theirs = [], []
    for number in range(repeats + 1):
        settings = SamplingSettings(temperature=0.8, top_k=40, top_p=0.95, max_tokens=tokens, seed=number)
        process.send(Generate(number + 1, PROMPT, settings))
        ours.append(await _rate(messages))
        if peer:
            theirs.append(peer())
    await process.close()
    _print("ours", ours[1:])  # the first of each warms up
    if theirs:
        _print("transformers", theirs[1:])
        print(f"ratio of the medians: {statistics.median(ours[1:]) / statistics.median(theirs[1:]):.2f}")


async def _rate(messages: asyncio.Queue[GenerationMessage | str]) -> float:
    while True:
        match await messages.get():
            case Ended() as ended:
                return ended.tokens_per_second
            case str() as sentence:
                sys.exit(sentence)
            case Failed(message=sentence):
                sys.exit(sentence)
            case _:
                pass


def transformers_peer(folder: Path, tokens: int) -> Callable[[], float]:
    """A function that generates once with transformers and returns tokens per second."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    ids = AutoTokenizer.from_pretrained(folder)(PROMPT, return_tensors="pt")["input_ids"]

    def generate() -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(
                ids, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=True, temperature=0.8, top_k=40, top_p=0.95
            )
        return (out.shape[1] - ids.shape[1]) / (time.perf_counter() - start)

    return generate


def _print(name: str, rates: list[float]) -> None:
    low, high = min(rates), max(rates)
    print(f"{name:13} median {statistics.median(rates):6.0f} tokens/s, {low:.0f} to {high:.0f}, {len(rates)} replies")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nanogpt-char")
    parser.add_argument("--tokens", type=int, default=250)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quantize", choices=("none", "int8"), default="none")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["MINIGPT_HOME"] = home
        folder = Path(home) / "checkpoint"
        context = make_checkpoint(folder, arguments.preset)
        fits = arguments.tokens + len(PROMPT) <= context and importlib.util.find_spec("transformers") is not None
        peer = transformers_peer(folder, arguments.tokens) if fits else None
        asyncio.run(measure(folder, arguments.tokens, arguments.repeats, arguments.quantize, peer))


if __name__ == "__main__":
    main()
