r"""What a backslash means in a prompt and in a stop string."""

from __future__ import annotations

import pytest
from minigpt_tui.tui.text.escapes import unescaped
from minigpt_tui.tui.widgets.sampling_panel import FOLDED


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"one\ntwo\tthree\r", "one\ntwo\tthree\r"),
        (r"\u2028\u00e9\u00E9\xe9\U0001f642", "\u2028ééé\U0001f642"),
        (r"\\n is a backslash and an n", r"\n is a backslash and an n"),
        (r"\section{x} \d+ C:\Windows", r"\section{x} \d+ C:\Windows"),
        (r"\u20 \x \Uffffffff", r"\u20 \x \Uffffffff"),
        ("ends with \\", "ends with \\"),
        ("", ""),
        ("no escape, é\n", "no escape, é\n"),
    ],
)
def test_the_escapes_of_python_are_meant_and_nothing_else(written: str, meant: str) -> None:
    assert unescaped(written) == meant


@pytest.mark.parametrize("written", [r"one\n", r"\t", r"\u2028", r"a\\b", r"\d", "é"])
def test_a_stop_string_means_the_same_in_the_field_of_the_app(written: str) -> None:
    (field,) = (field for field in FOLDED if field.name == "stop")
    assert field.value(written) == (unescaped(written),)
