"""A canvas of braille dots: each terminal cell holds 2 across and 4 down, and has one colour."""

from __future__ import annotations

_BITS = (
    (0x01, 0x08),
    (0x02, 0x10),
    (0x04, 0x20),
    (0x40, 0x80),
)  # [row in cell][column in cell], as Unicode orders them
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
