"""Foreign text reaches a terminal without a character that the terminal would obey."""

import unicodedata

import pytest
from minigpt_tui.data.storage.printable import TEXT_DIRECTION, is_plain, printable, visible, without_controls

CONTROLS = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cc"]
HIDDEN = [*CONTROLS, *map(chr, TEXT_DIRECTION), "\u2028", "\u2029"]


@pytest.mark.parametrize("text", ["", "to be", "[bold]", "~ !"])
def test_text_of_printable_ascii_is_plain_and_stays(text: str) -> None:
    assert is_plain(text)
    assert visible(text) == printable(text) == text


@pytest.mark.parametrize("text", ["é", "a\tb", "a\nb", "\x1b[31m", "\u202e"])
def test_other_text_is_not_plain(text: str) -> None:
    assert not is_plain(text)


def test_each_control_character_but_the_tab_is_shown_by_one_symbol() -> None:
    for character in HIDDEN:
        shown = visible(f"a{character}é")
        assert len(shown) == 3
        assert (character in shown) == (character == "\t")
    assert visible("\x1b[31m\n\x7f\x9b") == "␛[31m␊␡\ufffd"


def test_letters_of_every_script_and_emoji_stay() -> None:
    text = "é 汉字 हिन्दी \U0001f469\u200d\U0001f4bb e\u0301"
    assert visible(text) == text


def test_a_foreign_name_is_short_and_has_no_character_that_a_terminal_obeys() -> None:
    assert printable("a\x1b[31mb") == "a?[31mb"
    assert printable("x" * 100) == "x" * 79 + "…"
    assert printable("x" * 10, longest=4) == "xxx…"
    assert printable("".join(HIDDEN), longest=200).isprintable()


def test_only_controls_are_taken_out_of_a_text_that_is_typed() -> None:
    kept = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) != "Cc"]
    assert without_controls("".join(kept)) == "".join(kept)
    assert without_controls("".join(CONTROLS)) == "\t\n\n"
    assert without_controls("one\r\ntwo\rthree\n") == "one\ntwo\nthree\n"
