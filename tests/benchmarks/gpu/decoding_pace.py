"""A process that measures how fast a GPU decodes: `python -m benchmarks.gpu.decoding_pace SHAPE --tokens N [OPTIONS]`.

The decoder of the generate process with random weights, without its pipes. Standard output: one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.reply import Reply, stream_replies
from minigpt_tui.engine.generation.sampling import sample_seed
from minigpt_tui.models.devices import choose_device, varying_lengths
from minigpt_tui.models.gpt import GPT

from ..generate.measuring import sampling
from ..generate.workloads import CHAR, GPT2, Shape, alphabet, prompt_of

_SHAPES = {shape.preset: shape for shape in (CHAR, GPT2)}
_REPLIES = 6  # the first one captures the graphs, and is not counted


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu.decoding_pace")
    parser.add_argument("shape", choices=_SHAPES)
    parser.add_argument("--tokens", type=int, default=250)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--kernel-by-kernel", action="store_true", help="without graphs")
    options = parser.parse_args()
    with varying_lengths():
        decoder = _decoder(_SHAPES[options.shape])
        if options.kernel_by_kernel:
            decoder.graphs = None
        print(json.dumps(_measure(decoder, options.tokens, options.samples)))


@torch.no_grad()
def _decoder(shape: Shape) -> Decoder:
    choice = choose_device(training=False)
    model = GPT(shape.config, choice.device, choice.dtype)
    for parameter in model.parameters():
        parameter.normal_(std=0.02)
        parameter.data = parameter.data.to(choice.dtype)  # as they are loaded to generate
    return Decoder(model, CharTokenizer(alphabet(shape.characters)))


def _measure(decoder: Decoder, tokens: int, samples: int) -> dict[str, float | str]:
    seconds, texts = [], []
    for number in range(_REPLIES):
        seed = number % (_REPLIES - 1)  # the last reply repeats the first one
        settings = [sampling(tokens, sample_seed(seed, sample)) for sample in range(samples)]
        start = time.perf_counter()
        replies = [Reply(decoder, prompt_of(5), one) for one in settings]
        texts.append("".join(piece for _, piece in stream_replies(decoder, replies)))
        seconds.append(time.perf_counter() - start)
    return {
        "tokens/s": samples * tokens / statistics.median(seconds[1:]), "first_reply": seconds[0],
        "repeated": "equal" if texts[0] == texts[-1] else "another text",
        "memory": torch.cuda.max_memory_allocated() / 1e9, "gpu": torch.cuda.get_device_name(),
        "notices": "; ".join(decoder.take_notices()),
    }  # fmt: skip


if __name__ == "__main__":
    main()
