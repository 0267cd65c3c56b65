"""A canvas of braille dots: each terminal cell holds 2 across and 4 down, and has one colour."""

from __future__ import annotations

_BITS = (
    (0x01, 0x08),
    (0x02, 0x10),
    (0x04, 0x20),
    (0x40, 0x80),
)  # [row in cell][column in cell], as Unicode orders them
_SPANS = [[[sum(_BITS[row][column] for row in range(first, last + 1)) for last in range(4)] for first in range(4)]
          for column in range(2)]  # [column in cell][first row in it][last row in it]  # fmt: skip
_PATTERNS = [chr(0x2800 + dots) if dots else " " for dots in range(256)]
_UPPER, _LOWER = 0x01 | 0x08 | 0x02 | 0x10, 0x04 | 0x20 | 0x40 | 0x80


class Canvas:
    """`columns` x `rows` cells, so twice as many dots across and four times as many down; (0, 0) is at the top left.

    A cell has one colour, so what is drawn last owns it: dots of another `ink` in the same cell make room. Dots beside
    the canvas are left out.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.width, self.height = 2 * columns, 4 * rows
        self._dots = bytearray(columns * rows)
        self._inks = bytearray(columns * rows)

    def dot(self, x: int, y: int, ink: int) -> None:
        """Set one dot; `ink` is 1 to 255."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return
        cell = y // 4 * self.columns + x // 2
        if self._inks[cell] != ink:
            self._inks[cell] = ink
            self._dots[cell] = 0
        self._dots[cell] |= _BITS[y % 4][x % 2]

    def line(self, x0: int, y0: int, x1: int, y1: int, ink: int) -> None:
        """Connect two dots, both included."""
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(steps + 1):
            self.dot(x0 + round(i * (x1 - x0) / steps), y0 + round(i * (y1 - y0) / steps), ink)

    def upright(self, x: int, y0: int, y1: int, ink: int) -> None:
        """Set all dots of a column of them between two rows, both included and in either order."""
        if not 0 <= x < self.width:
            return
        top, bottom = (y0, y1) if y0 <= y1 else (y1, y0)
        top, bottom = 0 if top < 0 else top, self.height - 1 if bottom >= self.height else bottom
        if top > bottom:
            return
        spans, inks, dots = _SPANS[x % 2], self._inks, self._dots
        cell, last = top // 4 * self.columns + x // 2, bottom // 4 * self.columns + x // 2
        first = top % 4
        while cell < last:
            if inks[cell] != ink:
                inks[cell], dots[cell] = ink, 0
            dots[cell] |= spans[first][3]
            cell, first = cell + self.columns, 0
        if inks[cell] != ink:
            inks[cell], dots[cell] = ink, 0
        dots[cell] |= spans[first][bottom % 4]

    def row_inks(self, row: int) -> bytes:
        """The inks of a row of cells, 0 for an empty one."""
        return bytes(self._inks[row * self.columns : (row + 1) * self.columns])

    def row_braille(self, row: int) -> str:
        """A row of cells as braille patterns."""
        return "".join([_PATTERNS[dots] for dots in self._dots[row * self.columns : (row + 1) * self.columns]])

    def ink(self, column: int, row: int) -> int:
        """The ink that owns a cell, 0 for an empty one."""
        return self._inks[row * self.columns + column]

    def braille(self, column: int, row: int) -> str:
        """A cell as a braille pattern, a space where nothing is drawn."""
        dots = self._dots[row * self.columns + column]
        return chr(0x2800 + dots) if dots else " "

    def halves(self, column: int, row: int) -> str:
        """A cell for fonts without braille: ' for dots in its upper half, . in its lower half, : in both."""
        dots = self._dots[row * self.columns + column]
        return " '.:"[bool(dots & _UPPER) + 2 * bool(dots & _LOWER)]
