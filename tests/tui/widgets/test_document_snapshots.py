"""Pictures of a document and of a conversation that are searched; look at them after a wanted change."""

from __future__ import annotations

import random
import re

import pytest
from minigpt_tui.tui.text.document_text import ColouredToken, TextSpan
from minigpt_tui.tui.themes import DARK, LIGHT
from minigpt_tui.tui.widgets.document_pane import DocumentPane
from minigpt_tui.tui.widgets.find_bar import FindArea
from minigpt_tui.tui.widgets.transcript import Transcript
from textual.pilot import Pilot
from textual.theme import Theme

from ..host import Host
from ..waiting import wait_until

THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])

BEGUN = "ROMEO:\nWhat light is this that breaks"
WRITTEN = " upon the night, and makes the morning stand\nas if the sun had never known the night\nand did not care.\n"
ADDED = "\nJULIET: 你好, it is the lark. "


class ThemedHost(Host):
    def __init__(self, view: DocumentPane | Transcript, theme: Theme) -> None:
        super().__init__(FindArea(view))
        self.register_theme(theme)
        self.theme = theme.name
        self.view = view


def document(theme: Theme) -> tuple[ThemedHost, DocumentPane]:
    pane = DocumentPane()
    return ThemedHost(pane, theme), pane


async def write(pilot: Pilot, pane: DocumentPane) -> None:
    """A document in which the model went on, and the person again, with the tokens of both."""
    random_ = random.Random(3)
    text, tokens, offset = BEGUN + WRITTEN + ADDED, list[ColouredToken](), 0
    for word in text.replace("\n", " \n").split(" "):
        end = min(len(text), offset + len(word) + (text[offset + len(word) : offset + len(word) + 1] == " "))
        tokens.append(ColouredToken(offset, end, random_.random() ** 3))
        offset = end
    pane.load(text, [TextSpan(len(BEGUN), len(BEGUN + WRITTEN), "model")])
    pane.set_probabilities(tokens)
    pane.focus()
    await pilot.pause()


@THEMES
def test_who_wrote_what(snap_compare, theme: Theme):
    app, pane = document(theme)

    async def select(pilot: Pilot) -> None:
        await write(pilot, pane)
        await pilot.press("up", "up", "up", "shift+down", "ctrl+shift+right")

    assert snap_compare(app, terminal_size=(60, 12), run_before=select)


@THEMES
def test_how_probable_each_token_was(snap_compare, theme: Theme):
    app, pane = document(theme)

    async def colour(pilot: Pilot) -> None:
        await write(pilot, pane)
        pane.coloured = True
        await pilot.press("up", "up", "up", "up", "ctrl+right", "ctrl+right", "left")

    assert snap_compare(app, terminal_size=(60, 12), run_before=colour)


def test_tokens_without_colour(snap_compare, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app, pane = document(DARK)

    async def colour(pilot: Pilot) -> None:
        await write(pilot, pane)
        pane.coloured = True
        await pilot.press("up", "up", "up", "up", "ctrl+right", "ctrl+right", "left")

    assert snap_compare(app, terminal_size=(60, 12), run_before=colour)


@THEMES
def test_a_document_that_is_searched(snap_compare, theme: Theme):
    app, pane = document(theme)

    async def search(pilot: Pilot) -> None:
        await write(pilot, pane)
        await pilot.press("ctrl+home", "ctrl+f", *"the", "space", *"night")

    assert snap_compare(app, terminal_size=(60, 12), run_before=search)


@THEMES
def test_a_conversation_that_is_searched(snap_compare, theme: Theme):
    transcript = Transcript()

    async def search(pilot: Pilot) -> None:
        transcript.begin_turn("you", BEGUN)
        transcript.begin_turn("model", WRITTEN)
        transcript.end_turn("24 tokens · 690/s")
        await wait_until(pilot, lambda: transcript.is_settled)
        transcript.focus()
        await pilot.press("slash", *"the", "space", *"night", "enter", "n")
        await pilot.pause()

    assert snap_compare(ThemedHost(transcript, theme), terminal_size=(60, 12), run_before=search)


@THEMES
def test_how_probable_the_tokens_of_a_conversation_were(snap_compare, theme: Theme):
    transcript = Transcript()

    async def colour(pilot: Pilot) -> None:
        random_ = random.Random(4)
        you = transcript.begin_turn("you", BEGUN)
        transcript.begin_turn("model")
        for word in re.findall(r"\s*\S+\n?", WRITTEN):
            transcript.append(word, [ColouredToken(0, len(word), random_.random() ** 2)])
        transcript.end_turn("24 tokens · 690/s")
        transcript.set_probabilities(you, [ColouredToken(0, 7, 0.01), ColouredToken(7, len(BEGUN), 0.6)])
        transcript.coloured = True
        transcript.focus()
        await pilot.press("left", "left", "left", "left")
        await pilot.pause()

    assert snap_compare(ThemedHost(transcript, theme), terminal_size=(60, 12), run_before=colour)
