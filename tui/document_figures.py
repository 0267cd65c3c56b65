"""The figures of what a model wrote in a document: on the line below the text, and in the list of siblings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..engine.sessions.session_text import SessionText
from ..engine.sessions.tree import Node, Source
from .placed_tokens import loss_of
from .text import formatting
from .widgets.siblings_panel import Sibling


def status(source: Source, losses: Sequence[float], quotes: str = "", width: int = 0) -> str:
    """The figures of a continuation: tokens, speed, mean loss and perplexity, its quotes, and how it ended.

    Where all of it is wider than `width` and there are quotes, what says little else is left out, so that they stay.
    """
    tokens, *others = figures(len(losses), sum(losses)) if losses else [f"{source.tokens:,} tokens"]
    speed = [f"{formatting.compact(source.tokens_per_second)}/s"] if source.tokens_per_second else []
    step = [f"step {source.origin.step:,}"] if source.origin and source.origin.step else []
    stopped = ["stopped"] if source.reason == "cancelled" else []
    parts = [tokens, *speed, *others, *([quotes] if quotes else []), *step, *stopped, *source.notices]
    for part in (*source.notices, *step, *others[1:], *speed, *others[:1]):
        if quotes and len(" · ".join(parts)) > width:
            parts.remove(part)
    return " · ".join(parts)


def figures(tokens: int, loss: float) -> list[str]:
    """So many tokens with this sum of losses: how many, their mean loss and their perplexity."""
    if not tokens:
        return ["0 tokens"]
    mean = loss / tokens
    perplexity = formatting.compact(math.exp(mean)) if mean > 5 else f"{math.exp(mean):.1f}"
    return [f"{tokens:,} tokens", f"loss {formatting.loss(mean)}", f"perplexity {perplexity}"]


def sibling(text: SessionText, node: Node, several_steps: bool) -> Sibling:
    """A row of the list of siblings, with the step where that differs among them."""
    losses = [loss_of(record) for record in text.records(node) if record.known]
    by = f"step {node.origin.step:,}" if several_steps and node.origin else ""
    return Sibling(node.id, node.begin(120), sum(losses) / len(losses) if losses else None, by)
