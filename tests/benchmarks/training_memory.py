"""The memory of a training: its measured peak beside what models/memory.py computes, for each of our presets on a CPU.

Each preset trains in a process of its own, for some updates and an evaluation, on random tokens; what counts is the
largest resident size, less that of the process when all was imported and nothing built.

    python tests/benchmarks/training_memory.py [--preset NAME]... [--dtype float32 bfloat16] [--micro-batch N]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.models.memory import training_memory
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Recipe

PRESETS = ("quick", "laptop", "thorough", "modern-10m", "modern-124m")
ITEMSIZE = {"float32": 4, "bfloat16": 2}
USUAL_VOCABULARY = {"char": 65, "byte": 256, "gpt2": 50257}


@dataclass(frozen=True)
class Case:
    """A preset with a dtype, and how many sequences a micro-batch of it has."""

    preset: str
    dtype: str
    micro_batch: int
    updates: int

    def recipe(self) -> Recipe:
        """The preset's, with a batch of at most two micro-batches: more of them take turns in the same memory."""
        recipe = preset(self.preset)
        batch = min(recipe.training.batch_size, 2 * self.micro_batch)
        recipe = recipe.overridden(batch_size=batch, micro_batch_size=self.micro_batch, dtype=self.dtype)
        return replace(recipe, model=replace(recipe.model, vocab_size=USUAL_VOCABULARY[recipe.tokenizer]))


def computed(case: Case) -> int:
    """Bytes, by the formula."""
    recipe = case.recipe()
    return training_memory(recipe.model, recipe.training, ITEMSIZE[case.dtype]).peak(case.micro_batch)


def measured(case: Case) -> int:
    """Bytes, by a process that trains."""
    command = [sys.executable, __file__, "--measure", json.dumps(asdict(case))]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(case: Case) -> int:
    """The same within this process, which must be fresh. Linux only."""
    import torch
    from minigpt_tui.engine.freed_memory import keep_freed_memory
    from minigpt_tui.engine.training.loop.evaluation import evaluate
    from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
    from minigpt_tui.models.devices import DTYPES
    from minigpt_tui.models.gpt import GPT

    keep_freed_memory(1 << 30)  # as the train process does
    recipe = case.recipe()
    tokens = torch.randint(recipe.model.vocab_size, (20_000,))
    before = resident("VmRSS")
    learner = ReplicatedLearner(
        GPT(recipe.model, compute_dtype=DTYPES[case.dtype]), tokens, recipe.training, Notes(warn=sys.exit)
    )
    for _ in range(case.updates):
        learner.update(1.0)

    with learner.averaged() as model:
        evaluate(model, tokens[:8_000], 8_000, "full")
    return resident("VmHWM") - before


def resident(name: str) -> int:
    """Bytes of resident memory, now (VmRSS) or at most so far (VmHWM)."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", action="append", choices=PRESETS)
    parser.add_argument("--dtype", nargs="+", choices=ITEMSIZE, default=list(ITEMSIZE))
    parser.add_argument("--micro-batch", type=int, help="sequences at a time; the preset's own where it is left out")
    parser.add_argument("--updates", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure(Case(**json.loads(arguments.measure))))
        return
    print(f"{'preset':<14}{'dtype':<10}{'micro-batch':>12}{'measured':>12}{'computed':>12}{'computed / measured':>21}")
    for name in arguments.preset or PRESETS:
        training = preset(name).training
        micro_batch = arguments.micro_batch or training.micro_batch_size or training.batch_size
        for dtype in arguments.dtype:
            case = Case(name, dtype, micro_batch, arguments.updates)
            found, expected = measured(case), computed(case)
            print(
                f"{name:<14}{dtype:<10}{micro_batch:>12}{found / 1e6:>9,.0f} MB{expected / 1e6:>9,.0f} MB"
                f"{expected / found:>21.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
