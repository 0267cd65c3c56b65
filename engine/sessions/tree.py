"""A session: a tree of texts that a person and a model have written.

What one author wrote at once is a source. A node is a part of one source, or several parts one behind the other, and
follows its parent's end. So a node can be cut, copied and merged without a copy of its words, which keep their author
and their records; and **the text that ends at a node is always the same**, whatever is cut, merged or written later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ...data.storage.typed_json import SchemaError, loads
from ..requests import SamplingSettings, SettingsChange

Way = Literal["turns", "document", "chat"]
Author = Literal["person", "model", "note"]


@dataclass(frozen=True)
class Origin:
    """By what a model wrote its words: with the same on the same machine it writes the same tokens again."""

    model: str  # the path of a run folder or of a model on disk
    name: str  # what a person calls it
    step: int
    seed: int
    settings: SamplingSettings
    checkpoint: str = ""  # SHA-256 of its weights, where it is known
    changes: tuple[SettingsChange, ...] = ()  # of the settings while it was written


class Source:
    """What one author wrote at once. It grows while it is being written, and does not change afterwards."""

    __slots__ = ("_notices", "_origin", "author", "created", "id", "reason", "text", "tokens", "tokens_per_second")

    def __init__(
        self,
        id: int,
        author: Author,
        text: str,
        created: float,
        origin: Origin | str | None = None,
        tokens: int = 0,
        tokens_per_second: float = 0.0,
        reason: str = "",
        notices: tuple[str, ...] | str = (),
    ) -> None:
        """`origin` and `notices` may be given as JSON, which is read when it is asked for."""
        self.id = id  # that of the node that it was written as
        self.author: Author = author
        self.text = text
        self.created = created  # Unix time
        self._origin = origin
        self.tokens = tokens  # that the model drew
        self.tokens_per_second = tokens_per_second
        self.reason = reason  # why it ended: written, length, stop, cancelled, failed; empty while it is being written
        self._notices = notices

    @property
    def origin(self) -> Origin | None:
        """By what a model wrote it."""
        if isinstance(self._origin, str):
            try:
                self._origin = loads(Origin, self._origin, f"node {self.id}")
            except SchemaError:  # of another version, or damaged: the words are worth more than where they are from
                self._origin = None
        return self._origin

    @origin.setter
    def origin(self, origin: Origin | None) -> None:
        self._origin = origin

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the person about how it was written."""
        if isinstance(self._notices, str):
            try:
                self._notices = tuple(map(str, json.loads(self._notices)))
            except (ValueError, TypeError, RecursionError):
                self._notices = ()
        return self._notices

    @notices.setter
    def notices(self, notices: tuple[str, ...]) -> None:
        self._notices = notices


class Part(NamedTuple):
    """Characters `start` to `stop` of a source; without `stop` to its end, also where that still grows."""

    source: Source
    start: int = 0
    stop: int | None = None

    @property
    def end(self) -> int:
        """Where it ends now."""
        return len(self.source.text) if self.stop is None else self.stop

    @property
    def length(self) -> int:
        """Characters."""
        return self.end - self.start

    @property
    def text(self) -> str:
        """Its words."""
        return self.source.text[self.start : self.stop]

    def cut(self, at: int) -> tuple[Part, Part]:
        """What stands before and behind its character number `at`."""
        return Part(self.source, self.start, self.start + at), Part(self.source, self.start + at, self.stop)


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same text in as few parts as can be: empty ones go, and those that adjoin in their source become one."""
    result: list[Part] = []
    for part in parts:
        last = result[-1] if result else None
        if last is not None and last.source is part.source and last.end == part.start and last.stop is not None:
            result[-1] = Part(last.source, last.start, part.stop)
        elif part.length:
            result.append(part)
    return tuple(result)


def cut(parts: Sequence[Part], at: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts before and behind character number `at` of their text; the last one still ends where it ended."""
    before: list[Part] = []
    for number, part in enumerate(parts):
        if at < part.length:
            head, rest = part.cut(at)
            return joined([*before, head]), (rest, *parts[number + 1 :])
        if at == part.length and part.stop is None and number == len(parts) - 1:  # what it grows by stands behind
            head, rest = part.cut(at)
            return joined([*before, head]), (rest,)
        before.append(part)
        at -= part.length
    return tuple(before), ()


