"""What a token costs: by the compiled step, by the model's forward pass, and to read the weights once, all in turns.

python tests/benchmarks/decode_step.py [--preset NAME]... [--rows 1] [--int8] [--threads 1] [--tokens 250] [--rounds 5]

MINIGPT_NATIVE=avx2 keeps the compiled step to AVX2; torch has variables of its own (docs/benchmarks.md).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.fast.decoding import prepare_decoding
from minigpt_tui.models.fast.quantization import quantize_int8
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.native import library as native
from minigpt_tui.models.presets import preset


def token_times(name: str, rows: int, int8: bool, tokens: int, rounds: int) -> dict[str, float]:
    """The median over all tokens of the seconds that one takes each way, and those of a plain read of the matrices."""
    recipe = preset(name)
    config = replace(recipe.model, vocab_size=50257 if recipe.tokenizer == "gpt2" else 65)
    prepared = GPT(config)
    matrices = [matrix.data for matrix in prepared.hidden_matrices()]
    if int8:
        quantize_int8(prepared)
        matrices = [matrix[: len(matrix) // 4] for matrix in matrices]
    prepare_decoding(prepared)
    step, cache = prepared.step, KVCache(config, rows, config.context_length)
    last = torch.randint(config.vocab_size, (rows, 1))
    times: dict[str, list[float]] = {"read": [], "compiled": [], "forward": []}

    def token() -> None:
        if cache.length == cache.max_length:
            cache.reset()
        prepared.next_logits(last, cache)

    def timed(way: str, work: Callable[[], object]) -> None:
        start = time.perf_counter()
        work()
        times[way].append(time.perf_counter() - start)

    with torch.inference_mode():
        for _ in range(rounds):
            for _ in range(tokens // 10):
                timed("read", lambda: [matrix.sum() for matrix in matrices])
            for way, tries in (("compiled", tokens), ("forward", tokens // 10)):
                prepared.step = step if way == "compiled" else None
                cache.reset()
                for _ in range(tries):
                    timed(way, token)
    return {way: statistics.median(seconds) for way, seconds in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", action="append")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"compiled: {native.kind() or native.absence()}")
    for name in arguments.preset or ("quick", "thorough", "nanogpt-char"):
        found = token_times(name, arguments.rows, arguments.int8, arguments.tokens, arguments.rounds)
        figures = ", ".join(f"{way} {seconds * 1e3:.2f} ms" for way, seconds in found.items())
        share, ratio = found["read"] / found["compiled"], found["forward"] / found["compiled"]
        print(
            f"{name}, {arguments.rows} rows: {figures} a token; {share:.0%} of a read's rate, {ratio:.1f} x", flush=True
        )


if __name__ == "__main__":
    main()
