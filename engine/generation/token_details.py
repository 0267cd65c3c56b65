"""What is said of a token: probability before and after the filters, rank, entropy, and the likeliest alternatives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...data.tokenizers import Tokenizer
from ..requests import Alternative, TokenDetail

ALTERNATIVES = 10


_FIGURES = 4  # probability before and after the filters, rank, entropy


def figures_width(alternatives: int, vocab_size: int) -> int:
    """How many figures a token has with so many alternatives."""
    return _FIGURES + 3 * min(alternatives, vocab_size)


def token_figures(
    tokens: Tensor,
    logits: Tensor,
    drawn_from: Tensor | None = None,
    alternatives: int = ALTERNATIVES,
    known: int | None = None,
) -> Tensor:
    """The figures [N, figures_width] of `tokens` [N], of which `logits` [N, V] are the model's, float32.

    `drawn_from` [N, V] is what the penalties, the temperature and the filters left of them, where they were drawn.
    Rows beyond the `known` tokens of a vocabulary are no alternatives. Device work alone: a CUDA graph can record it.
    """
    known = min(known or logits.shape[-1], logits.shape[-1])
    n = min(alternatives, known)
    log_probabilities, column = logits.log_softmax(-1), tokens[:, None]
    probabilities = log_probabilities.exp()
    drawn = probabilities if drawn_from is None else drawn_from.softmax(-1)
    best = probabilities[:, :known].topk(n)
    columns = (
        probabilities.gather(1, column),
        drawn.gather(1, column),
        (logits > logits.gather(1, column)).sum(-1, keepdim=True, dtype=logits.dtype) + 1,
        -(probabilities * log_probabilities).nansum(-1, keepdim=True),
        best.values,
        drawn.gather(1, best.indices),
        best.indices.to(logits.dtype),  # float32 holds every id: they end below 2**24
    )
    return torch.cat(columns, 1)


def details_of(tokens: Sequence[int], figures: Sequence[Sequence[float]], tokenizer: Tokenizer) -> list[TokenDetail]:
    """One entry for each of `tokens`, whose figures these are; none has characters yet."""
    details: list[TokenDetail] = []
    for token, row in zip(tokens, figures, strict=True):
        probability, drawn_probability, rank, entropy = row[:_FIGURES]
        n = (len(row) - _FIGURES) // 3
        before, after, others = (row[_FIGURES + i * n : _FIGURES + (i + 1) * n] for i in range(3))
        alternatives = tuple(
            Alternative(int(other), token_text(int(other), tokenizer), *both)
            for other, *both in zip(others, before, after, strict=True)
        )
        text = token_text(token, tokenizer)
        details.append(TokenDetail(token, text, probability, drawn_probability, int(rank), entropy, alternatives))
    return details


def token_text(token: int, tokenizer: Tokenizer) -> str:
    """A token by itself: bytes that are no whole character are named, and so is a token that stands for no text."""
    content = tokenizer.token_bytes(token)
    if not content:
        return next((name for name, number in tokenizer.special_tokens.items() if number == token), "")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "".join(f"<{byte:02X}>" for byte in content)
