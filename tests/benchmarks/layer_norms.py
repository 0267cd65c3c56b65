"""What the norms of the layers cost a training: measured between updates, in turns with updates that are not measured.

    python tests/benchmarks/layer_norms.py [PRESET ...] [--turns 20]

The share is that of a run that evaluates every two seconds, which is the most that a run does by itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time

import torch
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.presets import preset

_EVALUATIONS = 2.0  # seconds of training between two of them, at least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", metavar="PRESET", default=["quick", "laptop", "thorough"])
    parser.add_argument("--turns", type=int, default=20)
    arguments = parser.parse_args()
    for name in arguments.presets:
        measure(name, arguments.turns)


def measure(name: str, turns: int) -> None:
    """Print the median of an update, of one with its measurement, and of the measurement alone."""
    recipe = preset(name)
    config = dataclasses.replace(recipe.model, vocab_size=recipe.usual_vocabulary)
    tokens = torch.randint(config.vocab_size, (200_000,), generator=torch.Generator().manual_seed(1))
    learner = ReplicatedLearner(GPT(config), tokens, recipe.training, Notes())
    learner.update(1.0)
    plain: list[float] = []
    added: list[float] = []
    for _ in range(turns):
        start = time.perf_counter()
        learner.update(1.0)
        plain.append(time.perf_counter() - start)
        start = time.perf_counter()
        measurement = learner.measure_next_update()
        before = time.perf_counter() - start
        learner.update(1.0)
        start = time.perf_counter()
        assert measurement
        measurement.measure()
        added.append(before + time.perf_counter() - start)
    update, cost = statistics.median(plain), statistics.median(added)
    print(
        f"{name}: {recipe.parameters() / 1e6:.2f}M parameters, an update {1e3 * update:.1f} ms, the norms "
        f"{1e3 * cost:.2f} ms ({1e3 * min(added):.2f} to {1e3 * max(added):.2f}), {cost / _EVALUATIONS:.2%} of it all",
        flush=True,
    )


if __name__ == "__main__":
    main()
