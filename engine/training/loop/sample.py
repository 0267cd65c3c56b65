"""What the model writes while it trains: a short sample, with a decoder of its own."""

from __future__ import annotations

import torch

from ....data.storage.errors import UserError
from ....data.tokenizers import Tokenizer, UnknownCharacterError
from ....models.cache import KVCache
from ....models.devices import varying_lengths
from ....models.gpt import GPT
from ...generation.sampling import Sampler, first_token
from ...requests import SamplingSettings

LENGTH = 200  # tokens


class SampleWriter:
    """Continues `prompt` at `temperature`, greedily at 0; characters that have no token are left out of the prompt.

    With `literal` the names of special tokens in it are text. Raises UserError where the tokenizer refuses a character
    of the prompt.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: str = "", temperature: float = 0.8, literal: bool = False) -> None:
        self._tokenizer, self._temperature, self._literal = tokenizer, temperature, literal
        try:
            self.prompt, _ = tokenizer.filter_unknown(prompt)
        except UnknownCharacterError as error:
            raise UserError(f"the sample prompt cannot be used: {error}") from error

    @varying_lengths()
    @torch.no_grad()  # not inference mode: a sharded model keeps the parameters that it gathers here
    def write(self, model: GPT, seed: int, length: int = LENGTH) -> str:
        """A continuation of up to `length` tokens, or to an end token; the model keeps its mode.

        The generate process's decoder is no use here: it packs the weights for speed, and these are being trained.
        """
        config, device, training = model.config, next(model.parameters()).device, model.training
        settings = SamplingSettings(temperature=self._temperature, seed=seed)
        rows = min(self._tokenizer.vocab_size, config.vocab_size)
        sampler = Sampler(settings, rows, device)
        ids = self._prompt_ids(seed, config.vocab_size)
        first = len(ids)
        cache = KVCache(config, 1, config.context_length, device, model.compute_dtype)
        unread = list(ids)
        model.eval()
        try:
            while len(ids) < first + length:
                if cache.length + len(unread) > config.context_length:  # prefill again with the last half of the window
                    cache.reset()
                    unread = ids[-max(1, config.context_length // 2) :]
                logits = model(torch.tensor([unread], device=device), cache)[:, -1, :rows]
                token = int(sampler.draw(logits))
                if token in self._tokenizer.end_tokens:
                    break
                unread = [token]
                ids += unread
        finally:
            model.train(training)
        return self._tokenizer.decode(ids[first:])

    def _prompt_ids(self, seed: int, rows: int) -> list[int]:
        """The tokens to prefill: those of the prompt that the model has, or a single one where there is none."""
        tokenizer = self._tokenizer
        ids = [*tokenizer.begin, *tokenizer.encode(self.prompt, self._literal)]
        return [token for token in ids if token < rows] or [first_token(tokenizer, seed, n_rows=rows)]
