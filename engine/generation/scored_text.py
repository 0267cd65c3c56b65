"""What is scored, as tokens: of a text all of it or its end, of a conversation what was said last."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ...data.tokenizers import token_lengths
from ..requests import RequestError
from .chat_framing import Frame, encode_framed, framed_token_lengths, shown
from .decoder import Decoder
from .prompt import COMPOSED, quoted


@dataclass(frozen=True)
class ScoredText:
    """Tokens, of which those from number `first` on are scored, each given those before it."""

    ids: Sequence[int]
    first: int
    lengths: Sequence[int]  # characters of the text that each of these stands for; empty where nobody asked for them
    bytes_per_token: float
    notices: tuple[str, ...]


def scored_text(
    decoder: Decoder, text: str, *, literal: bool = False, start: int = 0, aligned: bool = True
) -> ScoredText:
    """A text, or only its tokens that reach beyond its first `start` characters; `aligned` asks for their lengths.

    Raises UnknownCharacterError where the tokenizer refuses the text, RequestError where it has too few tokens.
    """
    tokenizer, literal = decoder.tokenizer, literal or decoder.literal
    known, notices = _known(decoder, text)
    encoded = tokenizer.encode(known, literal).tolist()
    ids, first = [*tokenizer.begin, *encoded], max(1, len(tokenizer.begin))
    if len(ids) <= first:
        raise RequestError("a text of at least two tokens is needed: the first one has nothing before it")
    lengths: list[int] = []
    if aligned or start:
        lengths = [*(0 for _ in tokenizer.begin), *token_lengths(tokenizer, text, literal)]
    if start:
        first = max(first, bisect_right([*accumulate(lengths)], start))
        if first >= len(ids):
            raise _nothing_behind(start)
    return ScoredText(ids, first, lengths[first:], len(known.encode()) / len(encoded), notices)


def scored_words(decoder: Decoder, frame: Frame, *, start: int = 0) -> ScoredText:
    """What was said last in a conversation, beyond its first `start` characters, given the frame before it.

    A token that the words share with the frame counts as a part of them. Raises as `scored_text` does.
    """
    known, notices = _known(decoder, frame.text)
    ids = encode_framed(known, decoder.tokenizer)
    ends = [*accumulate(framed_token_lengths(frame.text, decoder.tokenizer))]
    begin, end = frame.start + max(0, start - frame.left_out), frame.stop
    first, behind = max(1, bisect_right(ends, begin)), min(bisect_left(ends, end) + 1, len(ids))
    if begin >= end or first >= behind:
        raise _nothing_behind(start)
    places = [begin, *(min(place, end) for place in ends[first : behind - 1]), end + frame.cut]
    lengths = [place - before for before, place in pairwise(places)]
    words = shown(frame.text)[begin:end]
    return ScoredText(ids[:behind], first, lengths, len(words.encode()) / len(lengths), notices)


def _known(decoder: Decoder, text: str) -> tuple[str, tuple[str, ...]]:
    """The text as the model knows it, and what the person has to know of that."""
    composed = decoder.tokenizer.composed(text)
    known, left_out = decoder.tokenizer.filter_unknown(composed)
    notices = (COMPOSED.format("text"),) if composed != text else ()
    if left_out:
        notices += (f"the model has never seen {quoted(left_out)}; left out of the text",)
    return known, notices


def _nothing_behind(start: int) -> RequestError:
    return RequestError(f"the text has no token behind its first {start:,} characters")
