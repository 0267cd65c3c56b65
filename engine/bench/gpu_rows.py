"""The rows of `bench train` for a GPU."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Mapping
from pathlib import Path

from ...models.presets import preset
from ...models.recipe import Budget
from .measurements import Comparison, Work
from .nanogpt import NAME, Output
from .our_training import Training, with_training
from .setting import Setting
from .turns import Contestant, Figure, TurnFailedError

NANOGPT_LOSS = 1.4697  # the best of its recipe for a GPU, by its own protocol
PACE_STEPS, PACE_WARM_UP = 1000, 200  # compiling and recording end within the second
BATCH, CONTEXT = 64, 256  # nanoGPT's
MFU_BATCH, MFU_STEPS, MFU_WARM_UP = 512, 20, 5  # half a million tokens a step, as GPT-3's smallest was trained with
MICRO_BATCHES = (8, 16, 32, 64)
_NEVER = 10**9  # steps


def quality(setting: Setting) -> Work:
    """The best loss of ten million parameters, by nanoGPT's protocol, and how soon its own best was there."""
    recipe = with_training(preset("modern-10m"), evaluation="random")

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        losses = [evaluation.validation_loss for _, evaluation in training.evaluations]
        found: dict[str, Figure] = {"loss": min(losses), "training": training.seconds, "whole": training.whole}
        with contextlib.suppress(TurnFailedError):  # the loss says by how much it was missed
            found["seconds"] = training.reached(NANOGPT_LOSS)[0]
        return found

    def theirs(output: Output, out: Path) -> Mapping[str, Figure]:
        found: dict[str, Figure] = {"loss": output.best(), "whole": output.whole}
        with contextlib.suppress(TurnFailedError):
            found["seconds"] = output.reached(NANOGPT_LOSS)
        return found

    peers = [setting.peer({}, theirs, NAME)] if setting.nanogpt and setting.long_peers else []
    peer = NAME if peers else ""
    return Work("gpu-quality", [setting.ours(recipe, figures), *peers], [
        Comparison("best loss, protocol random", "loss", "nats", peer, ratio=False, target="1.38", by="mean"),
        Comparison(f"from process start to {NANOGPT_LOSS}", "seconds", "s", peer, target="15 s"),
        Comparison("whole process", "whole", "s", peer),
    ])  # fmt: skip


def throughput(setting: Setting) -> Work:
    """Tokens a second of nanoGPT's own shape and batch, once everything is warm."""
    recipe = with_training(
        preset("nanogpt-char"), budget=Budget(PACE_STEPS), evaluation_interval=PACE_STEPS,
        checkpoint_interval=PACE_STEPS,
    )  # fmt: skip

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        pace = training.tokens_per_second(PACE_WARM_UP)
        used = _share_of_peak(training, PACE_WARM_UP)
        return {"tokens/s": pace, "whole": training.whole, **({"peak": pace / used} if used else {})}

    def theirs(output: Output, out: Path) -> Mapping[str, Figure]:
        return {"tokens/s": output.tokens_per_second(BATCH * CONTEXT, PACE_WARM_UP), "whole": output.whole}

    options = {"max_iters": PACE_STEPS, "eval_interval": _NEVER, "eval_iters": 1, "log_interval": 100}
    names = {f"{NAME} compiled": True, f"{NAME} eager": False} if setting.nanogpt else {}
    peers = [setting.peer({**options, "compile": compiled}, theirs, name) for name, compiled in names.items()]
    return Work("gpu-throughput", [setting.ours(recipe, figures), *peers], [
        Comparison(f"after {PACE_WARM_UP} steps", "tokens/s", "tokens/s", peer, better="higher", target="4,000,000",
                   limit="peak")
        for peer in names or [""]
    ])  # fmt: skip


def utilisation(setting: Setting) -> Work:
    """The share of the GPU's peak that GPT-2's smallest size reaches, for several micro-batches."""

    def contestant(micro_batch: int) -> Contestant:
        recipe = with_training(
            preset("gpt2"), budget=Budget(MFU_STEPS), batch_size=MFU_BATCH, micro_batch_size=micro_batch,
            evaluation_interval=MFU_STEPS, checkpoint_interval=MFU_STEPS, data_order="random",
        )  # fmt: skip
        return setting.ours(recipe, figures, f"micro-batch {micro_batch}")

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        used = _share_of_peak(training, MFU_WARM_UP)
        pace = training.tokens_per_second(MFU_WARM_UP)
        return {"tokens/s": pace, **({"mfu": 100 * used} if used else {})}

    contestants = [contestant(micro_batch) for micro_batch in MICRO_BATCHES]
    return Work("gpu-mfu", contestants, [
        Comparison(contestant.name, figure, unit, ours=contestant.name, better="higher", target=target, limit=limit)
        for contestant in contestants
        for figure, unit, target, limit in (("mfu", "%", "45", 100.0), ("tokens/s", "tokens/s", "", None))
    ])  # fmt: skip


def crafting_attention(setting: Setting) -> Work:
    """15,000 steps of a student's GPT: the seconds they take, and the loss beside nanoGPT's on the same text."""
    recipe = preset("crafting-attention")
    steps = int(recipe.training.budget.amount)

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        best = min(evaluation.validation_loss for _, evaluation in training.evaluations)
        return {"whole": training.whole, "training": training.seconds, "loss": best}

    def theirs(output: Output, out: Path) -> Mapping[str, Figure]:
        return {"whole": output.whole, "loss": setting.loss_of_peer(out), "its own loss": output.best()}

    options = {"max_iters": steps, "lr_decay_iters": steps}
    peers = [setting.peer(options, theirs, NAME)] if setting.nanogpt and setting.long_peers else []
    peer = NAME if peers else ""
    return Work("crafting-attention", [setting.ours(recipe, figures), *peers], [
        Comparison(f"{steps:,} steps, whole process", "whole", "s", peer, target="180 s"),
        Comparison("best loss, protocol full", "loss", "nats", peer, ratio=False),
    ])  # fmt: skip


def _share_of_peak(training: Training, warm_up_steps: int) -> float | None:
    """The median of what the steps after the first ones say; None where this GPU's peak is not known."""
    shares = [step.mfu for step in training.steps if step.step > warm_up_steps and step.mfu]
    return statistics.median(shares) if shares else None
