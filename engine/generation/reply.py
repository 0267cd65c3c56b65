"""One reply: a prompt made readable for the model, then pieces of text until a limit, an end or a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import torch

from ..requests import SamplingSettings, TokenDetail
from .batch_decoding import Alone, Branches
from .decoder import Decoder
from .detokenizer import TextStream
from .graph_decoding import Ahead
from .gumbel import any_token, chosen_seed
from .penalties import ForbiddenError
from .sampling import Sampler
from .token_details import explain_tokens

_NAMED = 8  # characters that a notice names one by one


class Reply:
    """Iterate over it for the text; afterwards `reason`, `tokens` and `notices` say how it went.

    `prompt_tokens` counts what the model read of the prompt, `tokens` those of the text that it wrote, without one that
    ended it; `seed` repeats the reply. With `explain`, `details` grows by one entry for each of `tokens`. Raises
    UnknownCharacterError where the tokenizer refuses the prompt, ForbiddenError where nothing is left to be written.
    """

    def __init__(self, decoder: Decoder, prompt: str, settings: SamplingSettings, explain: bool = False) -> None:
        self.reason: Literal["length", "stop", "cancelled"] = "length"
        self.tokens = 0
        self.ended = False
        self.details: list[TokenDetail] = []
        self.settings, self.explains = settings, explain
        self._decoder = decoder
        self._cancelled = False
        self._prompt_notices: list[str] = []
        self.seed = chosen_seed(settings.seed)
        self.forbidden = self._forbidden_tokens()
        ids, begin = self._encode(prompt), decoder.tokenizer.begin
        self.prompt_tokens = len(ids)
        if len(ids) + len(begin) <= decoder.context_length:  # else what the model reads begins within the text
            ids = [*begin, *ids]
        self.ids = ids or [self._start()]
        self._text = TextStream(settings.stop)

    def cancel(self) -> None:
        """End the reply before its next token; text that still waits is handed out."""
        self._cancelled = True

    def __iter__(self) -> Iterator[str]:
        """One piece a token, empty where the text must wait for more of a character or of a stop string."""
        return (piece for _, piece in together(self._decoder, [self]))

    def is_over(self) -> bool:
        """Whether no further token is wanted; `finish` then has the last piece."""
        if self.tokens < self.settings.max_tokens and self._cancelled:
            self.reason = "cancelled"
        return self._cancelled or self.tokens >= self.settings.max_tokens

    def take(self, token: int, detail: TokenDetail | None = None) -> str:
        """The piece of text that `token` sets free."""
        if token in self._decoder.tokenizer.end_tokens:
            self.reason = "stop"
            return self.finish()
        self.tokens += 1
        if detail is not None:
            self.details.append(detail)
        text = self._text.feed(self._decoder.tokenizer.token_bytes(token))
        if self._text.stopped:
            self.reason, self.ended = "stop", True
        return text

    def finish(self) -> str:
        """End the reply with what still waits."""
        self.ended = True
        return self._text.finish()

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the person: what of the prompt was left out, and whether the text passed the context."""
        context, read = self._decoder.context_length, len(self.ids) + self.tokens - 1
        if read <= context:
            return tuple(self._prompt_notices)
        passed = f"context {context} passed, last {self._decoder.reread_length} re-read"
        return (*self._prompt_notices, passed)

    def _encode(self, prompt: str) -> Sequence[int]:
        tokenizer, context = self._decoder.tokenizer, self._decoder.context_length
        known, left_out = tokenizer.filter_unknown(prompt)
        if left_out:
            self._prompt_notices.append(f"the model has never seen {named(left_out)}; left out of the prompt")
        ids = tokenizer.encode(known).tolist()
        if len(ids) > context:
            self._prompt_notices.append(f"the prompt has {len(ids):,} tokens; the model reads its last {context}")
        return ids[-context:]

    def _forbidden_tokens(self) -> list[list[int]]:
        """The tokens of the forbidden texts; what the model could not write anyway is only a notice."""
        tokenizer, sequences = self._decoder.tokenizer, []
        for text in self.settings.forbidden:
            known, left_out = tokenizer.drop_unknown(text)
            if left_out:
                self._prompt_notices.append(
                    f"forbidden text {text!r} ignored: the model has never seen {named(left_out)}"
                )
            else:
                sequences.append(tokenizer.encode(known).tolist())
        return sequences

    def _start(self) -> int:
        """What an empty prompt starts from: the end of another text, where the model has learned what comes after it,
        else a new line, or any token where the tokenizer has none.
        """
        tokenizer = self._decoder.tokenizer
        if self._decoder.ends_begin and tokenizer.end_tokens:
            return min(tokenizer.end_tokens)  # the end of a text; those of a conversation's turns were added later
        new_line = tokenizer.new_line
        return any_token(self.seed, tokenizer.vocab_size) if new_line is None else new_line


def together(decoder: Decoder, replies: Sequence[Reply]) -> Iterator[tuple[int, str]]:
    """The pieces of several replies to one prompt, each with the number of its reply; one pass a token for all.

    The replies differ in nothing but their seeds. A reply's text is the one that it would write alone, but for
    rounding: a matrix product over more rows may add up in another order, which in float32 moves a logit by some
    millionths of the largest, and so a text changes only where two tokens came that near to each other in the draw, or
    one to the border of a filter. Small types round so coarsely that the texts part sooner.
    """
    source = _source(decoder, replies)
    rows = list(range(len(replies)))  # the reply that each row writes
    while True:
        for row in rows:
            if not replies[row].ended and replies[row].is_over():
                yield row, replies[row].finish()
        kept = _packed([replies[row].ended for row in rows])
        if not kept:
            return
        source.keep(kept)
        rows = [rows[place] for place in kept]
        tokens = source.step()
        if min(tokens) < 0:
            raise ForbiddenError
        details: list[TokenDetail] | list[None] = [None] * len(rows)
        if replies[0].explains:
            given, drawn_from = source.drawn_from
            details = explain_tokens(torch.tensor(tokens, device=given.device), given, decoder.tokenizer, drawn_from)
        for row, token, detail in zip(rows, tokens, details, strict=True):
            yield row, replies[row].take(token, detail)


def _source(decoder: Decoder, replies: Sequence[Reply]) -> Alone | Branches | Ahead:
    """Where the tokens come from: a row for each reply."""
    first, texts, seeds = replies[0], [reply.ids for reply in replies], [reply.seed for reply in replies]
    sampler = Sampler(
        first.settings, decoder.tokenizer.vocab_size, decoder.device, seeds, texts, first.forbidden, first.explains
    )
    if decoder.recorder is not None and decoder.recorder.has_room(len(replies)):
        return Ahead(decoder, decoder.recorder, texts, sampler)
    return Alone(decoder, texts[0], sampler) if len(texts) == 1 else Branches(decoder, texts, sampler)


def _packed(ended: Sequence[bool]) -> list[int]:
    """The places that go on, in an order that moves as few of them as possible: the last ones fill the gaps."""
    going = [place for place, is_over in enumerate(ended) if not is_over]
    return [place if not ended[place] else going.pop() for place in range(len(going))]


def named(characters: Iterable[str]) -> str:
    """Characters as a sentence names them: the first few one by one."""
    known = sorted(characters)
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return ", ".join(map(repr, known[:_NAMED])) + more
