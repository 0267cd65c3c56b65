"""The one-line fields take what file names and stop strings are made of."""

from __future__ import annotations

import pytest
from minigpt_tui.tui.widgets.text_input import TextInput
from textual import events

from ..host import Host

NAME = "Schermata\u202f2024 \xa0\u200c\xad\U0001fae8\u3000\u2028.txt"


@pytest.mark.parametrize("pasted", [True, False], ids=["pasted", "typed"])
async def test_all_that_is_no_control_arrives(pasted: bool) -> None:
    field = TextInput()
    async with Host(field).run_test() as pilot:
        field.value, field.cursor_position = "ab", 1
        if pasted:
            field.post_message(events.Paste(NAME + "\x1b\r\nsecond line"))
        else:
            for character in NAME:
                field.post_message(events.Key("unnamed", character))
        await pilot.pause()
        assert field.value == f"a{NAME}b"


async def test_what_is_selected_is_replaced_and_keys_without_text_do_nothing() -> None:
    field = TextInput()
    async with Host(field).run_test() as pilot:
        field.focus()
        field.value = "old"
        await pilot.press("f5", "ctrl+j")
        assert field.value == "old"
        field.select_all()
        field.post_message(events.Key("no_break_space", "\xa0"))
        await pilot.pause()
        assert field.value == "\xa0"
        field.post_message(events.Paste(""))
        await pilot.pause()
        assert field.value == "\xa0"
