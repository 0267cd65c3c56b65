"""One reply: the prompt as token ids, then pieces of text until a limit, an end token, a stop string or a cancel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import torch

from ..requests import RequestError, SamplingSettings, TokenDetail
from .chat_framing import encode_framed
from .decoder import BatchDecoding, Decoder, SingleDecoding
from .detokenizer import Detokenizer
from .graph_decoding import GraphDecoding
from .sampling import Sampler, chosen_seed, first_token
from .token_details import ALTERNATIVES, explain_tokens

COMPOSED = "the {} is read with its letters and marks composed (NFC), as the model has learned them"
READ_AS_TOKENS = "read as special tokens of the model: {}; to read them as text, set literal (--literal)"
_MAX_NAMED = 8  # characters that a notice names one by one
_MAX_TOKENS = 4  # special tokens likewise


class Reply:
    """Iterate over it for the text; afterwards `reason`, `tokens` and `notices` say how it went.

    `then` are the tokens between prompt and reply. `said` is what people have said of a prompt that a chat template has
    framed: that has its own beginning, and its turns end as the tokenizer says.
    `prompt_tokens` counts what the model read of both, `tokens` those of the text that it wrote, without one that
    ended it; `seed` repeats the reply. With `explain`, `details` grows by one entry for each of `tokens`. Raises
    UnknownCharacterError where the tokenizer refuses the prompt, RequestError where every token is forbidden, or where
    the model has none of `then`.
    """

    def __init__(
        self,
        decoder: Decoder,
        prompt: str,
        settings: SamplingSettings,
        explain: bool = False,
        then: Sequence[int] = (),
        alternatives: int = ALTERNATIVES,
        said: str | None = None,
    ) -> None:
        self.reason: Literal["length", "stop", "cancelled"] = "length"
        self.tokens = 0
        self.ended = False
        self.details: list[TokenDetail] = []
        self.settings, self.explains, self.alternatives = settings, explain, alternatives
        self._decoder, self._literal = decoder, settings.literal or decoder.literal
        self._cancelled = False
        self._prompt_notices: list[str] = []
        self.seed = chosen_seed(settings.seed)
        self.forbidden = self._forbidden_sequences()
        self._note_impossible_stops()
        tokenizer = decoder.tokenizer
        self._ends = tokenizer.end_tokens
        if (
            said is not None and "eos" in tokenizer.roles
        ):  # what ends a turn, where the model's configuration names another
            self._ends |= {tokenizer.roles["eos"]}
        ids = self._encode(prompt, said)
        self._check_then(then)
        before = self._before(ids, said is not None)
        self.all_ids = [*before, *ids, *then]  # the whole of it, of which the model reads `ids`
        self.ids = decoder.window([*before, *ids], then)
        unread = len(self.all_ids) - len(self.ids)
        self.prompt_tokens = len(self.ids) - max(0, len(before) - unread)
        if unread > len(before):
            what = "the text so far" if then else "the prompt"
            self._prompt_notices.append(
                f"{what} has {len(ids) + len(then):,} tokens; the model reads its last {self.prompt_tokens:,}"
            )
        self._detokenizer = Detokenizer(
            tuple(map(tokenizer.composed, settings.stop)),
            ends_words=tokenizer.ends_words,
            opening=self._blank_after(prompt, ids),
        )
        if then:
            self._detokenizer.resume(map(tokenizer.token_bytes, then))

    def cancel(self) -> None:
        """End the reply before its next token; buffered text is still handed out."""
        self._cancelled = True

    def __iter__(self) -> Iterator[str]:
        """One piece a token, empty where the text must wait for more of a character or of a stop string."""
        return (piece for _, piece in stream_replies(self._decoder, [self]))

    def check_limits(self) -> bool:
        """Whether the reply was cancelled or is long enough, and why in `reason`; `finish` then has the last piece."""
        if self.tokens < self.settings.max_tokens and self._cancelled:
            self.reason = "cancelled"
        return self._cancelled or self.tokens >= self.settings.max_tokens

    def add(self, token: int, detail: TokenDetail | None = None) -> str:
        """Take in `token`; returns the text that can be shown, empty in the middle of a character or a stop string."""
        if token in self._ends:
            self.reason = "stop"
            return self.finish()
        self.tokens += 1
        text = self._detokenizer.feed(self._decoder.tokenizer.token_bytes(token))
        if detail is not None:
            self.details.append(replace(detail, characters=self._detokenizer.characters))
        if self._detokenizer.stopped:
            self.reason, self.ended = "stop", True
        return text

    def finish(self) -> str:
        """End the reply; returns the buffered text."""
        self.ended = True
        return self._detokenizer.finish()

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the person: what of the prompt was left out, and whether the text passed the context."""
        context, read = self._decoder.context_length, len(self.ids) + self.tokens - 1
        if read <= context:
            return tuple(self._prompt_notices)
        passed = f"context {context} passed, last {self._decoder.reread_length} re-read"
        return (*self._prompt_notices, passed)

    def _encode(self, prompt: str, said: str | None) -> Sequence[int]:
        tokenizer = self._decoder.tokenizer
        composed = tokenizer.composed(prompt)
        if composed != prompt:
            self._prompt_notices.append(COMPOSED.format("prompt"))
        known, left_out = tokenizer.filter_unknown(composed)
        if left_out:
            self._prompt_notices.append(f"the model has never seen {quoted(left_out)}; left out of the prompt")
        if said is None:
            ids = tokenizer.encode(known, self._literal).tolist()
        else:
            ids = encode_framed(known, tokenizer)
        if names := self._named(known if said is None else said, ids):
            self._prompt_notices.append(READ_AS_TOKENS.format(", ".join(names)))
        return ids

    def _before(self, ids: Sequence[int], framed: bool) -> Sequence[int]:
        """What stands before the ids of the prompt without being text of it."""
        tokenizer = self._decoder.tokenizer
        begin = () if framed else tokenizer.begin
        if len(ids) + len(begin) > self._decoder.context_length:  # what the model reads begins in mid-text
            return ()
        if ids or begin:
            return begin
        return [first_token(tokenizer, self.seed, self._decoder.end_token_starts_text, self._decoder.vocab_size)]

    def _check_then(self, then: Sequence[int]) -> None:
        """Raise RequestError for an id that the model cannot have written."""
        size = self._decoder.vocab_size
        if strange := next((str(token) for token in then if not 0 <= token < size), None):
            raise RequestError(
                f"the text goes on with the token {strange[:30]}, but the model has those from 0 to {size - 1:,}: "
                "another model wrote it; go on from its text instead"
            )

    def _named(self, text: str, ids: Sequence[int]) -> list[str]:
        """The special tokens that the text names; with many the last is an ellipsis."""
        tokenizer = self._decoder.tokenizer
        if self._literal or not tokenizer.added_tokens:
            return []
        there = set(ids)
        names = [name for name, token in tokenizer.special_tokens.items() if token in there and name in text]
        return names if len(names) <= _MAX_TOKENS else [*names[:_MAX_TOKENS], "..."]

    def _blank_after(self, prompt: str, ids: Sequence[int]) -> str:
        """The blank between the last word of the prompt and the first of the reply, where no text has it yet."""
        tokenizer = self._decoder.tokenizer
        if not tokenizer.ends_words or prompt[-1:].isspace():
            return ""
        last = next(filter(None, map(tokenizer.token_bytes, reversed(ids))), b"")
        return " " if last.endswith(b" ") else ""

    def _note_impossible_stops(self) -> None:
        """Say which stop texts never end the reply: the model cannot write them."""
        for text in self.settings.stop:
            _, left_out = self._decoder.tokenizer.drop_unknown(self._decoder.tokenizer.composed(text))
            if left_out:
                self._prompt_notices.append(
                    f"stop text {text!r} never ends a reply: the model has never seen {quoted(left_out)}"
                )

    def _forbidden_sequences(self) -> list[list[int]]:
        """The tokens of the forbidden texts; what the model could not write anyway is only a notice."""
        tokenizer, sequences = self._decoder.tokenizer, []
        for text in self.settings.forbidden:
            known, left_out = tokenizer.drop_unknown(tokenizer.composed(text))
            if left_out:
                self._prompt_notices.append(
                    f"forbidden text {text!r} ignored: the model has never seen {quoted(left_out)}"
                )
                continue
            sequence = tokenizer.encode(known, self._literal).tolist()
            if max(sequence, default=0) < self._decoder.vocab_size:  # else no row of the model could write it
                sequences.append(sequence)
        return sequences


