"""The speed process: `python -m minigpt_tui.engine.training.speed_process [--seconds N] [--preset NAME ...]`.

With `--recipe JSON`, a RecipeSpeed without figures, that training alone is measured, as fast as it is beside the app;
its line is {"recipe": RecipeSpeed}.

Measures how many tokens a second each preset trains and generates here, on random tokens: small presets for a second
or so each, larger ones for as long as one update takes. Standard output: {"device": DeviceReport}, then for each preset
{"preset": PresetSpeed} as soon as it is measured, lines of progress between, and last {"times": seconds by phase}.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from dataclasses import replace

import torch

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.typed_json import loads, to_plain
from ...data.tokenizers import CharTokenizer
from ...models.config import flops_per_token
from ...models.devices import DeviceChoice, choose_device, choose_threads, varying_lengths
from ...models.gpt import GPT
from ...models.memory import training_memory
from ...models.presets import DEFAULT_PRESET, PRESETS, preset
from ...models.recipe import Recipe, TrainingConfig
from ..freed_memory import give_back
from ..generation.cpu_tuning import tune_for_cpu
from ..generation.decoder import Decoder
from ..generation.reply import Reply
from ..machine_speed import PresetSpeed, RecipeSpeed, budget_seconds
from ..requests import SamplingSettings
from ..time_line import TimeLine, process_age
from .device_process import device_report
from .machine import memory_of, set_up_torch
from .update.notes import Notes
from .update.replicated import OutOfMemoryError, ReplicatedLearner
from .update.threads import Threads, ThreadTrial

_GENERATION_SHARE = 0.3  # of a preset's time
_FIRST_LOOK = 0.15  # of a recipe's time, to learn how long an update takes
_WARM_UP_UPDATES = 2
_WARM_UP_TOKENS = 8
_UPDATES = 5  # that a measurement should have: with fewer in its time, the batch becomes smaller
_UPDATES_OF_A_TRIAL = 50  # from so many on there is time to find out how many threads train fastest
_TEXT = 100_000  # random tokens to train on
_FIRST_GUESS = 1e10  # FLOP a second, before anything is measured: a slow CPU


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="minigpt_tui.engine.training.speed_process", description="Measure the speed.")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long all of it may take")
    parser.add_argument("--preset", action="append", choices=list(PRESETS), help="only this one; may be repeated")
    parser.add_argument("--recipe", help="a training of any other shape, as JSON")
    options = parser.parse_args(arguments)
    _print("device", to_plain(device_report()))
    if options.recipe:
        return _measure_recipe(loads(RecipeSpeed, options.recipe), options.seconds)
    deadline = time.perf_counter() + options.seconds
    time_line = TimeLine("device", ("start and imports", process_age()))
    recipes = [preset(name) for name in options.preset or PRESETS]
    measurement = SpeedMeasurement(time_line=time_line)
    time_line.enter("models")
    recipes = sorted((recipe for recipe in recipes if recipe.usual_vocabulary), key=lambda recipe: recipe.parameters())
    for number, recipe in enumerate(recipes):
        print(json.dumps({"progress": number / len(recipes), "doing": f"measuring {recipe.name}"}), flush=True)
        seconds = max(0.0, deadline - time.perf_counter()) / (len(recipes) - number)
        _print("preset", to_plain(measurement.measure(recipe, seconds)))
    _print("times", dict(time_line.rounded))
    return 0


def _measure_recipe(asked: RecipeSpeed, seconds: float) -> int:
    """Measure one training: for a moment, to learn how many sequences there is time for, then in earnest."""
    recipe = replace(preset(DEFAULT_PRESET), model=asked.model, training=asked.training)
    try:
        measurement = SpeedMeasurement(asked.training, leave_core=True)
        measurement.measure(recipe, _FIRST_LOOK * seconds, generate=False)
        speed = measurement.measure(recipe, (1 - _FIRST_LOOK) * seconds, generate=False)
    except EXPECTED as error:
        print(sentence_of(error), file=sys.stderr)
        return 2
    found = replace(asked, tokens_per_second=speed.training, batch_size=speed.batch_size, note=speed.note)
    _print("recipe", to_plain(found))
    return 0


class SpeedMeasurement:
    """Measures presets, from small to large: how fast one was tells how long an update of the next will take."""

    def __init__(
        self, config: TrainingConfig | None = None, *, leave_core: bool = False, time_line: TimeLine | None = None
    ) -> None:
        """With a `config` on the device that it names. Raises DeviceError."""
        self._time_line = time_line or TimeLine("models")
        device, dtype, threads = (config.device, config.dtype, config.threads) if config else ("auto", "auto", 0)
        self._training, self._generation = choose_device(device, dtype), choose_device(training=False)
        self._threads = choose_threads(threads, leave_core=leave_core)
        self._flops = 0.0  # that training does a second here at its fastest, as far as it is known
        set_up_torch(self._training, self._threads)

    def measure(self, recipe: Recipe, seconds: float, *, generate: bool = True) -> PresetSpeed:
        """Train and generate with the preset for about so many seconds together."""
        vocab_size = recipe.model.vocab_size or recipe.usual_vocabulary
        recipe = replace(recipe, model=replace(recipe.model, vocab_size=vocab_size))
        speed = PresetSpeed(recipe.name, recipe.parameters(), whole_batch_size=recipe.training.batch_size)
        needed = training_memory(recipe.model, recipe.training, self._training.dtype.itemsize).peak(1)
        memory = memory_of(self._training.device, None)
        if memory is not None and needed > memory:
            return replace(speed, note=f"needs {needed / 1e9:,.0f} GB of memory; there are {memory / 1e9:,.0f}")
        sequence = (
            flops_per_token(recipe.model) * recipe.model.context_length / (self._flops or _FIRST_GUESS)
        )  # seconds
        if (1 + _WARM_UP_UPDATES) * sequence > 2 * seconds:
            return replace(speed, note=f"one sequence would take about {sequence:,.0f} s; give more --seconds")
        rows = int(seconds / sequence / (_UPDATES + _WARM_UP_UPDATES))
        rows = max(1, min(rows, recipe.training.batch_size))
        try:
            share = _GENERATION_SHARE if generate else 0.0
            training = self._train(recipe, rows, (1 - share) * seconds)
            self._flops = max(self._flops, training * flops_per_token(recipe.model))
            with self._time_line.within("generation"):
                generation = self._generate(recipe, share * seconds) if generate else None
        except OutOfMemoryError:
            return replace(speed, note="does not fit into the memory")
        finally:
            gc.collect()
            give_back()
        config = recipe.training
        tokens_per_step = config.batch_size * recipe.model.context_length
        return replace(
            speed, training=training, generation=generation, batch_size=rows,
            budget_seconds=budget_seconds(config.budget, tokens_per_step, training),
        )  # fmt: skip

    def _train(self, recipe: Recipe, rows: int, seconds: float) -> float:
        """Tokens a second of updates of `rows` sequences. Raises OutOfMemoryError."""
        device, length = self._training.device, recipe.model.context_length
        config = recipe.overridden(batch_size=rows).training
        tokens = torch.randint(recipe.model.vocab_size, (max(_TEXT, 2 * length),), device=device)
        learner = ReplicatedLearner(_random_model(recipe, self._training), tokens, config, Notes())
        updates = seconds * (self._flops or _FIRST_GUESS) / (flops_per_token(recipe.model) * length * rows)
        tries = device.type == "cpu" and self._threads > 1 and updates > _UPDATES_OF_A_TRIAL
        threads = Threads(ThreadTrial(self._threads) if tries else None)
        times: list[float] = []
        deadline = time.perf_counter() + seconds
        with self._time_line.within("training"):
            while len(times) <= _WARM_UP_UPDATES or time.perf_counter() < deadline:
                start = time.perf_counter()
                learner.update(0.0)  # a learning rate of 0: the weights stay numbers, whatever they learn from
                learner.take_loss()  # waits for the device
                times.append(time.perf_counter() - start)
                threads.updated(times[-1])
        torch.set_num_threads(self._threads)
        settled = times[-max(1, (len(times) - _WARM_UP_UPDATES) // 2) :]
        return rows * length * len(settled) / sum(settled)

    @varying_lengths()
    def _generate(self, recipe: Recipe, seconds: float) -> float:
        """Tokens a second of one reply after another, each of the usual length."""
        alphabet = "".join(map(chr, range(0x100, 0x100 + recipe.model.vocab_size)))  # one character for each token
        decoder = Decoder(_random_model(recipe, self._generation), CharTokenizer(alphabet))
        decoder.prefill_threads = tune_for_cpu(decoder).begin_reply(while_training=False)
        deadline = time.perf_counter() + seconds
        tokens, spent = 0, 0.0
        while not tokens or time.perf_counter() < deadline:
            reply = Reply(decoder, "", SamplingSettings(seed=tokens))
            pieces = iter(reply)
            for _ in range(_WARM_UP_TOKENS):
                next(pieces)
            start = time.perf_counter()
            for _ in pieces:
                if time.perf_counter() > deadline:
                    break
            tokens += reply.tokens - _WARM_UP_TOKENS
            spent += time.perf_counter() - start
        torch.set_num_threads(self._threads)
        return tokens / spent


@torch.no_grad()
def _random_model(recipe: Recipe, choice: DeviceChoice) -> GPT:
    """The recipe's model with random weights, drawn on the device: faster than those that a training begins with."""
    model = GPT(recipe.model, choice.device, choice.dtype)
    for parameter in model.parameters():
        parameter.normal_(std=0.02)
    return model


def _print(kind: str, value: dict[str, object]) -> None:
    print(json.dumps({kind: value}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
