"""The workloads of `benchmarks train`. Losses on a CPU are of the protocol `full`, at context 64."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from minigpt_tui.engine.events import Command, Step, TrainingEvent
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget, Recipe

from ..harness import Benchmark, Candidate, Comparison, Figure, TrialFailedError
from ..nanogpt import CPU_RECIPE, NAME, TrainOutput
from ..workloads import Workload
from .our_training import Training, evaluate, with_training
from .setup import TrainingSetup

# --- on a CPU -------------------------------------------------------------------------------------

CPU_LOSS = 1.898  # where nanoGPT's CPU recipe ends on Tiny Shakespeare
STEPS_TO_CPU_LOSS = 130  # of the preset `quick`
CPU_CONTEXT = 64  # of nanoGPT's CPU recipe
_CPU_SECONDS = 80.0  # of training
_SETTLED = 5.0  # seconds of training after which the pace of the rest is known


def time_to_loss(setup: TrainingSetup, recipe: Recipe | None = None, loss: float = CPU_LOSS) -> Benchmark:
    """Seconds until nanoGPT's loss: the preset `quick` where no recipe is given, with a budget that ends just there."""
    if recipe is None:
        recipe = with_training(
            preset("quick"), budget=Budget(STEPS_TO_CPU_LOSS), evaluation="full", device="cpu"
        )  # fmt: skip

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        whole, evaluation = training.reached(loss)
        loss_then = evaluation.validation_loss
        return {"whole": whole, "training": evaluation.seconds, "loss": loss_then, **training.phases}

    peer = NAME if setup.nanogpt else ""
    return Benchmark("cpu-time-to-loss", [setup.ours(recipe, figures), *_nanogpt_on_cpu(setup)], [
        Comparison(f"from process start to {loss}", "whole", "s", peer, target="15 x"),
        Comparison("training alone", "training", "s", peer, target="6 s"),
        Comparison("loss", "loss", "nats", peer, ratio=False, target=f"{loss}"),
    ])  # fmt: skip


def loss_in_budget(setup: TrainingSetup) -> Benchmark:
    """The loss after 80 seconds of training, or fewer where the preset `laptop` ends before."""
    recipe = with_training(preset("laptop"), evaluation="full", device="cpu")

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        loss = evaluate(home, training.run.path, context_length=CPU_CONTEXT)
        own = min(evaluation.validation_loss for _, evaluation in training.evaluations)
        return {"loss": loss, "loss at its own context": own, "training": training.seconds, "whole": training.whole}

    peer = NAME if setup.nanogpt else ""
    ours = setup.ours(recipe, figures, watch=shorten_to(_CPU_SECONDS))
    return Benchmark("cpu-budget", [ours, *_nanogpt_on_cpu(setup)], [
        Comparison(f"loss at context {CPU_CONTEXT}", "loss", "nats", peer, ratio=False, target="1.53"),
        Comparison("training", "training", "s", peer, target=f"{_CPU_SECONDS:.0f} s"),
    ])  # fmt: skip


def shorten_to(seconds: float) -> Callable[[Run, TrainingEvent], None]:
    """A watcher that gives a run another budget, once, where its own would last longer than so many seconds."""
    told: set[Run] = set()

    def watch(run: Run, event: TrainingEvent) -> None:
        if isinstance(event, Step) and event.remaining and event.seconds > _SETTLED and run not in told:
            told.add(run)
            if event.seconds + event.remaining > seconds:
                run.send(Command("budget", text=f"{seconds:.0f} seconds"))

    return watch


def _nanogpt_on_cpu(setup: TrainingSetup) -> list[Candidate]:
    """NanoGPT's CPU recipe, where there is a checkout; two workloads have it as a peer, and each repeat is run once."""

    def figures(output: TrainOutput, out: Path) -> Mapping[str, Figure]:
        return {
            "whole": output.whole, "training": output.seconds, "loss": setup.loss_of_peer(out),
            "its own loss": output.evaluations[-1][2],
        }  # fmt: skip

    if not setup.nanogpt:
        return []
    if setup.cpu_peer is None:
        # its last weights count, not those of the luckiest of its own evaluations
        options = {**CPU_RECIPE, "log_interval": 1, "always_save_checkpoint": True}
        peer = setup.peer(options, figures, NAME)
        setup.cpu_peer = Candidate(peer.name, cache(peer.run))
    return [setup.cpu_peer]