def stream_replies(decoder: Decoder, replies: Sequence[Reply]) -> Iterator[tuple[int, str]]:
    """The pieces of several replies to one prompt, each with the number of its reply; one pass a token for all.

    The replies differ in nothing but their seeds. A reply's text is the one that it would write alone, but for
    rounding: a matrix product over more rows may add up in another order, which in float32 moves a logit by some
    millionths of the largest, and so a text changes only where two tokens came that near to each other in the draw, or
    one to the border of a filter. In bfloat16 rounding is coarser, so texts differ earlier.
    """
    decoding = _start_decoding(decoder, replies)
    rows = list(range(len(replies)))  # the reply that each row writes
    while True:
        for row in rows:
            if not replies[row].ended and replies[row].check_limits():
                yield row, replies[row].finish()
        kept = _packed([replies[row].ended for row in rows])
        if not kept:
            return
        decoding.keep(kept)
        rows = [rows[place] for place in kept]
        tokens = decoding.step()
        if min(tokens) < 0:
            raise RequestError("the forbidden texts leave no token that could be written next; forbid fewer")
        details: list[TokenDetail] | list[None] = [None] * len(rows)
        if replies[0].explains:
            given, drawn_from = decoding.drawn_from
            drawn = torch.tensor(tokens, device=given.device)
            details = explain_tokens(drawn, given, decoder.tokenizer, drawn_from, replies[0].alternatives)
        for row, token, detail in zip(rows, tokens, details, strict=True):
            yield row, replies[row].add(token, detail)


def _start_decoding(decoder: Decoder, replies: Sequence[Reply]) -> SingleDecoding | BatchDecoding | GraphDecoding:
    """Prefill the prompt, with a row for each reply."""
    first, ids, seeds = replies[0], [reply.ids for reply in replies], [reply.seed for reply in replies]
    decoder.check_ids(ids[0])
    texts = [reply.all_ids for reply in replies]
    sampler = Sampler(first.settings, decoder.vocab_size, decoder.device, seeds, texts, first.forbidden, first.explains)
    if decoder.graphs is not None and decoder.graphs.has_room(len(replies)):
        return GraphDecoding(decoder, decoder.graphs, ids, sampler)
    return SingleDecoding(decoder, ids[0], sampler) if len(ids) == 1 else BatchDecoding(decoder, ids, sampler)


def _packed(ended: Sequence[bool]) -> list[int]:
    """The places that have not ended, reordered so that few of them move: the last ones fill the gaps."""
    active = [place for place, has_ended in enumerate(ended) if not has_ended]
    return [place if not ended[place] else active.pop() for place in range(len(active))]


def quoted(characters: Iterable[str]) -> str:
    """Characters as a sentence names them: the first few one by one."""
    known = sorted(characters)
    more = f" and {len(known) - _MAX_NAMED} more" if len(known) > _MAX_NAMED else ""
    return ", ".join(map(repr, known[:_MAX_NAMED])) + more
