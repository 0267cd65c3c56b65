"""A model that transformers wrote, opened in a real terminal and trained further."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from minigpt_tui.data.tokenizers import CharTokenizer

from .conftest import COMMAND
from .terminal import Terminal


@pytest.fixture
def gpt2(home: Path) -> Path:
    """A tiny GPT-2 of transformers', on characters."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = home / "[tiny] gpt2"
    tokenizer = CharTokenizer("".join(sorted(string.printable)))
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=tokenizer.vocab_size, n_positions=32, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save(folder)
    return folder


@pytest.mark.long
def test_a_foreign_model_speaks_and_is_trained_further(home: Path, gpt2: Path) -> None:
    with Terminal(f"{COMMAND} open '{gpt2}'", {"MINIGPT_HOME": str(home)}) as terminal:
        terminal.wait_for("[tiny] gpt2 is opened, a Hugging Face folder")
        terminal.wait_for("write how a text begins")
        terminal.type("Once")
        terminal.keys("Enter")
        terminal.wait_for("tokens ·")
        terminal.keys("F6")
        terminal.wait_for("the model's: char, 100 tokens")
        terminal.keys("F5")
        terminal.wait_for("with the weights of [tiny] gpt2")
        terminal.wait_for("finished")
        terminal.keys("C-q")
        assert terminal.wait_for_exit() == 0


def test_a_folder_that_is_a_model_is_offered_to_be_opened(home: Path, gpt2: Path) -> None:
    with Terminal(f"{COMMAND} '{gpt2}'", {"MINIGPT_HOME": str(home)}, 80, 24) as terminal:
        terminal.wait_for("Hugging Face folder")
        terminal.keys("Enter")
        terminal.wait_for("[tiny] gpt2 is opened")
        terminal.wait_for("write how a text begins")
