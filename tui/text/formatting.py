"""Numbers for people: 0.38M, 47k tok/s, 1 m 20 s, 310 MB, 2.0e-2."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...models.recipe import Budget

UNKNOWN = "–"

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def compact(number: float | None) -> str:
    """Three figures at most and a letter: 812, 1.2k, 47k, 1.5M."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        # what rounds up to the size belongs to it: 999,600 is 1M, not 1000k
        if abs(number) >= size * 0.9995:
            return f"{_figures(number / size)}{letter}" if abs(number) < 1e15 else f"{number:.0e}"
    return f"{number:.0f}"


def parameters(number: int | None) -> str:
    """A model's size, in millions from a hundred thousand on: 38k, 0.38M, 10.7M, 124M, 1.5B."""
    if number is not None and 1e5 <= number < 999_500:
        return f"{number / 1e6:.2f}M"
    if number is not None and 9.995e6 <= number < 99.95e6:
        return f"{number / 1e6:.1f}M"
    return compact(number)


def whole(number: int | None) -> str:
    """All digits, in groups: 12,000."""
    return UNKNOWN if number is None else f"{number:,}"


def rate(tokens_per_second: float | None) -> str:
    """47k tok/s."""
    return UNKNOWN if tokens_per_second is None else f"{compact(tokens_per_second)} tok/s"


def duration(seconds: float | None) -> str:
    """The two greatest units: 4 s, 1 m 20 s, 2 h 05 m, 3 d 04 h."""
    if seconds is None or not abs(seconds) < 1e12:
        return UNKNOWN
    whole_seconds = max(0, round(seconds))
    minutes, rest = divmod(whole_seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} m"
    if minutes:
        return f"{minutes} m {rest:02} s"
    return f"{rest} s"


def memory(n_bytes: int | None) -> str:
    """Decimal units, as disks and most monitors count: 310 MB, 1.2 GB."""
    if n_bytes is None:
        return UNKNOWN
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= size * 0.9995:
            return f"{_figures(n_bytes / size) if size > 1e6 else f'{n_bytes / size:.0f}'} {unit}"
    return f"{n_bytes} B"


def flops(per_token: int) -> str:
    """Floating-point operations: 850 kFLOP, 1.9 MFLOP, 250 MFLOP, 1.2 TFLOP."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if per_token >= size * 0.9995:
            return f"{_figures(per_token / size)} {letter}FLOP"
    return f"{per_token} FLOP"


def dtype(name: str) -> str:
    """The short name of a number format: fp32, bf16."""
    return {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}.get(name, one_line(name))


def budget(budget: Budget) -> str:
    """A budget in few characters: 5,000 steps, 2.5B tokens, 1 epoch."""
    if budget.unit == "tokens":
        return f"{compact(budget.amount)} tokens"
    return str(budget).removesuffix("s") if budget.amount == 1 else str(budget)


def loss(nats: float | None) -> str:
    """Two decimals, three below 0.1: 1.64, 0.042."""
    if nats is None:
        return UNKNOWN
    if math.isnan(nats):
        return "NaN"
    if math.isinf(nats):
        return "∞" if nats > 0 else "-∞"
    if abs(nats) >= 100:
        return compact(nats)
    return f"{nats:.3f}" if 0 < abs(nats) < 0.0995 else f"{nats:.2f}"


def learning_rate(value: float | None) -> str:
    """2.0e-2."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


def percent(fraction: float | None) -> str:
    """21%; 100% only when nothing is missing."""
    if fraction is None or math.isnan(fraction):
        return UNKNOWN
    return f"{min(99, int(max(0.0, fraction) * 100)) if fraction < 1 else 100}%"


def one_line(text: str) -> str:
    """Untrusted text as one line for the screen: line breaks become spaces, control characters �."""
    return _UNPRINTABLE.sub("�", " ".join(text.split()))


def _figures(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 9.95 else f"{number:.1f}".removesuffix(".0")
