"""Conversations from the command line, with a model that has a chat template."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint

from .command import command, plain

TEMPLATE = (
    "{% for message in messages %}{{ '[' + message.role[0] + ':' + message.content + ']' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[a:' }}{% endif %}"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of random weights that has a template, and one that has none."""
    home = tmp_path_factory.mktemp("home")
    tokenizer = CharTokenizer("abcdehilosuy :[]")
    torch.manual_seed(0)
    model = GPT(ModelConfig(tokenizer.vocab_size, 64, n_layer=1, n_head=1, d_model=16))
    for name in ("chat", "plain"):
        tokenizer.chat_templates = {"default": TEMPLATE} if name == "chat" else {}
        (home / name).mkdir()
        save_checkpoint(model, home / name, tokenizer=tokenizer, step=1, validation_loss=None)
    return home


def test_a_prompt_is_framed_and_the_frame_can_be_seen(home: Path) -> None:
    words = ("generate", "./chat", "--chat", "--system", "be\\nsly", "--max-tokens", "5", "--seed", "1")
    framed = "[s:be\nsly][u:hi][a:"
    result = json.loads(command(home, *words, "--prompt", "hi", "--json").stdout)
    assert (result["prompt"], result["prompt_text"]) == ("hi", framed)
    assert command(home, *words, stdin="hi\n").stdout == result["text"] + "\n"
    assert command(home, *words, "--prompt", "hi", "--echo").stdout == framed + result["text"] + "\n"
    plain = framed.replace("\n", "\\n")
    continued = command(home, "generate", "./chat", "--prompt", plain, "--max-tokens", "5", "--seed", "1")
    assert continued.stdout == result["text"] + "\n"
    several = command(home, *words, "--prompt", "hi", "--echo", "--samples", "2").stdout
    assert several.startswith(f"--- sample 1 of 2, seed 1 ---\n{framed}{result['text']}\n--- sample 2 of 2, seed ")


def test_what_cannot_be_a_conversation_is_refused_in_one_sentence(home: Path) -> None:
    for words, says in (
        (("./plain", "--chat", "--prompt", "hi"), "the model has no chat template"),
        (("./chat", "--system", "x", "--prompt", "hi"), "give --chat as well"),
    ):
        result = command(home, "generate", *words)
        assert (result.returncode, result.stdout) == (2, "")
        assert says in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_chat_line_by_line_is_one_conversation_in_the_sessions(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "/set max_tokens 5\n/new chat\nhi\nbe sly\n/retry\n"
    done = plain(home, script, "./chat")
    assert (done.returncode, "a new session, a chat" in done.stdout) == (0, True)
    refused = plain(home, "hi\n/new chat\n/new\n", "./plain")
    assert (refused.returncode, refused.stderr.count("chat")) == (2, 3)
    monkeypatch.setenv("MINIGPT_HOME", str(home))
    with closing(SessionStore()) as store:
        last = store.last()
        assert last is not None
        assert last.way == "chat"
        path = SessionText(store, last.id).path
    assert [node.author for node in path] == ["person", "model", "person", "model"]
    assert [path[0].text, path[2].text] == ["hi", "be sly"]
