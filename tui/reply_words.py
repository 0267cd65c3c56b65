"""What is said of replies: the heading above one of several, and the line below each."""

from __future__ import annotations

from ..engine.requests import Ended
from ..engine.sessions.tree import Node
from .text import formatting


def heading_of(number: int, count: int) -> str:
    """What stands above one of several replies, counted from 0."""
    return f"sample {number + 1} of {count}" if count > 1 else ""


def status_line(ended: Ended, *, several: bool = False) -> str:
    """The line below a reply: its tokens, their rate, the step of the weights, notices; of several, each one's seed."""
    seed = ended.seed if several else None
    return _status_line(ended.tokens, ended.tokens_per_second, ended.step, seed, ended.reason, ended.notices)


def status_line_of(node: Node, *, several: bool = False) -> str:
    """The same line below a reply of a session that was opened again."""
    if node.reason == "failed":
        return " · ".join(node.notices)
    step, seed = (node.origin.step, node.origin.seed) if node.origin else (0, 0)
    return _status_line(
        node.tokens, node.tokens_per_second, step, seed if several else None, node.reason, node.notices
    )  # fmt: skip


def _status_line(
    tokens: int, tokens_per_second: float, step: int, seed: int | None, reason: str, notices: tuple[str, ...]
) -> str:
    parts = [f"{tokens} tokens", f"{formatting.compact(tokens_per_second)}/s"] if tokens else []
    if step:  # a model from elsewhere does not say how long it was trained
        parts.append(f"step {step}")
    if seed is not None:
        parts.append(f"seed {seed}")
    if reason == "cancelled":
        parts.append("stopped")
    return " · ".join([*parts, *notices])