def between(parts: Iterable[Part], start: int, stop: int | None = None) -> Iterator[Part]:
    """The parts of characters `start` to `stop` of the text of `parts`; at most as long as that is now."""
    at = 0
    for part in parts:
        length = part.length
        begin, end = max(start, at), at + length
        if stop is not None and stop <= end:
            if begin < stop:
                yield Part(part.source, part.start + begin - at, part.start + stop - at)
            return
        if begin == at and part.stop is not None and length:
            yield part
        elif begin < end:
            yield Part(part.source, part.start + begin - at, part.start + length)
        at = end


class Node:
    """A piece of a text that follows its parent's; a root follows nothing."""

    __slots__ = ("_length", "_parts", "_sources", "bookmarked", "deleted", "id", "merged", "opened", "parent")

    def __init__(
        self,
        id: int,
        parent: int | None,
        parts: tuple[Part, ...] | str,
        sources: Mapping[int, Source] | None = None,
        *,
        bookmarked: bool = False,
        deleted: bool = False,
        merged: bool = False,
        opened: int = 0,
    ) -> None:
        """`parts` may be given as `packed_parts` has them, to be looked up in `sources` when they are asked for."""
        self.id = id
        self.parent = parent
        self._parts = parts
        self._length: int | None = None  # once it cannot change any more
        self._sources = sources
        self.bookmarked = bookmarked
        self.deleted = deleted  # with all that follows it
        self.merged = merged  # into a node that followed it: it is in no list, but its end is still a place
        self.opened = opened  # the greater, the later the person was at its end; 0 for never

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it is made of, at least one part."""
        if isinstance(self._parts, str):
            assert self._sources is not None
            self._parts = unpacked(self._parts, self._sources)
        return self._parts

    @parts.setter
    def parts(self, parts: tuple[Part, ...]) -> None:
        self._parts, self._length = parts, None

    @property
    def first_source(self) -> int:
        """The id of the source of its first words."""
        if isinstance(self._parts, str):  # the list of a long copy need not be read for that
            number, _, _ = self._parts[2:24].partition(",")
            return int(number) if number.isdecimal() else 0
        return self._parts[0].source.id

    @property
    def text(self) -> str:
        """Its words."""
        parts = self.parts
        return parts[0].text if len(parts) == 1 else "".join(part.text for part in parts)

    @property
    def length(self) -> int:
        """How many characters it has."""
        if self._length is not None:
            return self._length
        parts = self.parts
        length = sum(part.length for part in parts)
        if parts[-1].stop is not None:
            self._length = length
        return length

    def begin(self, characters: int) -> str:
        """Its first characters."""
        return "".join(part.text[:characters] for part in between(self.parts, 0, characters))

    @property
    def whole(self) -> bool:
        """Whether it is all that its source has: it was neither cut nor copied nor merged."""
        (source, start, stop), *others = self.parts
        return not others and (start, stop) == (0, None) and source.id == self.id

    @property
    def source(self) -> Source:
        """What its last words are from."""
        return self.parts[-1].source

    @property
    def author(self) -> Author | Literal["both"]:
        """Who wrote it."""
        first, *others = self.parts
        return first.source.author if all(part.source.author == first.source.author for part in others) else "both"

    # What follows is about all that its last words are from, also where it is but a part of that.

    @property
    def created(self) -> float:
        """When its last words were begun, a Unix time."""
        return self.source.created

    @property
    def origin(self) -> Origin | None:
        """By what a model wrote its last words."""
        return self.source.origin

    @property
    def tokens(self) -> int:
        """How many tokens the model drew."""
        return self.source.tokens

    @property
    def tokens_per_second(self) -> float:
        """How fast it drew them."""
        return self.source.tokens_per_second

    @property
    def reason(self) -> str:
        """Why its last words ended; empty while they are being written."""
        return self.source.reason

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about how they were written."""
        return self.source.notices


