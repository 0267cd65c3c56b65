"""A session: a tree of texts that a person and a model have written."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..requests import SamplingSettings, TokenDetail

Way = Literal["turns", "document", "chat"]
Author = Literal["person", "model", "note"]


@dataclass(frozen=True)
class Origin:
    """By what a model wrote a node: with the same on the same machine it writes the same tokens again."""

    model: str  # the path of a run folder or of a model on disk
    name: str  # what a person calls it
    step: int
    seed: int
    settings: SamplingSettings
    checkpoint: str = ""  # SHA-256 of its weights, where it is known


@dataclass(frozen=True)
class TokenRecord:
    """What is kept of a token that was explained: all but its alternatives, which the model can give again."""

    token: int
    probability: float  # under the model
    drawn_probability: float  # after penalties, temperature and filters
    rank: int
    entropy: float  # nats


_RECORD = struct.Struct("<iffif")  # the fields of TokenRecord in their order


def pack(records: Iterable[TokenRecord]) -> bytes:
    """The records one behind the other, 20 bytes each: packed pieces may be joined."""
    return b"".join(_RECORD.pack(r.token, r.probability, r.drawn_probability, r.rank, r.entropy) for r in records)


def unpack(packed: bytes) -> list[TokenRecord]:
    """The records of `pack`. Raises ValueError for bytes that are none."""
    if len(packed) % _RECORD.size:
        raise ValueError(f"{len(packed)} bytes are no records of {_RECORD.size}")
    return [TokenRecord(*fields) for fields in _RECORD.iter_unpack(packed)]


def record_of(detail: TokenDetail) -> TokenRecord:
    """What is kept of the details of a token."""
    return TokenRecord(detail.token, detail.probability, detail.drawn_probability, detail.rank, detail.entropy)


@dataclass(frozen=True)
class Node:
    """A piece of text that follows its parent's; a root follows nothing. It is never changed, only followed."""

    id: int
    parent: int | None
    author: Author
    text: str
    created: float  # Unix time
    origin: Origin | None = None  # of what a model wrote
    tokens: int = 0  # that the model drew
    tokens_per_second: float = 0.0
    reason: str = ""  # why it ended: length, stop, cancelled, failed; empty while it is being written
    notices: tuple[str, ...] = ()
    bookmarked: bool = False
    deleted: bool = False


@dataclass
class Tree:
    """The nodes of one session by their ids, in the order in which they were written."""

    nodes: Mapping[int, Node] = field(default_factory=dict)

    @property
    def roots(self) -> list[Node]:
        """The nodes without a parent; deleted ones are left out."""
        return self.children(None)

    def children(self, parent: int | None) -> list[Node]:
        """The nodes that follow `parent`, siblings of each other; deleted ones are left out."""
        return [node for node in self.nodes.values() if node.parent == parent and not node.deleted]

    def path(self, leaf: int | None) -> list[Node]:
        """The nodes from a root to `leaf`: one text."""
        path = []
        while leaf is not None:
            node = self.nodes[leaf]
            path.append(node)
            leaf = node.parent
        return path[::-1]

    def text(self, leaf: int | None) -> str:
        """The text of the path to `leaf`."""
        return "".join(node.text for node in self.path(leaf))

    def walk(self, roots: Sequence[Node] | None = None, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """Every node that is not deleted with its depth, each before those that follow it."""
        waiting = [(depth, node) for node in reversed(self.roots if roots is None else roots)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node
            waiting += [(depth + 1, child) for child in reversed(self.children(node.id))]
