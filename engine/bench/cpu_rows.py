"""The rows of `bench train` for a computer without a GPU. Losses are of the protocol `full`, at context 64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from ...models.presets import preset
from ...models.recipe import Budget, Recipe
from ..events import Command, Step, TrainingEvent
from ..runs import Run
from .measurements import Comparison, Work
from .nanogpt import CPU_RECIPE, NAME, Output
from .our_training import Training, evaluate, with_training
from .setting import Setting
from .turns import Contestant, Figure

NANOGPT_LOSS = 1.898  # where its CPU recipe ends on Tiny Shakespeare
STEPS_TO_IT = 130  # of the preset `quick`
CONTEXT = 64  # nanoGPT's
BUDGET = 80.0  # seconds of training
_SETTLED = 5.0  # seconds of training after which the pace of the rest is known


def time_to_loss(setting: Setting) -> Work:
    """Seconds until nanoGPT's loss: the preset `quick`, with a budget that ends just there."""
    recipe = with_training(preset("quick"), budget=Budget(STEPS_TO_IT), evaluation="full", device="cpu")
    return time_to_loss_of(setting, recipe, NANOGPT_LOSS)


def time_to_loss_of(setting: Setting, recipe: Recipe, loss: float) -> Work:
    """The same for any recipe and loss."""

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        whole, evaluation = training.reached(loss)
        return {"whole": whole, "training": evaluation.seconds, "loss": evaluation.validation_loss}

    peer = NAME if setting.nanogpt else ""
    return Work("cpu-time-to-loss", [setting.ours(recipe, figures), *_peers(setting)], [
        Comparison(f"from process start to {loss}", "whole", "s", peer, target="15 x"),
        Comparison("training alone", "training", "s", peer, target="6 s"),
        Comparison("loss", "loss", "nats", peer, ratio=False, target=f"{loss}"),
    ])  # fmt: skip


def budget(setting: Setting) -> Work:
    """The loss after 80 seconds of training, or fewer where the preset `laptop` has its fill before."""
    recipe = with_training(preset("laptop"), evaluation="full", device="cpu")

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        loss = evaluate(home, training.run.path, context_length=CONTEXT)
        own = min(evaluation.validation_loss for _, evaluation in training.evaluations)
        return {"loss": loss, "loss at its own context": own, "training": training.seconds, "whole": training.whole}

    peer = NAME if setting.nanogpt else ""
    ours = setting.ours(recipe, figures, watch=_within(BUDGET))
    return Work("cpu-budget", [ours, *_peers(setting)], [
        Comparison(f"loss at context {CONTEXT}", "loss", "nats", peer, ratio=False, target="1.53"),
        Comparison("training", "training", "s", peer, target=f"{BUDGET:.0f} s"),
    ])  # fmt: skip


def _within(seconds: float) -> Callable[[Run, TrainingEvent], None]:
    """A watcher that gives a run another budget where its own would last longer than so many seconds of training."""
    told: set[Run] = set()

    def watch(run: Run, event: TrainingEvent) -> None:
        if isinstance(event, Step) and event.remaining and event.seconds > _SETTLED and run not in told:
            told.add(run)
            if event.seconds + event.remaining > seconds:
                run.send(Command("budget", text=f"{seconds:.0f} seconds"))

    return watch


def _peers(setting: Setting) -> list[Contestant]:
    """NanoGPT's CPU recipe, where there is a checkout; two rows have it as a peer, and each repeat is run once."""

    def figures(output: Output, out: Path) -> Mapping[str, Figure]:
        return {
            "whole": output.whole, "training": output.seconds, "loss": setting.loss_of_peer(out),
            "its own loss": output.evaluations[-1][2],
        }  # fmt: skip

    if not setting.nanogpt:
        return []
    if setting.cpu_peer is None:
        # its last weights count, not those of the luckiest of its own evaluations
        options = {**CPU_RECIPE, "log_interval": 1, "always_save_checkpoint": True}
        peer = setting.peer(options, figures, NAME)
        setting.cpu_peer = Contestant(peer.name, cache(peer.run))
    return [setting.cpu_peer]
