"""The blanks with which a speech begins behind a name."""

from __future__ import annotations

import pytest
from minigpt_tui.engine.requests import Tokens
from minigpt_tui.tui.dialogue import LeadingBlanks

from .scripted_engine import letter


@pytest.mark.parametrize("size", [1, 2, 5])
def test_blanks_go_and_the_tokens_stay(size: int):
    blanks, text, words = LeadingBlanks(), "  \tAy me", ""
    for start in range(0, len(text), size):
        part = text[start : start + size]
        piece = blanks.without(Tokens(1, part, len(part), details=tuple(map(letter, part))))
        assert [detail.text for detail in piece.details] == list(part)
        assert sum(detail.characters for detail in piece.details) == len(piece.text)
        words += piece.text
    assert words == "Ay me"


def test_each_sample_has_its_own():
    blanks = LeadingBlanks()
    pieces = [blanks.without(Tokens(1, " a", 1, sample)).text for sample in (0, 1, 0)]
    assert pieces == ["a", "a", " a"]