def packed(parts: Iterable[Part]) -> str:
    """Parts as JSON: the id of each source, with start and stop."""
    return json.dumps([(part.source.id, part.start, part.stop) for part in parts], separators=(",", ":"))


def unpacked(parts: str, sources: Mapping[int, Source]) -> tuple[Part, ...]:
    """The parts of `packed`; what is damaged is one part without words."""
    try:
        result = tuple(Part(sources[number], start, stop) for number, start, stop in json.loads(parts))
        if result and all(0 <= part.start <= part.end <= len(part.source.text) for part in result):
            return result
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return (Part(Source(0, "note", "", 0.0, reason="lost")),)


class Tree:
    """The nodes of one session by their ids."""

    def __init__(self, nodes: Iterable[Node] = (), sources: dict[int, Source] | None = None) -> None:
        self.sources = sources if sources is not None else {}  # all that was written, by the nodes it was written as
        self.nodes: dict[int, Node] = {}
        self._children: dict[int | None, list[Node]] = {}
        for node in nodes:
            self.nodes[node.id] = node
            self._children.setdefault(node.parent, []).append(node)
        for siblings in self._children.values():
            if len(siblings) > 1:
                siblings.sort(key=_place_among_siblings)

    def add(self, node: Node) -> None:
        """Put a node into its place."""
        self.nodes[node.id] = node
        siblings = self._children.setdefault(node.parent, [])
        siblings.append(node)
        siblings.sort(key=_place_among_siblings)

    def remove(self, node: Node) -> None:
        """Take out a node that nothing follows."""
        del self.nodes[node.id]
        self._children[node.parent].remove(node)

    def change(self, node: Node, parent: int | None, parts: tuple[Part, ...]) -> None:
        """Give a node another beginning, so that the text that ends there stays the same."""
        self._children[node.parent].remove(node)
        node.parent, node.parts = parent, parts
        self.add(node)

    @property
    def roots(self) -> list[Node]:
        """The nodes without a parent; deleted ones are left out."""
        return self.children(None)

    def children(self, parent: int | None, *, deleted: bool = False) -> list[Node]:
        """The nodes that follow `parent`, siblings of each other; deleted ones only where they are asked for."""
        return [
            node
            for node in self._children.get(parent, ())
            if not node.merged and (deleted or not node.deleted)
        ]  # fmt: skip

    def path(self, leaf: int | None) -> list[Node]:
        """The nodes from a root to `leaf`: one text."""
        path: list[Node] = []
        while leaf is not None and (node := self.nodes.get(leaf)) and len(path) < len(self.nodes):
            path.append(node)
            leaf = node.parent
        return path[::-1]

    def text(self, leaf: int | None) -> str:
        """The text of the path to `leaf`."""
        return "".join(node.text for node in self.path(leaf))

    def walk(
        self, roots: Sequence[Node] | None = None, depth: int = 0, *, deleted: bool = False
    ) -> Iterator[tuple[int, Node]]:
        """Every node with its depth, each before those that follow it; deleted ones only where they are asked for.

        What follows a deleted node is left out with it.
        """
        waiting = [(depth, node) for node in reversed(self.children(None, deleted=deleted) if roots is None else roots)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node
            if not node.deleted:
                waiting += [(depth + 1, child) for child in reversed(self.children(node.id, deleted=deleted))]

    def all_nodes(self) -> Iterator[Node]:
        """Every node, each behind its parent, also what is deleted and merged."""
        waiting = list(reversed(self._children.get(None, ())))
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(self._children.get(node.id, ()))


def _place_among_siblings(node: Node) -> tuple[int, int]:
    """In the order in which their first words were written: what is cut or merged stays where it stood."""
    return node.first_source, node.id
