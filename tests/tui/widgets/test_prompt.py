import sys
import unicodedata
from random import Random

import pytest
from minigpt_tui.tui.widgets.prompt import TALLEST, Prompt
from textual import events
from textual._xterm_parser import XTermParser
from textual.pilot import Pilot

from ..host import Host
from ..waiting import wait_until


class PromptHost(Host):
    """Collects what the prompt sends."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__(prompt)
        self.prompt = prompt
        self.sent: list[str] = []
        self.escapes = 0

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        self.sent.append(message.text)

    def key_escape(self) -> None:
        self.escapes += 1


async def type_text(pilot: Pilot, text: str) -> None:
    await pilot.press(*("space" if character == " " else character for character in text))


async def test_enter_sends_and_empties_the_field():
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        await type_text(pilot, "to be")
        await pilot.press("enter")
        await pilot.pause()
        assert app.sent == ["to be"]
        assert app.prompt.text == ""
        await pilot.press("enter")
        await pilot.pause()
        assert app.sent == ["to be", ""], "an empty prompt is sent too: the owner decides"
        assert app.prompt.earlier == ["to be"], "but it is not worth remembering"


@pytest.mark.parametrize("key", ["shift+enter", "ctrl+j", "alt+enter"])
async def test_line_breaks_do_not_send(key: str):
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        await pilot.press("a", key, "b")
        assert app.prompt.text == "a\nb"
        assert app.sent == []


async def test_alt_and_a_letter_is_no_text_and_comes_to_the_owner():
    class Owner(PromptHost):
        BINDINGS = [("alt+e", "keep", "")]
        kept = 0

        def action_keep(self) -> None:
            self.kept += 1

    app = Owner(Prompt())
    async with app.run_test() as pilot:
        for letter in "et":  # as a terminal sends them: Escape and the letter
            app.post_message(events.Key(f"alt+{letter}", letter))
        await wait_until(pilot, lambda: app.kept == 1)
        await pilot.pause()
        assert app.prompt.text == ""
        assert (app.prompt.text, app.kept) == ("", 1)


async def test_grows_with_its_text_up_to_a_limit_and_shows_all_of_it():
    app = PromptHost(Prompt())
    async with app.run_test(size=(40, 24)) as pilot:
        assert app.prompt.size.height == 1
        for rows in (2, 3):
            await pilot.press("ctrl+j")
            await wait_until(pilot, lambda rows=rows: app.prompt.size.height == rows)
            assert app.prompt.scroll_offset.y == 0
        app.prompt.restore("word " * 40)
        await wait_until(pilot, lambda: app.prompt.size.height == 6)
        app.prompt.restore("\n" * 50)
        await wait_until(pilot, lambda: app.prompt.size.height == TALLEST)
        app.prompt.restore("")
        await wait_until(pilot, lambda: app.prompt.size.height == 1)


async def test_up_and_down_walk_through_earlier_prompts_and_keep_the_draft():
    app = PromptHost(Prompt(earlier=["first", "second\nline"]))
    async with app.run_test() as pilot:
        await type_text(pilot, "draft")
        await pilot.press("up")
        assert app.prompt.text == "second\nline"
        await pilot.press("up")
        assert app.prompt.text == "second\nline", "within a text of two lines, up first goes to its first line"
        await pilot.press("up")
        assert app.prompt.text == "first"
        await pilot.press("up")
        assert app.prompt.text == "first", "there is nothing before the oldest"
        await pilot.press("down", "down")
        assert app.prompt.text == "draft"
        await pilot.press("down")
        assert app.prompt.text == "draft"


async def test_what_was_sent_can_be_walked_to_and_sent_again():
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        await pilot.press("a", "enter", "b", "enter", "up", "up", "enter")
        await pilot.pause()
        assert app.sent == ["a", "b", "a"]
        assert app.prompt.earlier == ["a", "b", "a"]
        await pilot.press("up", "enter")
        await pilot.pause()
        assert app.prompt.earlier == ["a", "b", "a"], "sending the newest again adds no second entry"


async def test_restore_puts_a_prompt_back_as_the_draft():
    app = PromptHost(Prompt(earlier=["old"]))
    async with app.run_test() as pilot:
        app.prompt.restore("not [sent] yet")
        await type_text(pilot, "!")
        assert app.prompt.text == "not [sent] yet!"
        await pilot.press("up", "down")
        assert app.prompt.text == "not [sent] yet!"


async def test_paste_of_lines_is_inserted_and_not_sent():
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        await type_text(pilot, "ab")
        await pilot.press("left")
        app.prompt.post_message(events.Paste("one\r\ntwo\rthree\x1b[31m\tfour\n"))
        await wait_until(pilot, lambda: "four" in app.prompt.text)
        assert app.prompt.text == "aone\ntwo\nthree[31m\tfour\nb"
        assert app.sent == []


UNPRINTABLE = (
    "\xab\xa0oui\xa0\xbb quoi\u202f?\u3000\u6625 \u0645\u06cc\u200c\u0631 \U0001f468\u200d\U0001f469 \U0001fae8 "
    "so\xadft \u2028\u2029 \ufeff\u200e e\u0301"
)


async def test_all_that_is_no_control_can_be_typed_and_is_sent_as_it_was():
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        for character in UNPRINTABLE:
            app.prompt.post_message(events.Key(unicodedata.name(character, "unnamed").lower(), character))
        await wait_until(pilot, lambda: len(app.prompt.text) >= len(UNPRINTABLE))
        assert app.prompt.text == UNPRINTABLE
        await pilot.press("enter")
        await pilot.pause()
        assert app.sent == [UNPRINTABLE]
        await pilot.press("up")
        assert app.prompt.text == UNPRINTABLE, "a prompt of earlier comes back as it was"


async def test_all_that_is_no_control_can_be_pasted_and_taken_back():
    every = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) not in ("Cc", "Cs"))
    pasted = every[::97] + UNPRINTABLE
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "left")
        app.prompt.post_message(events.Paste(pasted + "\x1b[31m\x9b\x85"))
        await wait_until(pilot, lambda: len(app.prompt.text) > 2)
        assert app.prompt.text == "a" + pasted + "[31m" + "b"
        await pilot.press("ctrl+z")
        assert app.prompt.text == "ab"


def random_text(random: Random) -> str:
    """Up to twenty characters from anywhere in Unicode, most of them from where Python and terminals disagree."""
    ranges = [(0x20, 0x7F), (0xA0, 0x2FF), (0x300, 0x10FF), (0x2000, 0x206F), (0x3000, 0x30FF), (0xFE00, 0xFE0F),
              (0x1F000, 0x1FBFF), (0xE000, 0xE0FF), (0xE0000, 0xE01EF), (0x4E00, 0x9FFF), (0x80, 0x10FFFF)]  # fmt: skip
    codes = [random.randint(*random.choice(ranges)) for _ in range(random.randint(1, 20))]
    return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000 and not 0x7F <= code < 0xA0)


async def test_random_texts_that_a_terminal_sends_arrive_as_they_are():
    random, app = Random(12), PromptHost(Prompt())
    async with app.run_test() as pilot:
        for number in range(50):
            text = random_text(random)
            lines = text[: len(text) // 2] + random.choice(["\r", "\r\n", "\n", "\t"]) + text[len(text) // 2 :]
            sent, arrives = (text, text) if number % 2 else (f"\x1b[200~{lines}\x07\x1b[201~", lines)
            arrives = arrives.replace("\r\n", "\n").replace("\r", "\n")
            app.prompt.restore("")
            for event in XTermParser().feed(sent):
                app.prompt.post_message(event)
            await pilot.pause()
            assert app.prompt.text == arrives, ascii(sent)
            await pilot.press("enter")
            await pilot.pause()
            assert app.sent[-1] == arrives


async def test_what_would_break_or_reorder_a_line_is_drawn_as_a_symbol():
    app = PromptHost(Prompt())
    async with app.run_test(size=(40, 5)) as pilot:
        app.prompt.restore("one\u2028two \u202eevil")
        await pilot.pause()
        assert app.prompt.render_line(0).text.rstrip() == "one\u2424two \ufffdevil"
        assert app.prompt.text == "one\u2028two \u202eevil"


async def test_escape_is_left_to_the_screen():
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        await pilot.press("a", "escape")
        await pilot.pause()
        assert app.escapes == 1
        assert app.prompt.text == "a"


async def test_one_may_type_while_a_reply_streams():
    app = PromptHost(Prompt())
    async with app.run_test() as pilot:
        app.prompt.busy = True
        await type_text(pilot, "next")
        assert app.prompt.text == "next"
        assert app.prompt.has_class("-busy")


async def test_a_placeholder_is_no_markup():
    app = PromptHost(Prompt(placeholder="ask [/play-01] something"))
    async with app.run_test(size=(40, 5)):
        assert app.prompt.render_line(0).text.rstrip() == "ask [/play-01] something"


async def test_a_hint_that_does_not_fit_loses_its_last_part_and_gets_it_back():
    async with PromptHost(Prompt()).run_test(size=(40, 10)) as pilot:
        prompt = pilot.app.query_one(Prompt)
        prompt.show_hint("Enter trains a model · or type the path of a text")
        await pilot.pause()
        assert str(prompt.placeholder) == "Enter trains a model"
        await pilot.resize_terminal(60, 10)
        await wait_until(pilot, lambda: str(prompt.placeholder) == "Enter trains a model · or type the path of a text")
