"""Tokens per second, end to end through the generate process, of a model with random weights.

    python tests/benchmarks/generation_speed.py [PRESET] [TOKENS]

One line for each of six replies: tokens, tokens per second with the prompt's prefill, and the load of the machine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import tempfile
from pathlib import Path

from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.client import GenerateProcess
from minigpt_tui.engine.events import Ended, Failed, Generate, GenerationMessage, Load, SamplingSettings
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.huggingface import save_checkpoint
from minigpt_tui.models.presets import preset

ALPHABET = "\n" + "".join(map(chr, range(32, 96)))  # 65 characters, as Tiny Shakespeare has
REPLIES = 6


def make_checkpoint(folder: Path, name: str) -> None:
    """A checkpoint of the preset's model as it is before training."""
    tokenizer = build_tokenizer("char", ALPHABET)
    model = GPT(dataclasses.replace(preset(name).model, vocab_size=tokenizer.vocab_size))
    folder.mkdir()
    save_checkpoint(model, folder, tokenizer=tokenizer, step=0, validation_loss=None)


async def measure(folder: Path, tokens: int) -> None:
    """Ask for the replies and print how fast each came."""
    messages: asyncio.Queue[GenerationMessage | str] = asyncio.Queue()
    process = GenerateProcess(messages.put_nowait, lambda code, sentence: messages.put_nowait(sentence))
    await process.start()
    process.send(Load(0, str(folder)))
    for number in range(1, REPLIES + 1):
        settings = SamplingSettings(temperature=0.8, top_k=40, top_p=0.95, max_tokens=tokens, seed=number)
        process.send(Generate(number, "HELLO", settings))
    while True:
        match await messages.get():
            case Ended() as ended:
                print(f"{ended.tokens} tokens  {ended.tokens_per_second:6.0f}/s  load {os.getloadavg()[0]:.1f}")
                if ended.id == REPLIES:
                    break
            case str() as sentence:
                sys.exit(sentence)
            case Failed(message=sentence):
                sys.exit(sentence)
            case _:
                pass
    await process.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINIGPT_HOME"] = folder
        make_checkpoint(Path(folder) / "checkpoint", sys.argv[1] if len(sys.argv) > 1 else "nanogpt-char")
        asyncio.run(measure(Path(folder) / "checkpoint", int(sys.argv[2]) if len(sys.argv) > 2 else 250))
