"""Tokens that a model has no row for: a tokenizer can have had tokens added of which the model knows nothing."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ...data.storage.errors import UserError
from ...data.tokenizers import Tokenizer
from .token_details import token_text

_CHUNK = 1 << 22  # tokens that are converted to int32 at once: torch has no maximum of uint16


def check_token(token: int, tokenizer: Tokenizer, rows: int) -> None:
    """Raise UserError where the model, which has so many rows, has none for the largest token of a text."""
    if token >= rows:
        raise UserError(
            f"the text has the token {token_text(token, tokenizer)!r} (id {token}), but the model has {rows:,} rows: "
            "that token was added to the tokenizer alone, or the tokenizer is another model's; leave it out of the "
            "text, or put the model's own tokenizer beside it"
        )


def check_tokens(tokens: Iterable[Tensor], tokenizer: Tokenizer, rows: int) -> None:
    """The same for the tokens [N] of texts, which are looked at only where the tokenizer has more than `rows`."""
    if tokenizer.vocab_size > rows:
        chunks = (chunk for text in tokens for chunk in text.split(_CHUNK) if len(chunk))
        check_token(max((int(chunk.to(torch.int32).max()) for chunk in chunks), default=0), tokenizer, rows)