# --- on a GPU -------------------------------------------------------------------------------------

GPU_LOSS = 1.4697  # the best of nanoGPT's recipe for a GPU, by its own protocol
GPU_BATCH, GPU_CONTEXT = 64, 256  # of that recipe
_NEVER = 10**9  # steps


def quality(setup: TrainingSetup, recipe: Recipe | None = None) -> Benchmark:
    """The best loss of ten million parameters, by nanoGPT's protocol, and how soon its own best was there."""
    recipe = recipe or with_training(preset("modern-10m"), evaluation="random")

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        losses = [evaluation.validation_loss for _, evaluation in training.evaluations]
        found: dict[str, Figure] = {"loss": min(losses), "training": training.seconds, "whole": training.whole}
        with contextlib.suppress(TrialFailedError):  # the loss says by how much it was missed
            found["seconds"] = training.reached(GPU_LOSS)[0]
        return found

    def theirs(output: TrainOutput, out: Path) -> Mapping[str, Figure]:
        found: dict[str, Figure] = {"loss": output.best(), "whole": output.whole}
        with contextlib.suppress(TrialFailedError):
            found["seconds"] = output.reached(GPU_LOSS)
        return found

    peers = [setup.peer({}, theirs, NAME)] if setup.nanogpt and setup.long_peers else []
    peer = NAME if peers else ""
    return Benchmark("gpu-quality", [setup.ours(recipe, figures), *peers], [
        Comparison("best loss, protocol random", "loss", "nats", peer, ratio=False, target="1.38", by="mean"),
        Comparison(f"from process start to {GPU_LOSS}", "seconds", "s", peer, target="15 s"),
        Comparison("whole process", "whole", "s", peer),
    ])  # fmt: skip


def throughput(
    setup: TrainingSetup, recipe: Recipe | None = None, steps: int = 1000, warm_up: int = 200
) -> Benchmark:  # fmt: skip
    """Tokens a second of nanoGPT's own shape and batch after the first `warm_up` steps, in which it is compiled."""
    recipe = with_training(
        recipe or preset("nanogpt-char"), budget=Budget(steps), evaluation_interval=steps, checkpoint_interval=steps
    )

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        pace, used = training.tokens_per_second(warm_up), training.share_of_peak(warm_up)
        return {"tokens/s": pace, "whole": training.whole, **({"peak": pace / used} if used else {})}

    def theirs(output: TrainOutput, out: Path) -> Mapping[str, Figure]:
        return {"tokens/s": output.tokens_per_second(GPU_BATCH * GPU_CONTEXT, warm_up), "whole": output.whole}

    options = {"max_iters": steps, "eval_interval": _NEVER, "eval_iters": 1, "log_interval": 100}
    names = {f"{NAME} compiled": True, f"{NAME} eager": False} if setup.nanogpt else {}
    peers = [setup.peer({**options, "compile": compiled}, theirs, name) for name, compiled in names.items()]
    return Benchmark("gpu-throughput", [setup.ours(recipe, figures), *peers], [
        Comparison(f"after {warm_up} steps", "tokens/s", "tokens/s", peer, better="higher", target="4,000,000",
                   limit="peak")
        for peer in names or [""]
    ])  # fmt: skip


