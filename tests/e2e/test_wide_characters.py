"""Text whose width terminals disagree about, in one with tables of its own: all that is beside it stays in place."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data.storage.printable import visible
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.models.config import ModelConfig

from .conftest import COMMAND
from .terminal import Terminal

ZOO = [
    "é ô ñ ä",  # composed and decomposed
    "e\u0301 o\u0302 n\u0303 a\u0308",
    "नमस्ते दुनिया",
    "हिन्दी में लिखो",
    "क्\u200dष त्र ज्ञ",
    "ไทยภาษาดี",
    "می\u200cروم ⁧שלום⁩",
    "❤\ufe0f ☀\ufe0f ✈\ufe0f ✌🏽 👩🏽\u200d🚀 🇳🇱🇧🇷 1\ufe0f\u20e3",
    "全角　空白 Ａｂｃ１２",
    "한글 한글",
    "–—…·•",
]
FRAME = set("─│╭╮╰╯")
PANEL = 40  # columns of the panels


@pytest.fixture
def zoo(home: Path) -> Path:
    """A model of random weights that writes these characters in any order."""
    from minigpt_tui.models.gpt import GPT
    from minigpt_tui.models.interop.huggingface import save_checkpoint

    tokenizer = CharTokenizer("".join(sorted(set("\n ".join(ZOO)))))
    model = GPT(ModelConfig(tokenizer.vocab_size, context_length=16, n_layer=1, n_head=2, d_model=16))
    folder = home / "zoo"
    folder.mkdir()
    save_checkpoint(model, folder, tokenizer=tokenizer, step=7, validation_loss=2.0)
    return folder


def beside(screen: str) -> list[str] | None:
    """The panels at the right, all of whose characters are narrow, if the frames at the left of them are whole."""
    rows = screen.splitlines()[1:-1]
    return [row[-PANEL:] for row in rows] if all(row[-PANEL - 1 : -PANEL] in FRAME for row in rows) else None


def left(screen: str) -> str:
    """The text at the left, without blanks and frames."""
    return "".join("".join(row[: -PANEL - 1].split()).strip("│") for row in screen.splitlines())


def framed(screen: str) -> bool:
    """Whether the last column of each row but the first and the last is a frame's."""
    return {row[-1:] for row in screen.splitlines()[1:-1]} <= FRAME


@pytest.mark.long
def test_panels_and_frames_stay_in_their_columns_while_such_text_streams(home: Path, zoo: Path) -> None:
    with Terminal(f"{COMMAND} open '{zoo}'", {"MINIGPT_HOME": str(home)}) as terminal:
        before = beside(terminal.wait_for("write how a text begins"))
        assert before

        def shows(seen: str) -> str:
            return terminal.wait_for(lambda screen: seen in screen and beside(screen) == before, 10)

        for text in ZOO:
            terminal.type(f"{text} ")
        shows("•")
        terminal.keys("Enter")
        screen = shows("tokens ·")
        for text in ZOO:
            assert "".join(visible(text).split()) in left(screen), "no letter is cut off"
        for text in ZOO[2:5]:
            terminal.type(text)
            terminal.keys("Enter")
        terminal.wait_for(lambda screen: "step 7" in screen and "is opened" not in screen)
        terminal.keys("BTab")  # to the transcript
        for key in ("PPage", "NPage", "Up", "g"):
            terminal.keys(key)
            shows("^w way")
        shows("is opened")
        terminal.resize(104, 30)
        terminal.wait_for(lambda screen: len(screen.splitlines()) == 30 and framed(screen))
        terminal.resize(120, 40)
        shows("^w way")


@pytest.mark.parametrize(("columns", "panel"), [pytest.param(80, 38, marks=pytest.mark.long), (70, 40)])
def test_a_drawer_beside_and_above_such_text_is_whole(home: Path, zoo: Path, columns: int, panel: int) -> None:
    with Terminal(f"{COMMAND} open '{zoo}'", {"MINIGPT_HOME": str(home)}, columns, 24) as terminal:
        terminal.wait_for("write how a text begins")
        terminal.type(" ".join(ZOO))
        terminal.keys("Enter")
        terminal.wait_for(lambda screen: "tokens ·" in screen and framed(screen), 10)
        terminal.keys("F2", "F2")

        def whole(screen: str) -> bool:
            rows = screen.splitlines()[1:8]
            sampling = "─ sampling ─" in screen and "▸ more" in screen
            return sampling and all({row[-panel], row[-1]} <= FRAME for row in rows)

        terminal.wait_for(whole, 10)
        terminal.keys("BTab", "BTab")
        for key in ("PPage", "PPage", "NPage", "Up"):
            terminal.keys(key)
            terminal.wait_for(whole, 10)
        terminal.keys("F2", "F2")
        terminal.wait_for(lambda screen: "sampling" not in screen and "─ model ─" not in screen and framed(screen), 10)
