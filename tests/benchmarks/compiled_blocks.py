"""Updates and evaluations with the compiled functions of models/native/train.c, in turns with torch's operators.

`python tests/benchmarks/compiled_blocks.py [--preset NAME] [--threads N] [--repeats N]`
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from minigpt_tui.engine.training.machine import set_up_torch
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models import gpt
from minigpt_tui.models.devices import choose_device
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.native.library import library
from minigpt_tui.models.native.train import fuses
from minigpt_tui.models.presets import PRESETS, preset

WARM_UP = 3
WAYS: dict[str, Callable[[torch.Tensor], bool]] = {"by torch": lambda x: False, "compiled": fuses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=list(PRESETS), default="quick")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    if library() is None:
        raise SystemExit("there is no compiled file: build the package with a C compiler, and without MINIGPT_NATIVE=0")
    recipe = preset(options.preset)
    vocabulary = recipe.usual_vocabulary or 65
    choice = choose_device("cpu", "float32")
    os.nice = lambda increment: 0  # as the others on this machine
    set_up_torch(choice, options.threads)
    tokens = torch.randint(vocabulary, (100_000,))
    learners = {}
    for way in WAYS:
        model = GPT(replace(recipe.model, vocab_size=vocabulary), choice.device, choice.dtype)
        model.reset_parameters(torch.Generator().manual_seed(1))
        learners[way] = ReplicatedLearner(model, tokens, recipe.training, Notes())
    rows = tokens[: 2048 // recipe.model.context_length * recipe.model.context_length]
    inputs = rows.view(-1, recipe.model.context_length)
    updates: dict[str, list[float]] = {way: [] for way in WAYS}
    passes: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(WARM_UP + options.repeats):
        for way, learner in learners.items():
            gpt.fuses = WAYS[way]
            start = time.perf_counter()
            learner.update(1.0)
            learner.take_loss()
            updates[way].append(time.perf_counter() - start)
            with torch.inference_mode():
                start = time.perf_counter()
                learner.model.loss(inputs, inputs)
                passes[way].append(time.perf_counter() - start)
    for what, seconds in ("update", updates), ("pass over 2,048 tokens", passes):
        for way in WAYS:
            warm = [1e3 * second for second in seconds[way][WARM_UP:]]
            print(f"{what}, {way}: median {statistics.median(warm):.1f} ms, least {min(warm):.1f}")


if __name__ == "__main__":
    main()
