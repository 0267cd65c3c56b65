"""A process that measures how fast updates are on a GPU: `python -m benchmarks.gpu.training_pace PRESET [OPTIONS]`.

The learner of a run on random tokens, without its files, evaluations and reports. Standard output: one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import torch
from minigpt_tui.engine.training.update.cuda_graph import WARM_UP, update_capture
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import flops_per_token
from minigpt_tui.models.devices import choose_device
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.peak_flops import peak_flops
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import TrainingConfig

_TEXT = 2_000_000  # tokens


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu.training_pace")
    parser.add_argument("preset")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--micro-batch-size", type=int)
    parser.add_argument("--cuda-graph", choices=("auto", "off"), default="auto")
    parser.add_argument("--compile", choices=("on", "off"), default="off")
    parser.add_argument("--seconds", type=float, default=4.0, help="of the measurement")
    options = parser.parse_args()
    recipe = preset(options.preset)
    changes = {
        "batch_size": options.batch_size or recipe.training.batch_size,
        "micro_batch_size": options.micro_batch_size or recipe.training.micro_batch_size,
        "cuda_graph": options.cuda_graph, "compile": options.compile,
    }  # fmt: skip
    vocabulary = 65 if recipe.tokenizer == "char" else recipe.usual_vocabulary  # as many as Tiny Shakespeare has
    model = replace(recipe.model, vocab_size=vocabulary)
    print(json.dumps(_measure(GPT(model, *_place()), replace(recipe.training, **changes), options.seconds)))


def _place() -> tuple[torch.device, torch.dtype]:
    choice = choose_device()
    torch.cuda.set_device(choice.device)
    return choice.device, choice.dtype


def _measure(model: GPT, config: TrainingConfig, seconds: float) -> dict[str, float | str]:
    device, notes = model.embedding.device, []
    tokens = torch.randint(model.config.vocab_size, (_TEXT,), device=device)
    capture = update_capture(device, config, None)
    learner = ReplicatedLearner(model, tokens, config, Notes(notes.append, notes.append), capture=capture)
    start = time.perf_counter()
    for _ in range(WARM_UP + 2):
        learner.update(0.0)  # a learning rate of 0: the weights stay numbers, whatever they learn from
    loss = learner.take_loss()  # waits for the device
    begin = time.perf_counter()
    updates, end = 0, begin
    while updates < 5 or end - begin < seconds:
        learner.update(0.0)
        updates += 1
        end = time.perf_counter()
    loss = learner.take_loss()
    each = (time.perf_counter() - begin) / updates
    pace = learner.tokens_per_step / each
    figures: dict[str, float | str] = {
        "tokens/s": pace, "milliseconds": 1000 * each, "first_updates": begin - start, "loss": loss,
        "memory": torch.cuda.max_memory_allocated() / 1e9, "reserved": torch.cuda.memory_reserved() / 1e9,
        "gpu": torch.cuda.get_device_name(device), "notes": "; ".join(notes),
    }  # fmt: skip
    if peak := peak_flops(device, model.compute_dtype):
        figures["mfu"] = 100 * flops_per_token(model.config) * pace / peak
    return figures


if __name__ == "__main__":
    main()
