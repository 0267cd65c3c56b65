"""Text in ASCII takes the cells that it took before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_tui.tui.text.ascii_text import ascii_cells
from rich.cells import cell_len


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [b]text[/b]", "plain [b]text[/b]"),
        ("╭─ turns ──╮", "+- turns --+"),
        ("┏━ turns ━━┓", "+= turns ==+"),
        ("│┃├┤", "||++"),
        ("━━╸ ╺━", "=== =="),
        ("▌█▁⠤⠀", "|#_: "),
        ("● ○ ✓ ✗ ▸ → ↓ · …", "* o + x > > v - ~"),
        ("“Déjà vu” — naïve", '"Deja vu" - naive'),
        ("日本語 \u00a0", "??????  "),
        ("👩‍👩‍👧 e\u0301", "?? e"),
        ("Ωk", "?k"),
    ],
)
def test_what_stands_for_what(text: str, shown: str):
    assert ascii_cells(text) == shown


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12))
def test_any_text_takes_as_many_cells(text: str):
    shown = ascii_cells(text)
    assert shown.isascii()
    assert cell_len(shown) == cell_len(text)
