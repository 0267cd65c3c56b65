"""One reply: pieces of text that continue a prompt until a limit, an end token, a stop, a speech's end or a cancel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from ...data.speakers.form import SpeechForm
from ..requests import RequestError, SamplingSettings, SettingsChange, TokenDetail
from .decoder import BatchDecoding, Decoder, SingleDecoding
from .detokenizer import Detokenizer
from .graph_decoding import GraphDecoding
from .prompt import Prompt, quoted
from .sampling import Sampler, chosen_seed
from .token_details import ALTERNATIVES, details_of


class Reply:
    """Iterate over it for the text; afterwards `reason`, `tokens` and `notices` say how it went.

    `prompt_tokens` counts what the model read of the prompt, `tokens` those of the text that it wrote, without one that
    ended it; `seed` repeats the reply. With a `speech` it is one in that form. With `explain`, `details` grows by one
    entry for each of `tokens`, with so many `alternatives` each. Raises UnknownCharacterError where the tokenizer
    refuses the prompt, RequestError where every token is forbidden.
    """

    def __init__(
        self,
        decoder: Decoder,
        prompt: Prompt | str,
        settings: SamplingSettings,
        explain: bool = False,
        alternatives: int = ALTERNATIVES,
        speech: SpeechForm | None = None,
    ) -> None:
        self.reason: Literal["length", "stop", "cancelled"] = "length"
        self.tokens = 0
        self.ended = False
        self.details: list[TokenDetail] = []
        self.changes: list[SettingsChange] = []  # of the settings so far
        self.drawn: list[int] = []  # the tokens, also one that ends it
        self.settings, self.explains, self.alternatives = settings, explain, alternatives
        self._decoder, self._literal = decoder, settings.literal or decoder.literal
        self._cancelled = False
        self._notices: list[str] = []
        self.seed = chosen_seed(settings.seed)
        self.forbidden = self._forbidden_sequences()
        self._note_impossible_stops()
        tokenizer = decoder.tokenizer
        self.prompt = Prompt(decoder, prompt, literal=settings.literal) if isinstance(prompt, str) else prompt
        self._notices += self.prompt.notices
        self.prompt_tokens, self.ids = self.prompt.tokens, self.prompt.read_ids(self.seed)
        # a turn also ends where the tokenizer says so, if the model's configuration names another end
        turn_ends = {tokenizer.roles["eos"]} if self.prompt.framed and "eos" in tokenizer.roles else ()
        # where marks frame speeches they may be special tokens of the model, which have no text
        marks = {token for name, token in tokenizer.special_tokens.items() if name.startswith("<|")}
        speech_ends = marks if speech and speech.end == "mark" else ()
        self._ends = tokenizer.end_tokens.union(turn_ends, speech_ends)
        self._detokenizer = Detokenizer(
            tuple(map(tokenizer.composed, settings.stop)),
            ends_words=tokenizer.ends_words,
            opening=self.prompt.opening,
            speech=speech,
        )
        if self.prompt.then:
            self._detokenizer.resume(map(tokenizer.token_bytes, self.prompt.then))

    @property
    def all_ids(self) -> list[int]:
        """The whole prompt, of which the model reads `ids`."""
        return self.prompt.all_ids(self.seed)

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

    def change(self, settings: SamplingSettings) -> None:
        """Draw with the shape of these settings from the next token on."""
        self.settings = self.settings.shaped_as(settings)
        self.changes.append(SettingsChange(self.tokens, self.settings))

    def add(self, token: int, detail: TokenDetail | None = None) -> str:
        """Take in `token`; returns the text that can be shown, empty in the middle of a character or a stop string."""
        self.drawn.append(token)
        if token in self._ends:
            self.reason, self.ended = "stop", True
            return self._detokenizer.finish(whole=True)
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
        passed = [f"context {context} passed, last {self._decoder.reread_length} re-read"] if read > context else []
        times = f"{len(self.changes)} times" if len(self.changes) > 1 else "once"
        return (*self._notices, *passed, *([f"settings changed {times}"] if self.changes else []))

    def _note_impossible_stops(self) -> None:
        """Say which stop texts never end the reply: the model cannot write them."""
        for text in self.settings.stop:
            _, left_out = self._decoder.tokenizer.drop_unknown(self._decoder.tokenizer.composed(text))
            if left_out:
                self._notices.append(
                    f"stop text {text!r} never ends a reply: the model has never seen {quoted(left_out)}"
                )

    def _forbidden_sequences(self) -> list[list[int]]:
        """The tokens of the forbidden texts; what the model could not write anyway is only a notice."""
        tokenizer, sequences = self._decoder.tokenizer, []
        for text in self.settings.forbidden:
            known, left_out = tokenizer.drop_unknown(tokenizer.composed(text))
            if left_out:
                self._notices.append(f"forbidden text {text!r} ignored: the model has never seen {quoted(left_out)}")
                continue
            sequence = tokenizer.encode(known, self._literal).tolist()
            if max(sequence, default=0) < self._decoder.vocab_size:  # else no row of the model could write it
                sequences.append(sequence)
        return sequences


def stream_replies(
    decoder: Decoder,
    replies: Sequence[Reply],
    settings_at: Callable[[int], SamplingSettings | None] = lambda drawn: None,
) -> Iterator[tuple[int, str]]:
    """The pieces of several replies to one prompt, each with the number of its reply; one pass a token for all.

    The replies differ in nothing but their seeds. A reply's text is the one that it would write alone, but for
    rounding: a matrix product over more rows may add up in another order, which in float32 moves a logit by some
    millionths of the largest, and so a text changes only where two tokens came that near to each other in the draw, or
    one to the border of a filter. In bfloat16 rounding is coarser, so texts differ earlier.

    Before each token `settings_at` is asked, with how many tokens there are of each reply, for the settings whose shape
    the next ones are drawn with; None leaves them. The same answers at the same places write the same texts again.
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
        left = [replies[row] for row in rows]
        wanted = settings_at(left[0].tokens)
        if wanted is not None and left[0].settings.shaped_as(wanted) != left[0].settings:
            for reply in left:
                reply.change(wanted)
            decoding = decoding.drawing_by(_sampler(decoder, left))
        tokens = decoding.step()
        if min(tokens) < 0:
            raise RequestError("the forbidden texts leave no token that could be written next; forbid fewer")
        details: list[TokenDetail] | list[None] = [None] * len(rows)
        if replies[0].explains:
            details = details_of(tokens, decoding.figures, decoder.tokenizer)
        for row, token, detail in zip(rows, tokens, details, strict=True):
            yield row, replies[row].add(token, detail)


