import random
import unicodedata

import pytest
from minigpt_tui.data.storage.printable import is_plain, visible
from minigpt_tui.tui.text.wrapping import MAX_CLUSTER, clusters, is_simple, most_cells, runs, snap, tab_cells, wrap
from rich.cells import cell_len

from ..nasty_text import nasty_text


def cells(row: str, width: int) -> int:
    """The width of a row as it is painted."""
    column = 0
    for start, end in runs(row):
        column += tab_cells(column, width) if row[start:end] == "\t" else cell_len(visible(row[start:end]))
    return column


@pytest.mark.parametrize(
    ("text", "width", "rows"),
    [
        ("", 5, [""]),
        ("to be or not", 6, ["to be ", "or not"]),
        ("to be or not", 5, ["to be ", "or ", "not"]),
        ("to  be", 3, ["to  ", "be"]),
        ("to    be", 3, ["to  ", "  ", "be"]),
        ("honorificabilitudinitatibus", 10, ["honorifica", "bilitudini", "tatibus"]),
        ("a honorificabilitudinitatibus", 10, ["a ", "honorifica", "bilitudini", "tatibus"]),
        ("你好世界", 5, ["你好", "世界"]),
        ("abc你好", 4, ["abc", "你好"]),
        ("cafe\u0301 au lait", 5, ["cafe\u0301 ", "au ", "lait"]),
        ("👩\u200d💻👩\u200d💻", 2, ["👩\u200d💻", "👩\u200d💻"]),
        ("a\tb\tc", 8, ["a\tb\t", "c"]),
    ],
)
def test_rows(text: str, width: int, rows: list[str]):
    assert wrap(text, width) == rows


def test_no_character_is_lost_no_row_is_too_long_and_order_of_arrival_is_of_no_matter():
    rng = random.Random(5)
    for _ in range(2000):
        text, width = nasty_text(rng), rng.randint(4, 20)
        rows = wrap(text, width)
        assert "".join(rows) == text
        assert all(cells(row, width) <= width + 1 for row in rows)
        grown, position = [""], 0
        while position < len(text):
            step = rng.randint(1, 6)
            grown[-1:] = wrap(grown[-1] + text[position : position + step], width)
            position += step
        assert grown == rows


def test_plain_text_breaks_where_text_with_accents_does():
    rng = random.Random(6)
    for _ in range(1000):
        text, width = "".join(rng.choice("abcd   ") for _ in range(rng.randint(1, 60))), rng.randint(4, 20)
        for other in ("é", "\u0939"):
            assert wrap(text.replace("a", other), width) == [row.replace("a", other) for row in wrap(text, width)]


def test_simple_characters_are_glyphs_of_one_cell_that_nothing_hides():
    simple = [character for character in map(chr, range(0x11000)) if is_simple(character)]
    assert len(simple) > 1500
    for character in simple:
        assert most_cells(character) == cell_len(character) == 1
        assert visible(character) == character
        assert not unicodedata.combining(character)
        assert list(clusters("a" + character)) == [(0, 1), (1, 2)]
    assert is_simple("«\u00a0Löwe – Ёж “שלום” سلام\u00a0»")
    assert not any(map(is_simple, ["\t", "\n", "\x1b", "你", "e\u0301", "\u200d", "\u202e", "\xad"]))


def test_control_characters_are_shown_and_keep_their_number():
    assert visible("a\x1b[31m\x00\x7f\n\r\t") == "a␛[31m␀␡␊␍\t"
    assert visible("\x9b\u202e\u2028") == "\ufffd\ufffd\u2424"
    rng = random.Random(7)
    for _ in range(500):
        text = nasty_text(rng)
        shown = visible(text)
        assert len(shown) == len(text)
        assert not any(ord(character) < 32 and character != "\t" for character in shown)
        assert "\x7f" not in shown
        assert "\x9b" not in shown


def test_glyphs_cover_the_text_and_are_bounded():
    rng = random.Random(8)
    for text in [nasty_text(rng) for _ in range(500)] + ["e" + "\u0301" * 1000, "\u200d" * 1000]:
        parts = list(clusters(text))
        assert "".join(text[start:end] for start, end in parts) == text
        assert all(0 < end - start <= MAX_CLUSTER for start, end in parts)
        assert "".join(text[start:end] for start, end in runs(text)) == text


def test_marks_without_end_do_not_make_one_endless_row():
    rows = wrap("e" + "\u0301" * 10_000, 20)
    assert max(map(len, rows)) <= 20 * MAX_CLUSTER


def test_an_index_inside_a_glyph_moves_behind_it():
    text = "a👩\u200d💻e\u0301b"
    assert [snap(text, index) for index in range(len(text) + 1)] == [0, 1, 4, 4, 4, 6, 6, 7]
    assert snap("plain", 3) == 3


def test_plain_is_one_cell_a_character():
    assert is_plain("to be, or [not]")
    assert not any(map(is_plain, ["\t", "\n", "é", "\x1b", "你"]))
