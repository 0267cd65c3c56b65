"""Which learning rates are usual for a model of some size, and how a run's rate lies to them."""

from __future__ import annotations

import math

from ...models.config import parameter_count
from .readings import Readings

_MUON_RATE = 0.02  # of the hidden matrices; Muon's updates have one size whatever the model's, so one rate fits
_MUON_SPAN, _ADAMW_SPAN = 5.0, 8.0  # models of one size are trained well at rates that lie so far apart


def usual_rate(readings: Readings) -> float:
    """The peak rate that is usual for a model of this size.

    For AdamW the fit of Kaplan et al., https://arxiv.org/abs/2001.08361, appendix D.6, in parameters.
    """
    if readings.training.optimizer == "muon":
        return _MUON_RATE
    parameters = readings.started.parameters if readings.started else parameter_count(readings.model)
    rate = 0.003239 - 0.0001395 * math.log(max(parameters, 1000))
    return float(f"{max(rate, 1e-4):.1g}")


def lower_rate(readings: Readings, times: float) -> float:
    """The recipe's rate divided by `times`; the usual one where it lies far above that."""
    rate, usual = readings.training.learning_rate, usual_rate(readings)
    return usual if rate > usual * span(readings) else float(f"{rate / times:.2g}")


def span(readings: Readings) -> float:
    """By which factor a rate must differ from the usual one before a rule names it."""
    return _MUON_SPAN if readings.training.optimizer == "muon" else _ADAMW_SPAN


def peak_rate(readings: Readings) -> float:
    """The highest rate so far, behind the warm-up."""
    return max((one.learning_rate for one in readings.stretches), default=readings.training.learning_rate)
