"""The rules that say what a run's figures mean, each with its reason. Wrong advice is worse than none: a rule that is
unsure says nothing, so most of them want a clear margin, several readings, or two signs at once.

All losses are in nats per token. Where a rule names what to try, it names the value that would be set.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...models.recipe import TrainingConfig
from ..events import ENDED_STATES, Evaluation
from .readings import Readings, Stretch
from .stall import stall_seconds
from .surroundings import Surroundings
from .usual_rates import lower_rate, peak_rate, span, usual_rate

Severity = Literal["good", "information", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """What a rule has found: a sentence, what to try, and the fields of the recipe that would be set to try it."""

    kind: str
    text: str
    advice: str = ""
    severity: Severity = "information"
    change: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.text}; {self.advice}" if self.advice else self.text


Rule = Callable[[Readings, Surroundings], Finding | None]


def diagnose(readings: Readings, surroundings: Surroundings | None = None) -> list[Finding]:
    """All findings, the most important first; none where nothing can be said."""
    return list(_findings(readings, surroundings or Surroundings()))


def _findings(readings: Readings, surroundings: Surroundings) -> Iterator[Finding]:
    for rule in RULES:
        if finding := rule(readings, surroundings):
            yield finding


# ---------------------------------------------------------------------- it cannot go on


def diverged(readings: Readings, _: Surroundings) -> Finding | None:
    """The trainer itself goes back once by itself, and ends a run that diverges again: that is no matter of opinion."""
    if readings.state != "failed" or "diverged" not in readings.reason:
        return None
    rate = lower_rate(readings, 4)  # half of it has diverged as well
    return Finding(
        "diverged",
        f"the training diverged at step {_latest_step(readings):,} and was ended",
        f"try a learning rate of {rate:g}, or a longer warm-up",
        "error",
        {"learning_rate": rate},
    )


def disk_nearly_full(readings: Readings, surroundings: Surroundings) -> Finding | None:
    """A checkpoint is written beside the one that it replaces: two kinds of it, weights and two moments of each."""
    if surroundings.free_bytes is None or readings.started is None or readings.state in ENDED_STATES:
        return None
    checkpoint = readings.started.parameters * 4 * 3
    if surroundings.free_bytes > 3 * checkpoint + 100_000_000:
        return None
    return Finding(
        "disk nearly full",
        f"the disk has {_bytes(surroundings.free_bytes)} left, and a checkpoint takes {_bytes(checkpoint)}",
        "free some space: what cannot be saved is lost when the training ends",
        "error",
    )


def stalled(readings: Readings, surroundings: Surroundings) -> Finding | None:
    """A silence that neither an update nor an evaluation explains."""
    silent, step, started = surroundings.silent_seconds, readings.latest, readings.started
    if silent is None or readings.state != "running" or step is None or started is None or step.tokens_per_second <= 0:
        return None
    tokens_per_step = step.tokens / max(step.step, 1)
    if silent < stall_seconds(started.validation_tokens, tokens_per_step, step.tokens_per_second):
        return None
    update = tokens_per_step / step.tokens_per_second
    return Finding(
        "stalled",
        f"nothing has come from the training for {_duration(silent)}, where a step took {_duration(update)}",
        "it may wait for memory, a disk or a device: top shows what its process does",
        "error",
    )


# ---------------------------------------------------------------------- the learning rate


def recovered(readings: Readings, _: Surroundings) -> Finding | None:
    """Said for as long as the run has not trained twice as far as where it went back to: then it is history."""
    if readings.divergence is None or readings.latest is None:
        return None
    diverged_at, back_to = readings.divergence
    if readings.state != "running" or readings.latest.step - back_to > max(diverged_at, 200):
        return None
    rate = lower_rate(readings, 2)
    return Finding(
        "recovered",
        f"diverged at step {diverged_at:,} and went on from step {back_to:,} with half the learning rate",
        f"a next run should begin with {rate:g}",
        "warning",
        {"learning_rate": rate},
    )


def rate_is_unusual(readings: Readings, _: Surroundings) -> Finding | None:
    """Two signs at once: a rate that is far from what is usual for a model of this size, and little learned after 200
    updates behind the warm-up. A low rate alone is right for a fine-tuning, which begins with a low loss.
    """
    trained = _behind_warm_up(readings)
    if len(trained) < 8 or readings.vocabulary < 2 or trained[-1].step - readings.training.warmup_steps < 200:
        return None
    usual, rate, loss = usual_rate(readings), peak_rate(readings), _mean(trained[-4:])
    if usual / span(readings) <= rate <= usual * span(readings) or loss < 0.5 * math.log(readings.vocabulary):
        return None
    high = rate > usual
    return Finding(
        f"learning rate too {'high' if high else 'low'}",
        f"learning goes {'badly' if high else 'slowly'}: the loss is {loss:.2f} after {trained[-1].step:,} steps, at a "
        f"learning rate of {rate:.2g}",
        f"try {usual:g}, which is usual for a model of this size",
        "warning",
        {"learning_rate": usual},
    )


def not_learning(readings: Readings, _: Surroundings) -> Finding | None:
    """A loss that stays near that of a model that knows nothing, or only how frequent each token is. The figures do not
    say why: the rate is looked at before.
    """
    trained = _behind_warm_up(readings)
    if len(trained) < 8 or _latest_step(readings) < 200 or readings.vocabulary < 2:
        return None
    half = trained[len(trained) // 2 :]
    before, now = _mean(half[: len(half) // 2]), _mean(half[len(half) // 2 :])
    if now < 0.6 * math.log(readings.vocabulary) or before - now > 0.01 * now:
        return None
    return Finding(
        "not learning",
        f"nothing was learned since step {half[0].step:,}: the loss stays at {now:.2f}, and a model that knows nothing "
        f"has {math.log(readings.vocabulary):.2f}",
        severity="warning",
    )


def spikes(readings: Readings, _: Surroundings) -> Finding | None:
    """Single losses far above those around them, again and again, at a rate that has not yet fallen: each is an update
    that went too far. One or two come with the text, and are no sign of anything.
    """
    trained = _behind_warm_up(readings)
    recent = trained[len(trained) // 2 :]
    if len(recent) < 20 or readings.state in ENDED_STATES:
        return None
    if recent[-1].learning_rate < 0.5 * peak_rate(readings):
        return None
    calm = [_median(recent[max(0, i - 5) : i + 6]) for i in range(len(recent))]
    usual = statistics.median(abs(one.loss - level) for one, level in zip(recent, calm, strict=True))
    high = [one.step for one, level in zip(recent, calm, strict=True) if one.highest - level > max(0.4, 10 * usual)]
    if len(high) < 4:
        return None
    rate = lower_rate(readings, 2)
    return Finding(
        "spikes",
        f"the loss jumped up {len(high)} times since step {recent[0].step:,}, the last time at step {high[-1]:,}: the "
        "learning rate is rather high",
        f"try {rate:g}, or gradient clipping at 1",
        "warning",
        {"learning_rate": rate},
    )


# ---------------------------------------------------------------------- what it has learned

_RISE = 0.02  # nats, and this share of the best loss: less is the difference between two seeds
_PATIENCE = 3  # evaluations without a better one


def by_heart(readings: Readings, _: Surroundings) -> Finding | None:
    """The loss on held-out text rises while that on the training text falls: what is learned now is that text alone."""
    best, since = readings.best, _since_best(readings)
    if best is None or len(since) < _PATIENCE:
        return None
    rise = since[-1].validation_loss - best.validation_loss
    if rise < _RISE * max(1.0, best.validation_loss):
        return None
    then, now = _training_loss_at(readings, best.step), _training_loss_at(readings, since[-1].step)
    if then is None or now is None or now > then - _RISE:
        return None
    text = f"learning by heart since step {best.step:,}: validation loss +{rise:.2f}, training loss -{then - now:.2f}"
    kept = "the best state is kept" if best.best else ""
    dropout = _more_dropout(readings)
    tried = "" if dropout is None else f"more text, or a dropout of {dropout:g}, would help a next run"
    return Finding(
        "learning by heart",
        text,
        "; ".join(filter(None, (kept, tried))),
        "warning",
        {} if dropout is None else {"residual_dropout": dropout},
    )


def near_floor(readings: Readings, _: Surroundings) -> Finding | None:
    """Where the text was made by a program, its own loss is known, and no model can do better."""
    floor = readings.started.entropy_floor if readings.started else None
    best = readings.best
    if floor is None or best is None or best.validation_loss - floor > 0.1 * max(floor, 0.1):
        return None
    return Finding(
        "near the floor",
        f"the loss is {best.validation_loss - floor:.2f} above the lowest that this text allows: little is left to "
        "learn",
        severity="good",
    )


def warming_up(readings: Readings, _: Surroundings) -> Finding | None:
    """What a curve looks like while the rate rises says little of what follows."""
    if readings.latest is None or readings.state != "running":
        return None
    if readings.latest.step >= readings.training.warmup_steps:
        return None
    return Finding("warming up", f"the learning rate still rises, until step {readings.training.warmup_steps:,}")


def trend(readings: Readings, _: Surroundings) -> Finding | None:
    """How much the validation loss fell over the last quarter of the steps. A twentieth of a loss is much, two
    thousandths less than what the order of the text alone makes.
    """
    steps, latest = _latest_step(readings), readings.evaluations[-1] if readings.evaluations else None
    earlier = [one for one in readings.evaluations if latest is not None and one.step <= 0.75 * latest.step]
    seldom = latest is None or latest.step < 0.6 * steps or len(readings.evaluations) < 4
    if latest is None or seldom or not earlier or latest.step - earlier[-1].step > 0.6 * latest.step:
        return _trend_of_training(readings)
    fall = earlier[-1].validation_loss - latest.validation_loss
    share = fall / max(earlier[-1].validation_loss, 1e-9)
    words = f"{fall:.2f} since step {earlier[-1].step:,}"
    if readings.state in ENDED_STATES:
        return _ended(readings, share, words)
    if share > 0.05:
        return Finding("falling fast", f"still falling fast: {words}", severity="good")
    if share > 0.008:
        return Finding("falling", f"still falling: {words}", _what_the_schedule_does(readings), severity="good")
    if abs(share) < 0.004 and _scatter(readings.evaluations, earlier[-1].step) < 0.006 * latest.validation_loss:
        return Finding("flattening", f"flat: the loss is {latest.validation_loss:.2f} since step {earlier[-1].step:,}",
                       _what_the_schedule_does(readings) or "a lower learning rate, or the end")  # fmt: skip
    return None


def _trend_of_training(readings: Readings) -> Finding | None:
    """The same from the training loss, which is rougher: only what nobody can mistake."""
    trained = readings.stretches
    if readings.state != "running" or len(trained) < 24:
        return None
    eighth, middle = len(trained) // 8, len(trained) // 2
    now, before = trained[-eighth:], trained[middle - eighth : middle]
    fall = _mean(before) - _mean(now)
    knows_nothing = readings.vocabulary > 1 and _mean(now) > math.log(readings.vocabulary)
    if fall < 0.06 * _mean(before) or knows_nothing:
        return None
    return Finding(
        "falling fast",
        f"still falling fast, the training loss by {fall:.2f} since step {before[-1].step:,}",
        severity="good",
    )


def _ended(readings: Readings, share: float, words: str) -> Finding | None:
    if readings.state != "finished" or share <= 0.03:
        return None
    return Finding("ended early", f"it was still falling at the end: {words}", "more steps would bring more", "good")


def slower(readings: Readings, _: Surroundings) -> Finding | None:
    """The middle of the speeds of the last readings beside that of the first, without those of a warm start."""
    trained = readings.stretches
    if len(trained) < 40 or readings.state != "running" or trained[-1].seconds < 10:
        return None
    first = statistics.median(one.tokens_per_second for one in trained[5:20])
    now = statistics.median(one.tokens_per_second for one in trained[-10:])
    if now > 0.6 * first:
        return None
    return Finding(
        "slower",
        f"training is {first / now:.1f} times slower than at the start, {_count(now)} tokens a second instead of "
        f"{_count(first)}",
        "other programs may take the cores, or the machine may be hot",
        "warning",
    )


RULES: tuple[Rule, ...] = (
    diverged, disk_nearly_full, stalled, recovered, spikes, rate_is_unusual, not_learning, by_heart, slower, near_floor,
    warming_up, trend,
)  # fmt: skip


# ---------------------------------------------------------------------- figures of the readings


def _latest_step(readings: Readings) -> int:
    return readings.latest.step if readings.latest else 0


def _behind_warm_up(readings: Readings) -> list[Stretch]:
    """The stretches in which the rate no longer rises, without the first tenth, in which every loss falls."""
    start = max(readings.training.warmup_steps, _latest_step(readings) // 10)
    return [one for one in readings.stretches if one.step > start]


def _mean(stretches: list[Stretch]) -> float:
    return statistics.fmean(one.loss for one in stretches)


def _median(stretches: list[Stretch]) -> float:
    return statistics.median(one.loss for one in stretches)


def _since_best(readings: Readings) -> list[Evaluation]:
    best = readings.best
    return [one for one in readings.evaluations if best is not None and one.step > best.step]


def _training_loss_at(readings: Readings, step: int) -> float | None:
    """The mean training loss of some readings around a step."""
    near = sorted(readings.stretches, key=lambda one: abs(one.step - step))[:7]
    return _mean(near) if near else None


def _scatter(evaluations: list[Evaluation], start: int) -> float:
    """How far the validation losses from `start` on lie apart."""
    losses = [one.validation_loss for one in evaluations if one.step >= start]
    return max(losses) - min(losses)


def _more_dropout(readings: Readings) -> float | None:
    """The next usual value of dropout; None where there is much already."""
    now = max(readings.model.residual_dropout, readings.model.attention_dropout)
    return next((value for value in (0.1, 0.2, 0.3) if value > now), None)


def _what_the_schedule_does(readings: Readings) -> str:
    """What the learning rate will do, where that is known to lower the loss."""
    config, latest = readings.training, readings.latest
    if latest is None or latest.total_steps is None or config.schedule != "linear":
        return ""
    begins = round(latest.total_steps * (1 - config.decay_fraction))
    if _decays(config) and latest.step < begins:
        return f"the learning rate begins to fall at step {begins:,}, which brings the loss down further"
    return ""


def _decays(config: TrainingConfig) -> bool:
    return config.decay_fraction > 0 and config.final_learning_rate_fraction < 1


# ---------------------------------------------------------------------- words


def _count(number: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.0f}"


def _bytes(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
