"""What is said of a token: probability before and after the filters, rank, entropy, and the likeliest alternatives."""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.tokenizers import Tokenizer
from ..requests import Alternative, TokenDetail

ALTERNATIVES = 10


@torch.inference_mode()
def explain_tokens(
    tokens: Tensor,
    logits: Tensor,
    tokenizer: Tokenizer,
    drawn_from: Tensor | None = None,
    alternatives: int = ALTERNATIVES,
) -> list[TokenDetail]:
    """One entry for each of `tokens` [N], of which `logits` [N, V] are the model's, and `drawn_from` [N, V] what the
    penalties, the temperature and the filters left of them, where they were drawn. Each has the likeliest
    `alternatives` of its place, and no characters yet. Waits for the device once.
    """
    known = min(tokenizer.vocab_size, logits.shape[-1])  # rows beyond the tokenizer's vocabulary are no alternatives
    n = min(alternatives, known)
    log_probabilities, column = logits.log_softmax(-1), tokens[:, None]
    probabilities = log_probabilities.exp()
    drawn = probabilities if drawn_from is None else drawn_from.softmax(-1)
    best = probabilities[:, :known].topk(n)
    columns = (
        probabilities.gather(1, column),
        drawn.gather(1, column),
        (logits > logits.gather(1, column)).sum(-1, keepdim=True) + 1,
        -(probabilities * log_probabilities).nansum(-1, keepdim=True),
        best.values,
        drawn.gather(1, best.indices),
        best.indices,
    )
    details: list[TokenDetail] = []
    for token, row in zip(tokens.tolist(), torch.cat([part.double() for part in columns], 1).tolist(), strict=True):
        probability, drawn_probability, rank, entropy = row[:4]
        others = tuple(
            Alternative(int(other), token_text(int(other), tokenizer), before, after)
            for before, after, other in zip(row[4 : 4 + n], row[4 + n : 4 + 2 * n], row[4 + 2 * n :], strict=True)
        )
        text = token_text(token, tokenizer)
        details.append(TokenDetail(token, text, probability, drawn_probability, int(rank), entropy, others))
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
