"""Names and texts full of escape sequences in a real terminal: it obeys none of them and shows them as symbols."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.storage.typed_json import to_plain
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest, RunStatus
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset

from .conftest import COMMAND
from .terminal import Terminal

EVIL = (  # the title, the clipboard, colours, the cursor, another screen; the same in C1; what reorders; markup
    "[red]R[bold]\x1b]0;OWNED\x07\x1b]52;c;T1dORUQ=\x07\x1b[95;105m\x1b[H\x1b[?1049h\x1b[?25l\x9b95m\x9d0;OWNED\x9c\x0e\u202e\b"
)
SHOWN = "[␛?�]\\]0;OWNED[␇?�]"
MODEL = f"run{EVIL}"


@pytest.fixture
def hostile(home: Path) -> Path:
    """A home with a run: its name, corpus and preset, the prompts of earlier and the words of its model are hostile."""
    from minigpt_tui.models.gpt import GPT
    from minigpt_tui.models.interop.huggingface import save_checkpoint

    (home / f"text{EVIL}.txt").write_text("the cat sat on the mat. " * 400)
    tokenizer = CharTokenizer("".join(sorted(set(EVIL + "the cat\n"))))
    model = ModelConfig(tokenizer.vocab_size, context_length=16, n_layer=1, n_head=2, d_model=16)
    corpus = CorpusRecord(EVIL, str(home / f"none{EVIL}.txt"), "0" * 64, 1000, 1000)
    manifest = RunManifest(MODEL, 1_750_000_000.0, EVIL, corpus, "char", model, preset("nanogpt-char-cpu").training)
    run = Run(home / "data" / "runs" / MODEL)
    folder = run.path / "checkpoints" / "last"
    folder.mkdir(parents=True)
    save_checkpoint(GPT(model), folder, tokenizer=tokenizer, step=7, validation_loss=2.0)
    (run.path / "run.json").write_text(json.dumps(to_plain(replace(manifest, name=MODEL))))
    run.write_status(RunStatus("stopped", 1, "host", 7, 9, 1_750_000_000.0, 1.6, 2.0, 2.0))
    (home / "state").mkdir(exist_ok=True)
    (home / "state" / "history.jsonl").write_text(json.dumps(f"earlier {EVIL}") + "\n")
    return home


def assert_nothing_obeyed(terminal: Terminal, title: str) -> None:
    assert terminal.fact("pane_title") == title
    assert terminal.clipboard() == ""
    assert not re.search(r"\x1b\[[0-9;]*\b(95|105)\b", terminal.screen(styled=True))


VERBS = [
    ("runs",),
    ("generate", MODEL, "--prompt", EVIL, "--echo", "--max-tokens", "60"),
    ("evaluate", MODEL),
    ("evaluate", MODEL, "--on", f"text{EVIL}.txt"),
    ("export", MODEL, "--to", "huggingface", "--output", f"out{EVIL}"),
    ("resume", MODEL),
    ("train", f"none{EVIL}.txt"),
    ("train", f"text{EVIL}.txt", "--name", f"new{EVIL}", "--preset", "quick", "--steps", "2"),
]


@pytest.mark.long
def test_the_verbs_are_harmless(hostile: Path) -> None:
    script = hostile / "verbs.sh"
    lines = [f"echo; echo '>>> {words[0]}'; {shlex.join([str(COMMAND), *words])}" for words in VERBS]
    script.write_text("\n".join(["cd " + shlex.quote(str(hostile)), *lines, "printf '<<<'; sleep 60"]))
    with Terminal(f"sh {script}", {"MINIGPT_HOME": str(hostile)}, 180, 150) as terminal:
        title = terminal.fact("pane_title")
        screen = terminal.wait_for("<<<", 120)
        assert_nothing_obeyed(terminal, title)
        assert terminal.cursor_is_shown()
        assert terminal.fact("alternate_on") == "0"
        rows = screen.splitlines()
        assert (terminal.fact("cursor_y"), terminal.fact("cursor_x")) == (str(rows.index("<<<")), "3")
        for words, said in zip(VERBS, re.split(r">>> \w+", screen)[1:], strict=True):
            assert re.search(SHOWN, said.replace("\n", "")), words


def test_the_app_is_harmless(hostile: Path) -> None:
    with Terminal(f"cd {hostile}; {COMMAND}", {"MINIGPT_HOME": str(hostile)}) as terminal:
        title = terminal.fact("pane_title")

        def shows(wanted: str) -> None:
            terminal.wait_for(wanted, 20)
            assert_nothing_obeyed(terminal, title)

        shows("write how a text begins")
        assert re.search(SHOWN, terminal.screen())
        terminal.keys("Up")  # the prompt of earlier, without its controls
        shows("earlier [red]R[bold]")
        terminal.keys("Enter")
        shows("tokens ·")
        terminal.keys("C-r")
        shows("─ runs ─")
        terminal.keys("d")
        shows("move to the trash")
        terminal.keys("Escape")
        terminal.wait_for(lambda screen: "move to the trash" not in screen)
        terminal.keys("Escape")
        terminal.wait_for(lambda screen: "─ runs ─" not in screen)
        for key, wanted in (("C-o", "open a model"), ("F6", "─ new run ─"), ("F1", "Esc closes")):
            terminal.keys(key)
            shows(wanted)
            terminal.keys("Escape")
            terminal.wait_for(lambda screen, wanted=wanted: wanted not in screen)
        terminal.keys("F7")  # the reply is scored
        terminal.keys("F7")
        shows("─ tokens")
        terminal.keys("F4")
        shows("you   earlier")
        terminal.type("again")
        terminal.keys("Enter")
        terminal.wait_for(lambda screen: re.search(r"you   again.*tokens ·", screen, re.DOTALL) is not None)
        terminal.keys("F12")
        shows("─ tokens")
