"""Foreign text on a real terminal: none of its characters is one that the terminal obeys. In a pipe it is as it is."""

import io
import json
import os
import re
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.storage.typed_json import to_plain
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.events import Note, Preparing, StateChanged, Step
from minigpt_tui.engine.follow import LineFollower
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset
from minigpt_tui.tui.cli import child
from minigpt_tui.tui.cli.follow import follow
from minigpt_tui.tui.cli.main import main
from minigpt_tui.tui.cli.streams import accept_any_text

from ..runs_on_disk import append, set_status
from .command import command

pytest.importorskip("pty")

EVIL = "\x1b]0;OWNED\x07\x1b[5;95;105mOWNED\x9b5;95;105mOWNED\x90\x85\r\x08\x0e\u202e"
FOREIGN = re.compile("\x1b[^[]|\x1b\\[[0-9;]*(95;105|5;95)|[\x00-\x07\x08\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202e]")
"""What a terminal would obey and rich does not write."""
DRAWN = re.compile("\x1b\\[[?0-9;]*[A-Za-z]")  # by rich: colours, the cursor, the clearing of a line


class Screen:
    """A terminal in the place of the standard streams."""

    def __init__(self, patch: pytest.MonkeyPatch, encoding: str = "utf-8") -> None:
        self._terminal, self._side = os.openpty()
        self._bytes, self._encoding = b"", encoding
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._streams = [os.fdopen(os.dup(self._side), "w", 1, encoding, "replace") for _ in range(2)]
        for name, stream in zip(("stdout", "stderr"), self._streams, strict=True):
            patch.setattr(sys, name, stream)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b""), "utf-8"))
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        patch.setenv("PYTHON_COLORS", "0")

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._terminal, 65536)
            except OSError:  # the other end is closed
                return
            self._bytes += piece

    def text(self) -> str:
        """All that was written, once the streams are closed."""
        for stream in self._streams:
            stream.close()
        os.close(self._side)
        self._reader.join()
        os.close(self._terminal)
        return self._bytes.decode(self._encoding)


def on_terminal(home: Path, *words: str, encoding: str = "utf-8") -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch:
        screen = Screen(patch, encoding)
        patch.setenv("MINIGPT_HOME", str(home))
        patch.chdir(home)
        try:
            code = main(words)
        except SystemExit as leaving:  # as argparse leaves
            code = leaving.code if isinstance(leaving.code, int) else 0
    return code, screen.text()


