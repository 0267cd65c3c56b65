"""Named sets of sampling settings: those that are built in, and the person's own from settings.toml.

A set says how the model's distribution is shaped. Length, seed, stop texts and forbidden texts belong to what is
written, not to a set.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..engine.requests import SamplingSettings

LONGEST_NAME = 24  # characters

BUILT_IN: dict[str, SamplingSettings] = {
    "neutral": SamplingSettings(temperature=1.0),  # the model's own distribution
    "balanced": SamplingSettings(temperature=0.8),
    "precise": SamplingSettings(temperature=0.5, top_p=0.9),
    "greedy": SamplingSettings(temperature=0.0),
    "wild": SamplingSettings(temperature=1.3, min_p=0.02),
}


def applied(chosen: SamplingSettings, settings: SamplingSettings) -> SamplingSettings:
    """`settings` with the shape of the set `chosen`."""
    return settings.shaped_as(chosen)


def name_of(settings: SamplingSettings, own: Mapping[str, SamplingSettings]) -> str | None:
    """The first set of this shape; None where there is none."""
    sets = BUILT_IN | dict(own)
    return next((name for name, one in sets.items() if applied(one, settings) == settings), None)


def check_name(name: str) -> None:
    """Raise ValueError with one sentence for a name that a set of the person's own cannot have."""
    if not name.strip() or not name.isprintable() or name != name.strip():
        raise ValueError("the name of a set is a word or a few, on one line")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"the name of a set has at most {LONGEST_NAME} characters, not {len(name)}")
    if name in BUILT_IN:
        raise ValueError(f"the set '{name}' is built in; give yours another name")
