"""A value for each stretch of a text that is edited: who wrote it, how probable a token of it was."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

Value = TypeVar("Value")


class Stretch(NamedTuple, Generic[Value]):
    """The characters from `start` up to `end`, and what is true of them."""

    start: int
    end: int
    value: Value


class Stretches(Generic[Value]):
    """The values of a whole text. Neighbours with the same value become one, and one that is cut keeps its value.

    With `tokens` they are wholes: neighbours stay apart whatever their values, and what is left of one that an edit
    cuts gets the value `blank`, which alone is no whole.
    """

    def __init__(self, blank: Value, *, tokens: bool = False) -> None:
        self.length = 0
        self._blank = blank
        self._tokens = tokens
        self._starts: list[int] = []
        self._values: list[Value] = []

    def append(self, length: int, value: Value) -> None:
        """`length` more characters at the end, if it is more than none."""
        if length <= 0:
            return
        if not self._values or not self._join(self._values[-1], value):
            self._starts.append(self.length)
            self._values.append(value)
        self.length += length

    def replace(self, start: int, end: int, length: int, value: Value) -> None:
        """Instead of the characters from `start` up to `end`, `length` others with this value."""
        self.splice(start, end, [(length, value)])

    def splice(self, start: int, end: int, parts: Iterable[tuple[int, Value]]) -> None:
        """Instead of the characters from `start` up to `end`, those of `parts`: how many, and their value."""
        first = max(0, bisect_right(self._starts, start) - 1)
        behind = bisect_left(self._starts, end)
        if behind < len(self._starts) and start == end == self._starts[behind]:
            first = behind  # between two stretches: neither is cut
        behind = max(first, behind)
        if start == self.length:
            first = behind = len(self._starts)
        pieces = Stretches[Value](self._blank, tokens=self._tokens)
        pieces.length = self._starts[first] if first < len(self._starts) else self.length
        rest_start = self._starts[behind] if behind < len(self._starts) else self.length
        if pieces.length < start:
            pieces.append(start - pieces.length, self._left_of(first))
        for length, value in parts:
            pieces.append(length, value)
        change = pieces.length - end
        if end < rest_start:
            pieces.append(rest_start - end, self._left_of(behind - 1))
        if change:
            self._starts[behind:] = [offset + change for offset in self._starts[behind:]]
        self._starts[first:behind] = pieces._starts
        self._values[first:behind] = pieces._values
        self.length += change
        self._join_at(first + len(pieces._starts))
        self._join_at(first)

    def _left_of(self, index: int) -> Value:
        """The value of what is left of a stretch that was cut."""
        return self._blank if self._tokens else self._values[index]

    def _join(self, one: Value, other: Value) -> bool:
        return one == other and (not self._tokens or one == self._blank)

    def _join_at(self, index: int) -> None:
        """Make one of stretch `index` and that before it where they are alike."""
        if 0 < index < len(self._values) and self._join(self._values[index - 1], self._values[index]):
            del self._starts[index], self._values[index]

    def clear(self) -> None:
        self.length = 0
        self._starts.clear()
        self._values.clear()

    def at(self, offset: int) -> Stretch[Value] | None:
        """The stretch with the character at `offset`; None where there is no such character."""
        return self.numbered(self.number_of(offset)) if 0 <= offset < self.length else None

    def number_of(self, offset: int) -> int:
        """Which stretch has the character at `offset`, counted from 0; -1 before all of them."""
        return bisect_right(self._starts, offset) - 1

    def numbered(self, number: int) -> Stretch[Value] | None:
        """Stretch `number`, None where there is none."""
        if not 0 <= number < len(self._starts):
            return None
        end = self._starts[number + 1] if number + 1 < len(self._starts) else self.length
        return Stretch(self._starts[number], end, self._values[number])

    def between(self, start: int, end: int) -> Iterator[Stretch[Value]]:
        """The stretches that have characters from `start` up to `end`, the first and last whole."""
        number = max(0, self.number_of(start))
        while (stretch := self.numbered(number)) is not None and stretch.start < end:
            yield stretch
            number += 1
