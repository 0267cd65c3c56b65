"""Styles are parsed once for as long as the theme stays, and what is wrong with them is still found."""

from __future__ import annotations

import pytest
from minigpt_tui.tui.stylesheet import CachedStylesheet
from textual.css.stylesheet import StylesheetParseError

ONE, OTHER = ("one.tcss", ""), ("other.tcss", "")


def test_a_source_that_is_added_leaves_the_rules_of_the_others():
    sheet = CachedStylesheet(variables={"accent": "red"})
    sheet.add_source("Label { color: $accent; }", ONE)
    (before,) = sheet.rules
    sheet.add_source("Button { color: $accent; }", OTHER)
    sheet.reparse()
    assert len(sheet.rules) == 2
    assert sheet.rules[0] is before


def test_other_variables_give_other_rules():
    sheet = CachedStylesheet(variables={"accent": "red"})
    sheet.add_source("Label { color: $accent; }", ONE)
    (before,) = sheet.rules
    sheet.set_variables({"accent": "red"})
    sheet.reparse()
    assert sheet.rules == [before]
    sheet.set_variables({"accent": "blue"})
    sheet.reparse()
    (after,) = sheet.rules
    assert (before.styles.color.hex, after.styles.color.hex) == ("#FF0000", "#0000FF")


def test_a_source_that_cannot_be_read_is_refused_and_the_rules_stay():
    sheet = CachedStylesheet()
    sheet.add_source("Label { color: red; }", ONE)
    rules = sheet.rules
    sheet.add_source("Button { color: nosuchcolour; }", OTHER)
    with pytest.raises(StylesheetParseError):
        sheet.reparse()
    assert sheet._rules is rules
