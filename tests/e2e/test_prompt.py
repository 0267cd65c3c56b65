"""A prompt in a real terminal: whatever is typed or pasted arrives whole at the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint

from .conftest import COMMAND
from .terminal import Terminal

PROMPTS = [
    "«\N{NO-BREAK SPACE}oui\N{NO-BREAK SPACE}» Quoi\N{NARROW NO-BREAK SPACE}?",
    "\N{IDEOGRAPHIC SPACE}春の夜。",
    "می\N{ZERO WIDTH NON-JOINER}روم",
    "👨\N{ZERO WIDTH JOINER}👩\N{ZERO WIDTH JOINER}👧 \U0001fae8 ❤\N{VARIATION SELECTOR-16}",
    "soft\N{SOFT HYPHEN}hyphen e\N{COMBINING DIAERESIS}",
    "क्\N{ZERO WIDTH JOINER}ष त्र",
]
CONTEXT = 4


@pytest.fixture
def model(home: Path) -> Path:
    """A model on bytes whose context is shorter than any prompt, so that it says how many it was given."""
    torch.manual_seed(0)
    shape = ModelConfig(vocab_size=256, context_length=CONTEXT, n_layer=1, n_head=1, d_model=8)
    folder = home / "bytes"
    folder.mkdir()
    tokenizer = build_tokenizer("byte", alphabet="", pieces=tuple)
    save_checkpoint(GPT(shape), folder, tokenizer=tokenizer, step=1, validation_loss=None)
    (home / "config").mkdir()
    (home / "config" / "settings.toml").write_text("[sampling]\nmax_tokens = 1\n")
    return folder


@pytest.mark.parametrize("how", ["typed", pytest.param("pasted", marks=pytest.mark.long)])
def test_a_prompt_arrives_whole_at_the_model(home: Path, model: Path, how: str) -> None:
    with Terminal(f"{COMMAND} open '{model}'", {"MINIGPT_HOME": str(home)}) as terminal:
        terminal.wait_for("write how a text begins")
        for prompt in PROMPTS:
            (terminal.type if how == "typed" else terminal.paste)(prompt)
            terminal.keys("Enter")
            given = f"the prompt has {len(prompt.encode())} tokens; the model reads its last"
            terminal.wait_for(lambda screen, given=given: given in sentences(screen))
        history = (home / "state" / "history.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in history] == PROMPTS


def sentences(screen: str) -> str:
    """What stands in the left pane, however it is wrapped there."""
    rows = [line.split("│") for line in screen.splitlines()]
    return " ".join(row[1].strip() for row in rows if len(row) > 1)
