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
from ..requests import RequestError, TokenDetail
from ..text_loss import TextLoss
from .decoder import Decoder
from .detokenizer import Detokenizer
from .reply import COMPOSED, quoted
from .token_details import ALTERNATIVES, explain_tokens

_TOKENS_PER_PASS = 4096
_LOGITS_PER_PASS = 2**25  # an eighth of a gigabyte


class TextScorer:
    """Iterate over it for the fraction done and the details of what was scored; afterwards it holds the loss.

    Raises UnknownCharacterError where the tokenizer refuses the text, RequestError where it has too few tokens.
    """

    def __init__(
        self,
        decoder: Decoder,
        text: str,
        explain: bool = False,
        literal: bool = False,
        alternatives: int = ALTERNATIVES,
        tokens_per_pass: int = _TOKENS_PER_PASS,
        logits_per_pass: int = _LOGITS_PER_PASS,
    ) -> None:
        tokenizer = decoder.tokenizer
        composed = tokenizer.composed(text)
        known, left_out = tokenizer.filter_unknown(composed)
        self.notices = (COMPOSED.format("text"),) if composed != text else ()
        if left_out:
            self.notices += (f"the model has never seen {quoted(left_out)}; left out of the text",)
        ids = tokenizer.encode(known, literal or decoder.literal).tolist()
        self._decoder, self._explain, self._alternatives = decoder, explain, alternatives
        self._tokens_per_pass, self._logits_per_pass = tokens_per_pass, logits_per_pass
        self._ids = [*tokenizer.begin, *ids]
        self._unpredicted = max(1, len(tokenizer.begin))  # at the beginning, where nothing stands before
        if len(self._ids) <= self._unpredicted:
            raise RequestError("a text of at least two tokens is needed: the first one has nothing before it")
        self._bytes_per_token = len(known.encode()) / len(ids)
        self._total = 0.0
        self._detokenizer = Detokenizer()
        self._detokenizer.resume(map(tokenizer.token_bytes, self._ids[: self._unpredicted]))

    @property
    def result(self) -> TextLoss:
        """The loss of the whole text, once it was iterated over."""
        tokens = len(self._ids) - self._unpredicted
        return TextLoss(self._total / tokens, tokens, self._bytes_per_token)

    @torch.inference_mode()
    def __iter__(self) -> Iterator[tuple[float, list[TokenDetail]]]:
        """A pass of the model at a time, in the order of the text. Raises UserError as `Decoder.tokens` does."""
        decoder, last = self._decoder, len(self._ids) - 1
        decoder.check_ids(self._ids)
        ids, length = torch.tensor(self._ids, device=decoder.device), min(decoder.context_length, last)
        starts, scored = (tensor.to(decoder.device) for tensor in sliding_window_starts(len(ids), length))
        scored[0] = self._unpredicted - 1
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
        tokenizer, details = self._decoder.tokenizer, []
        for detail in explain_tokens(tokens, logits, tokenizer, alternatives=self._alternatives):
            self._detokenizer.feed(tokenizer.token_bytes(detail.token))
            details.append(replace(detail, characters=self._detokenizer.characters))
        return details