def assert_harmless(text: str) -> None:
    assert not FOREIGN.search(text), ascii(FOREIGN.search(text))
    assert "\x1b" not in DRAWN.sub("", text)
    assert "\r" not in text.replace("\r\n", "").replace("\r\x1b[", "")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a model of random weights that writes control characters, in a run with hostile words in it."""
    from minigpt_tui.models.gpt import GPT
    from minigpt_tui.models.interop.huggingface import save_checkpoint

    home = tmp_path_factory.mktemp("hostile")
    (home / f"text{EVIL}.txt").write_text("the cat sat on the mat. " * 40)
    nick = "".join(f"a{EVIL}".split())[:40]
    (home / f"chat{EVIL}.txt").write_text(f"<{nick}> hello\n<b> the cat\n" * 9)
    tokenizer = CharTokenizer("".join(sorted(set(EVIL + "the cat\n"))))
    model = ModelConfig(tokenizer.vocab_size, context_length=16, n_layer=1, n_head=2, d_model=16)
    recipe = preset("nanogpt-char-cpu")
    corpus = CorpusRecord(EVIL, str(home / f"none{EVIL}.txt"), "0" * 64, 1000, 1000)
    manifest = RunManifest("x", 1_750_000_000.0, EVIL, corpus, "char", model, recipe.training)
    run = Run(home / "data" / "runs" / f"run{EVIL}")
    folder = run.path / "checkpoints" / "last"
    folder.mkdir(parents=True)
    save_checkpoint(GPT(model), folder, tokenizer=tokenizer, step=7, validation_loss=2.0)
    (run.path / "run.json").write_text(json.dumps(to_plain(replace(manifest, name=f"run{EVIL}"))))
    set_status(run, "stopped", 7)
    return home


MODEL = f"run{EVIL}"
VERBS = [
    ("generate", MODEL, "--prompt", EVIL, "--echo", "--max-tokens", "200"),
    ("generate", MODEL, "--prompt", EVIL, "--echo", "--max-tokens", "20", "--samples", "2"),
    ("generate", MODEL, "--prompt", f"€{EVIL}", "--max-tokens", "20", "--json"),
    ("generate", f"nobody{EVIL}",),
    ("score", MODEL, "--text", EVIL),
    ("score", MODEL, "--text", EVIL, "--explain"),
    ("score", MODEL, "--text", EVIL, "--json"),
    ("quotes", f"text{EVIL}.txt", "--text", EVIL),
    ("quotes", f"text{EVIL}.txt", "--text", EVIL, "--json"),
    ("quotes", MODEL, "--text", EVIL),
    ("quotes", f"none{EVIL}.txt", "--text", EVIL),
    ("runs",),
    ("runs", "--json"),
    ("evaluate", MODEL),
    ("evaluate", MODEL, "--on", f"none{EVIL}.txt"),
    ("evaluate", MODEL, "--on", f"text{EVIL}.txt"),
    ("export", MODEL, "--to", "huggingface"),
    ("export", MODEL, "--to", "gguf", "--output", f"none{EVIL}/model.gguf"),
    ("stop", MODEL),
    ("resume", MODEL),
    ("resume", MODEL, "--budget", EVIL),
    ("resume", f"nobody{EVIL}"),
    ("train", f"none{EVIL}.txt"),
    ("train", f"text{EVIL}.txt", "--preset", EVIL),
    ("train", f"text{EVIL}.txt", "--name", EVIL),
    ("open", f"none{EVIL}"),
    ("speakers", MODEL),
    ("speakers", f"none{EVIL}"),
    ("speakers", f"chat{EVIL}.txt"),
    ("generate", MODEL, "--answer", EVIL),
    ("paths",),
    ("presets",),
    ("corpora",),
    ("doctor",),
    (f"verb{EVIL}", "more"),
]  # fmt: skip


@pytest.mark.parametrize(
    "words", VERBS, ids=[f"{number}-{words[0][:9].rstrip(EVIL)}" for number, words in enumerate(VERBS)]
)
def test_no_verb_lets_a_foreign_character_through_that_a_terminal_obeys(hostile: Path, words: tuple[str, ...]) -> None:
    code, text = on_terminal(hostile, *words)
    assert text
    assert_harmless(text)
    if words[0] == "generate" and "--max-tokens" in words:
        assert code == 0, text
        assert "\x1b" not in text  # nothing is drawn either
        assert "OWNED" in text or words[-1] == "--json"


def test_the_words_of_a_child_process_are_said_and_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch)
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    accept_any_text()
    says = f"import sys; print({EVIL!r}, file=sys.stderr); print('{{\"progress\": 0.5}}'); print('{{}}')"
    assert child.run_to_end([sys.executable, "-c", says], f"doing {EVIL}") == (0, {})
    text = screen.text()
    assert "␛]0;OWNED␇" in text
    assert_harmless(text)


def test_notes_and_stages_of_a_training_are_harmless(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch)
    accept_any_text()
    run = Run(hostile / "data" / "runs" / MODEL)
    append(run, Preparing("reading", 0.5), Note(3, EVIL, "warning"), Step(3, 9, 9, 1.0, 1.0, 2.0, 1e-3, 0.5, 9.0, 9))
    append(run, StateChanged("failed", 3, 0.0, EVIL))
    assert follow(run, LineFollower(run.metrics_path), as_json=True) == 1
    run.metrics_path.unlink()
    text = screen.text()
    assert text.count("OWNED") >= 6
    assert_harmless(text)


def test_into_a_pipe_the_text_goes_as_it_is(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("generate", MODEL, "--prompt", f"{EVIL}é汉", "--echo", "--max-tokens", "20")
    assert command(hostile, *words).stdout.startswith(f"{EVIL}é汉")
    path = hostile / "written.txt"
    with monkeypatch.context() as patch, path.open("w", encoding="cp1252", newline="\n") as output:
        patch.setenv("MINIGPT_HOME", str(hostile))
        patch.setattr(sys, "stdout", output)
        assert main(words) == 0
    assert path.read_bytes().decode("utf-8").startswith(f"{EVIL}é汉")


def test_a_terminal_that_is_not_utf8_gets_one_sentence_and_nothing_that_it_obeys(hostile: Path) -> None:
    words = ("generate", MODEL, "--prompt", f"{EVIL}é汉€›5;95;105m", "--echo", "--max-tokens", "1")
    _, text = on_terminal(hostile, *words, encoding="latin-1")
    assert "the terminal's encoding is latin-1, not UTF-8" in text
    assert text.count("not UTF-8") == 1
    assert "é??" in text
    assert_harmless(text)
    _, text = on_terminal(hostile, "runs", encoding="cp1252")
    assert_harmless(text)
    assert set("─│") & set(text) == set()
