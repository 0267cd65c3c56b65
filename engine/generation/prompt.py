"""What a reply continues, as token ids: the encoded prompt, then tokens that were given; and what of it is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..requests import RequestError
from .chat_framing import encode_framed
from .decoder import Decoder
from .sampling import first_token

COMPOSED = "the {} is read with its letters and marks composed (NFC), as the model has learned them"
READ_AS_TOKENS = "read as special tokens of the model: {}; to read them as text, set literal (--literal)"
_MAX_NAMED = 8  # characters that a notice names one by one
_MAX_TOKENS = 4  # special tokens likewise


class Prompt:
    """A prompt for one reply or several.

    `then` are the tokens between the prompt and its replies. `said` is what people have said of a text that a chat
    template has framed: that has its own beginning. With `literal` the names of special tokens are text.
    `tokens` counts what the model reads of the text and of `then`; `opening` is the text that a reply begins with
    before its first token; `notices` say what was left out. Raises UnknownCharacterError where the tokenizer refuses
    the text, RequestError where the model has none of `then`.
    """

    def __init__(
        self,
        decoder: Decoder,
        text: str,
        *,
        then: Sequence[int] = (),
        said: str | None = None,
        literal: bool = False,
    ) -> None:
        self._decoder, self.then = decoder, then
        self.framed = said is not None
        self._literal = literal or decoder.literal
        self.notices: list[str] = []
        self._check_then()
        self._ids = self._encode(text, said)
        self.opening = self._blank_after(text)
        before = self._before(seed=0)
        self._start = decoder.window_start([*before, *self._ids], len(then))
        self.tokens = len(self._ids) + len(then) - max(0, self._start - len(before))
        if self._start > len(before):
            what = "the text so far" if then else "the prompt"
            self.notices.append(
                f"{what} has {len(self._ids) + len(then):,} tokens; the model reads its last {self.tokens:,}"
            )

    def all_ids(self, seed: int) -> list[int]:
        """The whole of it, for a reply of that seed."""
        return [*self._before(seed), *self._ids, *self.then]

    def read_ids(self, seed: int) -> list[int]:
        """The last part of it, at least one token, which the model reads."""
        return self.all_ids(seed)[self._start :]

    def _encode(self, text: str, said: str | None) -> Sequence[int]:
        tokenizer = self._decoder.tokenizer
        composed = tokenizer.composed(text)
        if composed != text:
            self.notices.append(COMPOSED.format("prompt"))
        known, left_out = tokenizer.filter_unknown(composed)
        if left_out:
            self.notices.append(f"the model has never seen {quoted(left_out)}; left out of the prompt")
        if said is None:
            ids = tokenizer.encode(known, self._literal).tolist()
        else:
            ids = encode_framed(known, tokenizer)
        if names := self._named(known if said is None else said, ids):
            self.notices.append(READ_AS_TOKENS.format(", ".join(names)))
        return ids

    def _before(self, seed: int) -> Sequence[int]:
        """What stands before the text without being any of it; always as many tokens."""
        decoder = self._decoder
        begin = () if self.framed else decoder.tokenizer.begin
        if len(self._ids) + len(begin) > decoder.context_length:  # what the model reads begins in mid-text
            return ()
        if self._ids or begin:
            return begin
        return [first_token(decoder.tokenizer, seed, decoder.end_token_starts_text, decoder.vocab_size)]

    def _check_then(self) -> None:
        """Raise RequestError for an id that the model cannot have written."""
        size = self._decoder.vocab_size
        if strange := next((str(token) for token in self.then if not 0 <= token < size), None):
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

    def _blank_after(self, text: str) -> str:
        """The blank between the last word of the text and the first of the reply, where no text has it yet."""
        tokenizer = self._decoder.tokenizer
        if not tokenizer.ends_words or text[-1:].isspace():
            return ""
        last = next(filter(None, map(tokenizer.token_bytes, reversed(self._ids))), b"")
        return " " if last.endswith(b" ") else ""


def quoted(characters: Iterable[str]) -> str:
    """Characters as a sentence names them: the first few one by one."""
    known = sorted(characters)
    more = f" and {len(known) - _MAX_NAMED} more" if len(known) > _MAX_NAMED else ""
    return ", ".join(map(repr, known[:_MAX_NAMED])) + more
