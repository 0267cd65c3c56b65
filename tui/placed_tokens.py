"""The tokens of a document where they stand in its text: their colours, what lies between them, and their mean loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..engine.requests import TokenDetail
from ..engine.sessions.path_text import PathText
from ..engine.sessions.records import TokenRecord
from ..engine.sessions.tree import Node, Source
from .text.token_probabilities import ColouredToken, shifted

_LEAST = 1e-30  # stands for a probability of 0, so that one token does not make a mean infinite


class PlacedToken(NamedTuple):
    """A token that a model wrote, and where it stands in the text."""

    node: Node
    number: int  # among the records of the node
    start: int
    end: int
    record: TokenRecord


class ScoredToken(NamedTuple):
    """A token of words whose tokens were not recorded, as the model read them afterwards."""

    start: int
    end: int
    detail: TokenDetail


def placed_tokens(text: PathText) -> Iterator[PlacedToken]:
    """The recorded tokens of the text in their order."""
    at = 0
    for node in text.path:
        yield from _tokens_of(text, node, at)
        at += node.length


def _tokens_of(text: PathText, node: Node, at: int) -> Iterator[PlacedToken]:
    for number, record in enumerate(text.records(node)):
        end = at + max(0, record.length)
        if record.known and record.length >= 0:
            yield PlacedToken(node, number, at, end, record)
        at = end


def token_at(text: PathText, offset: int) -> PlacedToken | None:
    """The recorded token with the character at `offset`."""
    at = 0
    for node in text.path:
        if at <= offset < at + node.length:
            return next((token for token in _tokens_of(text, node, at) if token.start <= offset < token.end), None)
        at += node.length
    return None


def node_at(text: PathText, offset: int) -> Node | None:
    """The node with the character before `offset`; at the beginning, the first one."""
    at = 0
    for node in text.path:
        at += node.length
        if offset <= at:
            return node
    return text.path[-1] if text.path else None


class Continuation(NamedTuple):
    """What a model wrote at once, as far as it stands in one piece in the text."""

    start: int
    end: int
    source: Source


def continuation_at(text: PathText, offset: int) -> Continuation | None:
    """What a model wrote at the character before `offset`, else the last that one wrote before it."""
    spans = text.spans()
    number = next(
        (n for n in reversed(range(len(spans))) if spans[n].author == "model" and spans[n].start < offset), None
    )
    if number is None:
        return None
    first = last = number
    while first and spans[first - 1].source is spans[number].source:
        first -= 1
    while last + 1 < len(spans) and spans[last + 1].source is spans[number].source:
        last += 1
    return Continuation(spans[first].start, spans[last].end, spans[number].source)


def tokens_between(text: PathText, start: int, end: int) -> Iterator[PlacedToken]:
    """The recorded tokens that stand from `start` to `end`."""
    at = 0
    for node in text.path:
        if start < at + node.length and at < end:
            yield from (token for token in _tokens_of(text, node, at) if start <= token.start and token.end <= end)
        at += node.length


def colours(text: PathText, scored: Sequence[ScoredToken] = ()) -> list[ColouredToken]:
    """The tokens with their probabilities: the recorded ones, and `scored` ones where nothing was recorded.

    Bytes of one character are several tokens, which are coloured together by the product of their probabilities.
    """
    found = _coloured(placed_tokens(text))
    if scored:
        kept = ((token.start, token.end, token.detail.probability) for token in scored)
        found = sorted([*found, *_outside(kept, found)])
    return found


def colours_of(text: PathText, node: int) -> list[ColouredToken]:
    """The recorded tokens of one node with their probabilities, counted from its beginning."""
    found = text.tree.nodes.get(node)
    return _coloured(_tokens_of(text, found, 0)) if found else []


def _coloured(tokens: Iterable[PlacedToken]) -> list[ColouredToken]:
    found, probability = list[ColouredToken](), 1.0
    for token in tokens:
        probability *= token.record.probability
        if token.end > token.start:
            found.append(ColouredToken(token.start, token.end, probability))
            probability = 1.0
    return found


def first_gap(tokens: Iterable[ColouredToken], length: int) -> int | None:
    """The first of the characters of the text that has no probability."""
    at = 0
    for token in tokens:
        if token.start > at:
            break
        at = token.end
    return at if at < length else None


def scored_tokens(text: str, details: Sequence[TokenDetail]) -> list[ScoredToken]:
    """Where the tokens of a text stand that was scored, whose first ones may not have been predicted."""
    at = len(text) - sum(detail.characters for detail in details)
    placed = list[ScoredToken]()
    for detail in details:
        placed.append(ScoredToken(at, at + detail.characters, detail))
        at += detail.characters
    return [token for token in placed if token.end > token.start >= 0]


def _outside(tokens: Iterable[tuple[int, int, float]], others: Sequence[ColouredToken]) -> Iterator[ColouredToken]:
    """What of `tokens` lies before, between and behind `others`; both in the order of the text."""
    number = 0
    for start, end, probability in tokens:
        while number < len(others) and others[number].end <= start:
            number += 1
        at, ahead = start, number
        while at < end:
            stop = min(end, others[ahead].start) if ahead < len(others) else end
            if at < stop:
                yield ColouredToken(at, stop, probability)
            if ahead >= len(others):
                break
            at, ahead = max(at, others[ahead].end), ahead + 1


def coloured(details: Iterable[TokenDetail]) -> list[ColouredToken]:
    """The colours of a piece of text that streams, counted from its beginning."""
    return _coloured_lengths((detail.probability, detail.characters) for detail in details)


def coloured_end(records: Sequence[TokenRecord], length: int) -> list[ColouredToken]:
    """The colours of a text of `length` characters at whose end these tokens stand, or that is their end."""
    found = _coloured_lengths((record.probability, record.length) for record in records)
    return shifted(found, length - found[-1].end) if found else []


def _coloured_lengths(tokens: Iterable[tuple[float, int]]) -> list[ColouredToken]:
    found, at, probability = list[ColouredToken](), 0, 1.0
    for likely, length in tokens:
        probability *= likely
        if length > 0:
            found.append(ColouredToken(at, at + length, probability))
            at, probability = at + length, 1.0
    return found


def loss_of(token: TokenRecord | TokenDetail) -> float:
    """The negative log-likelihood of a token, in nats."""
    return -math.log(max(token.probability, _LEAST))
