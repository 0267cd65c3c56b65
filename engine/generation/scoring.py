"""The loss of a given text: each token predicted from those before it, nothing is generated.

The rule is the `sliding` one of the evaluations: windows of the context length, a quarter of it apart, the last one at
the end of the text; each token is predicted once, with at least three quarters of the context before it, or all that
there is. The probabilities are over all rows of the output layer, also where it has more than the tokenizer has tokens:
the model was trained so, and transformers counts so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ...data.dataset import sliding_window_starts
from ...models.cache import KVCache
from ..requests import TokenDetail
from ..text_loss import TextLoss
from .decoder import Decoder
from .scored_text import ScoredText
from .token_details import ALTERNATIVES, details_of, token_figures

_TOKENS_PER_PASS = 4096
_LOGITS_PER_PASS = 2**25  # an eighth of a gigabyte


class TextScorer:
    """Iterate over it for the fraction done and the details of what was scored; afterwards it holds the loss.

    With `explain`, the details of each token have `alternatives` of its place.
    """

    def __init__(
        self,
        decoder: Decoder,
        text: ScoredText,
        explain: bool = False,
        alternatives: int = ALTERNATIVES,
        tokens_per_pass: int = _TOKENS_PER_PASS,
        logits_per_pass: int = _LOGITS_PER_PASS,
    ) -> None:
        self._decoder, self._text, self._explain, self._alternatives = decoder, text, explain, alternatives
        self._tokens_per_pass, self._logits_per_pass = tokens_per_pass, logits_per_pass
        self._total = 0.0
        self._explained = 0  # tokens so far

    @property
    def result(self) -> TextLoss:
        """The loss of what is scored, once it was iterated over."""
        tokens = len(self._text.ids) - self._text.first
        return TextLoss(self._total / tokens, tokens, self._text.bytes_per_token)

    @torch.inference_mode()
    def __iter__(self) -> Iterator[tuple[float, list[TokenDetail]]]:
        """A pass of the model at a time, in the order of the text. Raises UserError as `Decoder.tokens` does."""
        decoder, first_scored, last = self._decoder, self._text.first, len(self._text.ids) - 1
        decoder.check_ids(self._text.ids)
        ids, length = torch.tensor(self._text.ids, device=decoder.device), min(decoder.context_length, last)
        starts, scored = sliding_window_starts(len(ids), length)
        needed = starts + length >= first_scored
        starts = starts[needed].to(decoder.device)
        scored = scored[needed].clamp(min=first_scored - 1).to(decoder.device)
        n_tokens = min(self._tokens_per_pass, self._logits_per_pass // decoder.model.config.vocab_size)
        n_rows, n_positions = max(1, n_tokens // length), min(length, max(1, n_tokens))
        for i in range(0, len(starts), n_rows):
            some, done = starts[i : i + n_rows, None], scored[i : i + n_rows, None]
            cache = KVCache(decoder.model.config, len(some), length, decoder.device, decoder.model.compute_dtype)
            for first in range(0, length, n_positions):
                places = some + torch.arange(first, min(first + n_positions, length), device=decoder.device)
                logits = decoder.model(ids[places], cache)[places >= done]
                targets = ids[places[places >= done] + 1]
                loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
                decoder.check_finite(loss)
                self._total += loss
                details = self._details(targets, logits) if self._explain else []
                yield min(1.0, (i + (first + n_positions) / length * len(some)) / len(starts)), details

    def _details(self, tokens: Tensor, logits: Tensor) -> list[TokenDetail]:
        """The details of the next tokens [N] of the text, given `logits` [N, V]."""
        tokenizer = self._decoder.tokenizer
        figures = token_figures(tokens, logits, alternatives=self._alternatives, known=tokenizer.vocab_size)
        details = details_of(tokens.tolist(), figures.tolist(), tokenizer)
        lengths = self._text.lengths[self._explained : self._explained + len(details)]
        self._explained += len(details)
        return [replace(detail, characters=length) for detail, length in zip(details, lengths, strict=True)]