def utilisation(
    setup: TrainingSetup,
    recipe: Recipe | None = None,
    micro_batches: Sequence[int] = (8, 16, 32, 64),
    batch_size: int = 512,  # half a million tokens a step, as GPT-3's smallest was trained with
    steps: int = 20,
    warm_up: int = 5,
) -> Benchmark:
    """The share of the GPU's peak that GPT-2's smallest size reaches, for several micro-batches."""

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        pace, used = training.tokens_per_second(warm_up), training.share_of_peak(warm_up)
        return {"tokens/s": pace, **({"mfu": 100 * used} if used else {})}

    def candidates() -> Iterator[Candidate]:
        for micro_batch in micro_batches:
            trained = with_training(
                recipe or preset("gpt2"), budget=Budget(steps), batch_size=batch_size, micro_batch_size=micro_batch,
                evaluation_interval=steps, checkpoint_interval=steps, data_order="random",
            )  # fmt: skip
            yield setup.ours(trained, figures, f"micro-batch {micro_batch}")

    named = list(candidates())
    return Benchmark("gpu-mfu", named, [
        Comparison(candidate.name, figure, unit, ours=candidate.name, better="higher", target=target, limit=limit)
        for candidate in named
        for figure, unit, target, limit in (("mfu", "%", "45", 100.0), ("tokens/s", "tokens/s", "", None))
    ])  # fmt: skip


def crafting_attention(setup: TrainingSetup, recipe: Recipe | None = None) -> Benchmark:
    """15,000 steps of a student's GPT: the seconds they take, and the loss beside nanoGPT's on the same text."""
    recipe = recipe or preset("crafting-attention")
    steps = int(recipe.training.budget.amount)

    def figures(training: Training, home: Path) -> Mapping[str, Figure]:
        best = min(evaluation.validation_loss for _, evaluation in training.evaluations)
        return {"whole": training.whole, "training": training.seconds, "loss": best}

    def theirs(output: TrainOutput, out: Path) -> Mapping[str, Figure]:
        return {"whole": output.whole, "loss": setup.loss_of_peer(out), "its own loss": output.best()}

    options = {"max_iters": steps, "lr_decay_iters": steps}
    peers = [setup.peer(options, theirs, NAME)] if setup.nanogpt and setup.long_peers else []
    peer = NAME if peers else ""
    return Benchmark("crafting-attention", [setup.ours(recipe, figures), *peers], [
        Comparison(f"{steps:,} steps, whole process", "whole", "s", peer, target="180 s"),
        Comparison("best loss, protocol full", "loss", "nats", peer, ratio=False),
    ])  # fmt: skip


# --- by name --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TrainingWorkload(Workload):
    """A workload, and how it is measured in a setup."""

    benchmark: Callable[[TrainingSetup], Benchmark]
    long_peer: bool = False  # nanoGPT takes many minutes for it


WORKLOADS: dict[str, TrainingWorkload] = {
    workload.name: workload
    for workload in (
        TrainingWorkload(
            name="cpu-time-to-loss",
            description="Tiny Shakespeare on the CPU: seconds until the loss of nanoGPT's CPU recipe, 1.898",
            benchmark=time_to_loss,
        ),
        TrainingWorkload(
            name="cpu-budget",
            description="the same text, 80 seconds of training on the CPU: the loss at context 64",
            benchmark=loss_in_budget,
        ),
        TrainingWorkload(
            name="gpu-quality",
            description="Tiny Shakespeare, 10.7M parameters: best loss, and seconds until 1.4697",
            benchmark=quality,
            needs_gpu=True,
            long_peer=True,
        ),
        TrainingWorkload(
            name="gpu-throughput",
            description="10.65M parameters, batches of 64 x 256: tokens a second",
            benchmark=throughput,
            needs_gpu=True,
        ),
        TrainingWorkload(
            name="gpu-mfu",
            description="GPT-2's smallest size, context 1024: the share of the GPU's peak that is used",
            benchmark=utilisation,
            needs_gpu=True,
        ),
        TrainingWorkload(
            name="crafting-attention",
            description="15,000 steps of that preset on the collected Shakespeare: seconds and loss",
            benchmark=crafting_attention,
            needs_gpu=True,
            long_peer=True,
            own_text=True,
        ),
    )
}
