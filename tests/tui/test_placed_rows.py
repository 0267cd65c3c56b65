"""Rows as terminals with other ideas of widths show them: what stands beside doubtful text is in its column."""

import random
import re
from collections.abc import Callable
from functools import partial

import pytest
from minigpt_tui.tui.placed_rows import placed
from minigpt_tui.tui.text.wrapping import most_cells
from rich.cells import get_character_cell_size
from rich.console import Console
from rich.segment import Segment
from textual._compositor import Compositor, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from .nasty_text import nasty_text

LEFT, RIGHT = 24, "│ loss 1.64 │"
ESCAPE = re.compile(r"\x1b\[([0-9;]*)([Hm])")

TERMINALS: dict[str, Callable[[str], int]] = {
    "as rich": get_character_cell_size,
    "vowel signs and parts of emoji count": most_cells,
    "all in one cell": lambda character: 1,
    "no cell for what is not Latin": lambda character: int(ord(character) < 0x300),
    "two cells for what is not Latin": lambda character: 1 + (ord(character) >= 0x300 and character != "│"),
}


def shown(sequence: str, width: Callable[[str], int], columns: int) -> str:
    """The first row of a terminal that was sent `sequence`, and that does not wrap lines."""
    row, column, position = [" "] * columns, 0, 0
    while position < len(sequence):
        if escape := ESCAPE.match(sequence, position):
            if escape[2] == "H":
                column = int(escape[1].split(";")[1]) - 1
            position = escape.end()
            continue
        character = sequence[position]
        assert character >= " ", "no control but those of the row itself"
        position += 1
        if not (cells := 1 if character in " │…" or character.isascii() else width(character)):
            continue
        at = min(column, columns - cells)
        if row[at] == "":  # the right half of a wide one loses its left
            row[at - 1] = " "
        row[at : at + cells] = [character, ""][:cells]
        if at + cells < columns and row[at + cells] == "":
            row[at + cells] = " "
        column = at + cells
    return "".join(cell or "\0" for cell in row)


def painted(*strips: Strip) -> str:
    update = LayoutUpdate([strips], Region(0, 0, sum(strip.cell_length for strip in strips), 1))
    return placed(update, Compositor()).render_segments(Console())


@pytest.mark.parametrize("terminal", list(TERMINALS))
def test_what_is_beside_any_text_stays_in_its_column(terminal: str) -> None:
    rng = random.Random(11)
    see = partial(shown, width=TERMINALS[terminal], columns=LEFT + len(RIGHT))
    for _ in range(1500):
        words = [Segment(nasty_text(rng, 12).replace("\t", " ").replace("\u200d", "")) for _ in range(3)]
        text = Strip(words).adjust_cell_length(LEFT - 1)
        row = see(painted(Strip([*text, Segment("│")]), Strip([Segment(RIGHT)])))
        assert row[LEFT - 1 :] == "│" + RIGHT, (row, words)


@pytest.mark.parametrize("terminal", ["as rich", "all in one cell", "no cell for what is not Latin"])
def test_cells_that_narrow_text_leaves_are_emptied(terminal: str) -> None:
    before, text = Strip([Segment("x" * LEFT)]), Strip([Segment("你好 हिन्दी ❤\ufe0f")]).adjust_cell_length(LEFT)
    row = shown(painted(before) + painted(text), TERMINALS[terminal], LEFT)
    assert "x" not in row


def test_plain_rows_are_sent_as_they_are_and_controls_as_symbols() -> None:
    assert painted(Strip([Segment("a  b │ é ● ▌")])) == "\x1b[1;1Ha  b │ é ● ▌"
    hostile = painted(Strip([Segment("\x1b]0;x\x07\x9b31m\u202e\ud800\r\n")]))
    assert "␛]0;x␇\ufffd31m\ufffd\ufffd␍␊" in hostile