def _sampler(decoder: Decoder, replies: Sequence[Reply]) -> Sampler:
    """What draws the next token of each of the replies, which have as many tokens."""
    first = replies[0]
    texts = [reply.all_ids + reply.drawn for reply in replies]
    return Sampler(
        first.settings, decoder.vocab_size, decoder.device, [reply.seed for reply in replies], texts, first.forbidden,
        first.explains, first.alternatives, len(first.drawn),
    )  # fmt: skip


def _start_decoding(decoder: Decoder, replies: Sequence[Reply]) -> SingleDecoding | BatchDecoding | GraphDecoding:
    """Prefill the prompt, with a row for each reply."""
    ids = [reply.ids for reply in replies]
    decoder.check_ids(ids[0])
    sampler = _sampler(decoder, replies)
    if decoder.graphs is not None and decoder.graphs.has_room(len(replies)):
        return GraphDecoding(decoder, decoder.graphs, ids, sampler)
    return SingleDecoding(decoder, ids[0], sampler) if len(ids) == 1 else BatchDecoding(decoder, ids, sampler)


def _packed(ended: Sequence[bool]) -> list[int]:
    """The places that have not ended, reordered so that few of them move: the last ones fill the gaps."""
    active = [place for place, has_ended in enumerate(ended) if not has_ended]
    return [place if not ended[place] else active.pop() for place in range(len(active))]
