"""How long the generate process takes from an edit in a long text to the next token.

python tests/benchmarks/edited_text.py [--tokens 100000] [--context-length 1024] [--repeats 7]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import torch
from minigpt_tui.data.tales.generator import generate
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.client import GenerateProcess
from minigpt_tui.engine.requests import Ended, Failed, Generate, GenerationMessage, Load, Request, SamplingSettings
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint

_REPLY = SamplingSettings(temperature=1.0, max_tokens=1, seed=1)


def main() -> None:
    """Print a line for each kind of edit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--context-length", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    text = generate(arguments.tokens).text[: arguments.tokens]
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), text, arguments.context_length)
        asyncio.run(measure(Path(folder), text, arguments.repeats))


def write_model(folder: Path, text: str, context_length: int) -> None:
    """A model of random weights over the characters of the text."""
    tokenizer = build_tokenizer("char", alphabet="".join(sorted(set(text))), pieces=tuple)
    torch.manual_seed(0)
    model = GPT(ModelConfig(tokenizer.vocab_size, context_length, n_layer=4, n_head=4, d_model=128))
    save_checkpoint(model, folder, tokenizer=tokenizer, step=1, validation_loss=None)


async def measure(folder: Path, text: str, repeats: int) -> None:
    """Ask for one token behind each text, in turns with the whole text, which the cache then holds again."""
    middle = len(text) // 2
    edits = {
        "nothing": text,
        "a word more in the middle": text[:middle] + "word " + text[middle:],
        "half of it left out": text[middle:],
        "a word more 100 characters before the end": text[:-100] + "word " + text[-100:],
        "a word more at the end": text + " word",
        "another text": text[::-1],
    }
    messages: asyncio.Queue[GenerationMessage] = asyncio.Queue()
    process = GenerateProcess(messages.put_nowait)
    await process.start()

    async def seconds(request: Request) -> float:
        start = time.perf_counter()
        process.send(request)
        while not isinstance(message := await messages.get(), Ended):
            assert not isinstance(message, Failed), message
        return time.perf_counter() - start

    process.send(Load(1, str(folder), follow=False, device="cpu"))
    await seconds(Generate(2, text, _REPLY))
    for name, edited in edits.items():
        times = []
        for _ in range(repeats):
            await seconds(Generate(3, text, _REPLY))
            times.append(await seconds(Generate(4, edited, _REPLY)))
        print(f"{name}: {statistics.median(times) * 1e3:.0f} ms, at most {max(times) * 1e3:.0f} ms", flush=True)
    await process.close()


if __name__ == "__main__":
    main()
