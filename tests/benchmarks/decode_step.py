"""What the decode step of models/fast/decoding.py is worth: a token by it and by the model's forward pass, in turns.

python tests/benchmarks/decode_step.py [--preset NAME]... [--rows 1] [--tokens 40] [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.fast.decoding import prepare_decoding
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.presets import preset


def token_times(name: str, rows: int, tokens: int, rounds: int) -> dict[str, float]:
    """The median over `rounds` of the processor seconds that a token takes each way."""
    recipe = preset(name)
    config = replace(recipe.model, vocab_size=50257 if recipe.tokenizer == "gpt2" else 65)
    plain, prepared = GPT(config).eval(), GPT(config)
    prepare_decoding(prepared)
    tokens = min(tokens, config.context_length - 16)
    last = torch.randint(config.vocab_size, (rows, 1))
    times: dict[str, list[float]] = {"decode step": [], "forward": []}
    with torch.inference_mode():
        for _ in range(rounds):
            for way, model in (("decode step", prepared), ("forward", plain)):
                cache = KVCache(config, rows, config.context_length)
                model.next_logits(torch.randint(config.vocab_size, (rows, 16)), cache)
                start = time.process_time()  # of a single thread: what else the machine does counts less
                for _ in range(tokens):
                    model.next_logits(last, cache)
                times[way].append((time.process_time() - start) / tokens)
    return {way: statistics.median(seconds) for way, seconds in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", action="append")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.preset or ("quick", "nanogpt-char-cpu", "thorough"):
        found = token_times(name, arguments.rows, arguments.tokens, arguments.rounds)
        ratio = found["forward"] / found["decode step"]
        figures = ", ".join(f"{way} {seconds * 1e3:.2f} ms" for way, seconds in found.items())
        print(f"{name}, {arguments.rows} rows: {figures} a token; {ratio:.2f} times as fast", flush=True)


if __name__ == "__main__":
    main()
