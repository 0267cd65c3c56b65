"""One reply: a prompt made readable for the model, then pieces of text until a limit, an end or a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from ..events import SamplingSettings
from .decoder import Decoder
from .sampling import Sampler
from .text_stream import TextStream

_NAMED = 8  # characters that a notice names one by one


class Reply:
    """Iterate over it for the text; afterwards `reason`, `tokens` and `notices` say how it went.

    `prompt_tokens` counts what the model read of the prompt, `tokens` those of the text that it wrote, without one that
    ended it; `seed` repeats the reply. Raises UnknownCharacterError where the tokenizer refuses the prompt.
    """

    def __init__(self, decoder: Decoder, prompt: str, settings: SamplingSettings) -> None:
        self.reason: Literal["length", "stop", "cancelled"] = "length"
        self.tokens = 0
        self._decoder, self._settings = decoder, settings
        self._sampler = Sampler(settings, decoder.device)
        self._cancelled = False
        self._prompt_notices: list[str] = []
        ids, begin = self._encode(prompt), decoder.tokenizer.begin
        self.prompt_tokens = len(ids)
        if len(ids) + len(begin) <= decoder.context_length:  # else what the model reads begins within the text
            ids = [*begin, *ids]
        self._ids = ids or [self._start()]

    @property
    def seed(self) -> int:
        """The seed that was used, also where none was given."""
        return self._sampler.seed

    def cancel(self) -> None:
        """End the reply before its next token; text that still waits is handed out."""
        self._cancelled = True

    def __iter__(self) -> Iterator[str]:
        """One piece a token, empty where the text must wait for more of a character or of a stop string."""
        text = TextStream(self._settings.stop)
        tokens = self._decoder.tokens(self._ids, self._sampler)
        while self.tokens < self._settings.max_tokens:
            if self._cancelled:
                self.reason = "cancelled"
                break
            token = next(tokens)
            if token in self._decoder.tokenizer.end_tokens:
                self.reason = "stop"
                break
            self.tokens += 1
            yield text.feed(self._decoder.tokenizer.token_bytes(token))
            if text.stopped:
                self.reason = "stop"
                return
        yield text.finish()

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the person: what of the prompt was left out, and whether the text passed the context."""
        context, read = self._decoder.context_length, len(self._ids) + self.tokens - 1
        if read <= context:
            return tuple(self._prompt_notices)
        passed = f"context {context} passed, last {self._decoder.reread_length} re-read"
        return (*self._prompt_notices, passed)

    def _encode(self, prompt: str) -> Sequence[int]:
        tokenizer, context = self._decoder.tokenizer, self._decoder.context_length
        known, left_out = tokenizer.admit(prompt)
        if left_out:
            named = ", ".join(map(repr, sorted(left_out)[:_NAMED]))
            more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
            self._prompt_notices.append(f"the model has never seen {named}{more}; left out of the prompt")
        ids = tokenizer.encode(known).tolist()
        if len(ids) > context:
            self._prompt_notices.append(f"the prompt has {len(ids):,} tokens; the model reads its last {context}")
        return ids[-context:]

    def _start(self) -> int:
        """What an empty prompt starts from: the end of another text, where the model has learned what comes after it,
        else a new line, or any token where the tokenizer has none.
        """
        tokenizer = self._decoder.tokenizer
        if self._decoder.ends_begin and tokenizer.end_tokens:
            return min(tokenizer.end_tokens)  # the end of a text; those of a conversation's turns were added later
        new_line = tokenizer.new_line
        return self._sampler.any_token(tokenizer.vocab_size) if new_line is None else new_line
