"""How likely a model finds a text, in the three units that people compare."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TextLoss:
    """The mean negative log-likelihood of the tokens of a text."""

    loss: float  # nats per token
    tokens: int  # predictions that the mean is over
    bytes_per_token: float  # of the text in UTF-8

    @property
    def perplexity(self) -> float:
        """exp(loss), infinite where that is too large for a float."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    @property
    def bits_per_byte(self) -> float:
        """The only fair figure between tokenizers; a token that is not predicted counts as the mean of the others."""
        return self.loss / math.log(2) / self.bytes_per_token
