"""What a run will come to, in words: all of it in lines with labels, and in short."""

from __future__ import annotations

from ...engine.run_estimate import Fit, MemoryNeed, RunEstimate
from . import formatting

FIT_COLOURS: dict[Fit | None, str] = {None: "", "safe": "", "tight": "$text-warning", "too much": "$text-error"}
_FITS: dict[Fit | None, str] = {
    None: "", "safe": ": safe", "tight": ": tight, the batch may be cut into parts", "too much": ": too much",
}  # fmt: skip


def parameters(estimate: RunEstimate) -> str:
    """All digits."""
    return f"{'at most ' if estimate.at_most else ''}{estimate.parameters:,}"


def memory(need: MemoryNeed) -> str:
    """420 MB of 25 GB: safe."""
    there = f" of {formatting.memory(need.there)}" if need.there else " while it trains"
    return f"{formatting.memory(need.needed)}{there}{_FITS[need.fit]}"


def budget(estimate: RunEstimate) -> str:
    """1.2M tokens, 1.4 epochs."""
    if estimate.tokens is None:
        return formatting.UNKNOWN
    epochs = estimate.epochs
    passes = "" if epochs is None else f", {'about ' if estimate.about_epochs else ''}{_few(epochs)} epochs"
    return f"{formatting.compact(estimate.tokens)} tokens{passes}"


def time(estimate: RunEstimate, key: str) -> str:
    """How long the training takes here, and from what that is known; `key` measures it."""
    pace, seconds = estimate.pace, estimate.seconds
    if pace is None:
        known = f"{formatting.duration(seconds)}; " if seconds is not None else ""
        return f"{known}not measured, {key} does"
    rate = formatting.rate(pace.tokens_per_second)
    if seconds is None:
        return f"{rate} here"
    if pace.measured_with:
        return f"about {formatting.duration(seconds)} here, by the pace of {pace.measured_with}; {key} measures"
    return f"{'at most ' if pace.is_lower_bound else ''}{formatting.duration(seconds)} here, at {rate}, measured"


def loss(estimate: RunEstimate) -> str:
    """The loss to expect, where it was measured; empty where it was not."""
    floor = f"never below {formatting.loss(estimate.floor)}" if estimate.floor is not None else ""
    end = f"about {formatting.loss(estimate.loss.loss)}, as measured" if estimate.loss else ""
    return ", ".join(filter(None, (end, floor)))


def brief(estimate: RunEstimate) -> str:
    """All of it in one line or two."""
    need = estimate.memory
    there = f" of {formatting.memory(need.there)}" if need.there else ""
    parts = [
        f"{'at most ' if estimate.at_most else ''}{formatting.parameters(estimate.parameters)} parameters",
        budget(estimate),
        f"{formatting.memory(need.needed)}{there}" + (f" {need.fit}" if need.fit else ""),
    ]
    if estimate.seconds is not None:
        parts.append(f"{'about ' if estimate.pace and estimate.pace.measured_with else ''}"
                     f"{formatting.duration(estimate.seconds)} here")  # fmt: skip
    if estimate.loss is not None:
        parts.append(f"loss about {formatting.loss(estimate.loss.loss)}")
    return " · ".join(parts)


def _few(number: float) -> str:
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.2g}"
