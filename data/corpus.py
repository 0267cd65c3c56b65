"""The text that a model learns from, whatever it comes from."""

from __future__ import annotations

from .catalog import CorpusError


def split_position(n_characters: int, validation_fraction: float) -> int:
    """Where the validation text begins: the first characters train, the last `validation_fraction` validate."""
    return int(n_characters * (1 - validation_fraction))


def check_length(n_train: int, n_validation: int, context_length: int) -> None:
    """Raise CorpusError where a part of the text has fewer than context_length + 1 tokens.

    One token more than the context, because each position of a window has a next token to predict.
    """
    largest = min(n_train, n_validation) - 1
    if largest >= context_length:
        return
    remedy = (
        f"choose a context length of at most {largest:,} or a longer text" if largest > 0 else "choose a longer text"
    )
    raise CorpusError(
        f"the text has {n_train:,} tokens to train on and {n_validation:,} to validate on, but a context length of "
        f"{context_length:,} needs at least {context_length + 1:,} of each; {remedy}"
    )
