"""What the model writes while it trains: short samples, with a decoder of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ....data.storage.errors import UserError
from ....data.tokenizers import Tokenizer, UnknownCharacterError
from ....models.cache import KVCache
from ....models.devices import varying_lengths
from ....models.fast.decoding import compiled_step
from ....models.gpt import GPT
from ...events import Sample
from ...generation.sampling import Sampler, first_token, sample_seed
from ...requests import SamplingSettings

NextLogits = Callable[[Tensor, KVCache], Tensor]  # tokens [1, T] and what came before -> [1, V]

LENGTH = 200  # tokens
_SMALL = 2_000_000  # parameters, up to which one thread computes a position sooner than several agree to share it


class SampleWriter:
    """Continues each of its `prompts` at `temperature`, greedily at 0; characters without a token are left out of them.

    With `literal` the names of special tokens in it are text. Raises UserError where the tokenizer refuses a character
    of a prompt; then the prompts stay what they were.
    """

    def __init__(
        self, tokenizer: Tokenizer, prompts: Sequence[str] = ("",), temperature: float = 0.8, literal: bool = False
    ) -> None:
        self._tokenizer, self._temperature, self._literal = tokenizer, temperature, literal
        self._given: tuple[str, ...] = ()
        self._known: list[str] = []  # without the characters that have no token
        self.prompts = tuple(prompts)

    @property
    def prompts(self) -> tuple[str, ...]:
        """As they were given."""
        return self._given

    @prompts.setter
    def prompts(self, prompts: tuple[str, ...]) -> None:
        try:
            known = [self._tokenizer.filter_unknown(prompt)[0] for prompt in prompts]
        except UnknownCharacterError as error:
            raise UserError(f"the sample prompt cannot be used: {error}") from error
        self._given, self._known = prompts, known

    def write_all(self, model: GPT, step: int, seed: int) -> list[Sample]:
        """A sample for each prompt, each with a seed of its own that `seed` and its index decide."""
        seeds = [sample_seed(abs(seed), index) for index in range(len(self._known))]
        return [
            Sample(step, prompt, self.write(model, one_seed, prompt=prompt), index, one_seed)
            for index, (prompt, one_seed) in enumerate(zip(self._known, seeds, strict=True))
        ]

    @varying_lengths()
    @torch.no_grad()  # not inference mode: a sharded model keeps the parameters that it gathers here
    def write(self, model: GPT, seed: int, length: int = LENGTH, prompt: str | None = None) -> str:
        """A continuation of `prompt`, by default the first of the prompts: up to `length` tokens, or to an end token.

        The model keeps its mode.

        The generate process's decoder is no use here: it packs the weights for speed, and these are being trained. The
        compiled step reads them where they are.
        """
        with _fitting_threads(model), _compiled_steps(model) as next_logits:
            return self._write(model, seed, length, prompt, next_logits)

    def _write(self, model: GPT, seed: int, length: int, prompt: str | None, next_logits: NextLogits) -> str:
        config, device, training = model.config, next(model.parameters()).device, model.training
        settings = SamplingSettings(temperature=self._temperature, seed=seed)
        rows = min(self._tokenizer.vocab_size, config.vocab_size)
        sampler = Sampler(settings, rows, device)
        ids = self._prompt_ids(self._known[0] if prompt is None else prompt, seed, config.vocab_size)
        first = len(ids)
        cache = KVCache(config, 1, config.context_length, device, model.compute_dtype)
        unread = list(ids)
        model.eval()
        try:
            while len(ids) < first + length:
                if cache.length + len(unread) > config.context_length:  # prefill again with the last half of the window
                    cache.reset()
                    unread = ids[-max(1, config.context_length // 2) :]
                logits = next_logits(torch.tensor([unread], device=device), cache)[:, :rows]
                token = int(sampler.draw(logits))
                if token in self._tokenizer.end_tokens:
                    break
                unread = [token]
                ids += unread
        finally:
            model.train(training)
        return self._tokenizer.decode(ids[first:])

    def _prompt_ids(self, prompt: str, seed: int, rows: int) -> list[int]:
        """The tokens to prefill: those of the prompt that the model has, or a single one where there is none."""
        tokenizer = self._tokenizer
        ids = [*tokenizer.begin, *tokenizer.encode(prompt, self._literal)]
        return [token for token in ids if token < rows] or [first_token(tokenizer, seed, n_rows=rows)]


@contextmanager
def _fitting_threads(model: GPT) -> Iterator[None]:
    """One thread for a small model: where another program wants a core, each operator of several would wait for it."""
    threads = torch.get_num_threads()
    if threads == 1 or sum(parameter.numel() for parameter in model.parameters()) > _SMALL:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _compiled_steps(model: GPT) -> Iterator[NextLogits]:
    """What computes the next logits: compiled code where that can, which needs inference mode, else the model."""
    step = compiled_step(model)
    if step is None:
        yield lambda tokens, cache: model(tokens, cache)[:, -1]
        return
    model.step = step
    try:
        with torch.inference_mode():
            yield model.next_logits
    finally:
        model.step = None
