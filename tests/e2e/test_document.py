"""A text written with a real model in a real terminal: it branches, the app is killed, and all of it is found again."""

from __future__ import annotations

import os
import re
import signal
import string
from pathlib import Path

import pytest
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.models.config import ModelConfig

from .conftest import COMMAND
from .terminal import Terminal


@pytest.fixture
def model(home: Path) -> Path:
    """A model of random weights that writes letters."""
    from minigpt_tui.models.gpt import GPT
    from minigpt_tui.models.interop.huggingface import save_checkpoint

    tokenizer = CharTokenizer(string.ascii_letters + " ")
    model = GPT(ModelConfig(tokenizer.vocab_size, context_length=32, n_layer=1, n_head=2, d_model=16))
    folder = home / "letters"
    folder.mkdir()
    save_checkpoint(model, folder, tokenizer=tokenizer, step=7, validation_loss=2.0)
    return folder


def written(screen: str) -> str:
    """The text of the document, as far as it is in view, without frames, margin, panels and blanks."""
    rows = [re.match(r"│▌?(.*?)│", row) for row in screen.splitlines()]
    return "".join("".join(row[1].split()) for row in rows if row)


def continued(terminal: Terminal, siblings: str = "") -> str:
    """The text once a continuation is complete, which its speed tells, and all of it is painted."""
    seen: list[str] = []

    def at_rest(screen: str) -> bool:
        seen.append(screen)
        return "400 tokens · " in screen and "/s · loss" in screen and siblings in screen and seen[-5:] == [screen] * 5

    return written(terminal.wait_for(at_rest))


def test_a_document_that_branched_is_whole_after_a_kill(home: Path, model: Path) -> None:
    environment = {"MINIGPT_HOME": str(home)}
    with Terminal(f"{COMMAND} open {model}", environment) as terminal:
        terminal.wait_for("and press Enter")
        terminal.keys("C-w")
        terminal.wait_for("and press Ctrl+N")
        terminal.type("Zebra crossing")
        terminal.keys("C-n")
        first = continued(terminal)
        assert first.startswith("Zebracrossing")
        assert len(first) > 300
        terminal.keys("C-k")
        second = continued(terminal, "2 of 2 siblings")
        assert second != first
        assert second.startswith("Zebracrossing")
        terminal.keys("Home", "C-Home")
        terminal.type("The ")
        terminal.wait_for(lambda screen: written(screen).startswith("TheZebra"))
        os.kill(terminal.process(), signal.SIGKILL)

    with Terminal(str(COMMAND), environment, 100, 30) as terminal:
        screen = terminal.wait_for(lambda screen: written(screen)[:200] == f"The{second}"[:200])
        assert "document" in screen
        terminal.keys("C-u")
        terminal.wait_for(lambda screen: written(screen)[:200] == second[:200])
        terminal.keys("C-End", "M-Up")
        terminal.wait_for(lambda screen: "1 of 2 siblings" in screen and written(screen)[-50:] == first[-50:])
        terminal.keys("C-x")
        terminal.wait_for(lambda screen: "tree · " in screen and "Zebra crossing" in screen)
        terminal.keys("Escape", "C-q")
        assert terminal.wait_for_exit() == 0
