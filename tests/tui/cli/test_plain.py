r"""--plain, driven as a person and as a pipe do it: a real process, a real model, a terminal's line discipline."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import Ended, Tokens
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.tui.cli.plain import Replies
from minigpt_tui.tui.settings import load_settings

from .command import PLAIN, command, plain


@pytest.fixture
def cats(trained_once: Path, tmp_path: Path) -> Path:
    """A folder with a trained run, and no sessions."""
    return shutil.copytree(trained_once, tmp_path / "cats")


def sessions(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of each session's nodes, the newest session first."""
    monkeypatch.setenv("MINIGPT_HOME", str(home))
    with closing(SessionStore()) as store:
        found = [SessionText(store, session.id).tree for session in store.sessions()]
        return [[f"{node.author}: {node.text}" for node in tree.nodes.values()] for tree in found]


def test_a_whole_conversation_through_a_pipe(cats: Path, monkeypatch: pytest.MonkeyPatch):
    script = (
        "/set seed 7\n/set max_tokens 20\nthe cat\n/retry\n/set temperature 1000\n/set top_p\n/set precise\n"
        "the dog\\\nsat\n//the\n/model\n/train status\n/sessions\n/nothing\n"
    )
    done = plain(cats, script)
    settings = ("--seed", "7", "--max-tokens", "20")
    first = command(cats, "generate", "cats", "--prompt", "the cat", *settings).stdout
    last = command(cats, "generate", "cats", "--prompt", "/the", *settings, "--set", "precise").stdout
    assert done.stdout.startswith(f"seed 7\nmax_tokens 20\n{first}")
    assert last in done.stdout
    assert "top_p 1.0. Draw from the likeliest tokens" in done.stdout
    assert "cats, 29k parameters, step 60" in done.stdout
    assert "'cats' is finished: step 60 of 60, validation loss" in done.stdout
    assert "1 the cat (turns, this one)" in done.stdout
    assert ["temperature must lie between 0 and 100" in done.stderr, "no command /nothing" in done.stderr] == [True] * 2
    assert (done.returncode, "\x1b" in done.stdout + done.stderr) == (2, False)
    monkeypatch.setenv("MINIGPT_HOME", str(cats))
    assert load_settings()[0].sampling.seed == 7  # as the app, it keeps what was set

    (said,) = sessions(cats, monkeypatch)
    assert [words for words in said if words.startswith("person")] == [
        "person: the cat", "person: the dog\nsat", "person: /the",
    ]  # fmt: skip
    assert f"model: {first[:-1]}" in said
    assert len(said) == 3 + 4  # a retry is a sibling

    more = plain(cats, "the log\n/new\nthe mat\n/open 1\n/open 99\n/quit\nnever\n", "cats")
    newer = sessions(cats, monkeypatch)
    assert [len(nodes) for nodes in newer] == [2, 9]
    assert "person: the log" in newer[1]
    assert ("session 1 goes on" in more.stdout, "there is no session 99" in more.stderr) == (True, True)
    assert "never" not in "".join(newer[0] + newer[1])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--plain"], 2, "there is no model yet"),
        (["--plain", "nobody"], 2, "nobody"),
        (["nobody", "--plain"], 2, "nobody"),
        (["--plain", "open", "nobody"], 2, "nobody"),
        (["--plain", "runs"], 2, "goes with no verb"),
        (["--plain", "a", "b"], 2, "invalid choice: 'a'"),
    ],
    ids=range(6),
)
def test_without_a_model_it_says_what_to_do(home: Path, words: list[str], code: int, sentence: str):
    done = command(home, *words)
    assert (done.returncode, done.stdout, sentence in done.stderr) == (code, "", True)


def test_nothing_to_read_and_bytes_that_are_no_text_are_no_trouble(cats: Path):
    assert plain(cats, "") == (0, "", "")
    done = plain(cats, b"/set max_tokens 3\nthe \xff\x00\x1b[2J\r\nthe", "cats")
    assert (done.returncode, len(done.stdout) > len("max_tokens 3\n\n\n")) == (0, True)


def test_without_a_reader_it_ends_as_every_verb_does(cats: Path):
    process = subprocess.Popen(
        [sys.executable, *PLAIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cats,
        env={**os.environ, "MINIGPT_HOME": str(cats)},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write(b"the cat\nthe dog\n")
    process.stdin.close()
    assert (process.stderr.read(), process.wait(60)) == (b"", 141)
    process.stderr.close()


class Typed:
    """The conversation in a terminal of its own, which echoes what is typed."""

    def __init__(self, home: Path) -> None:
        self.terminal, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *PLAIN], stdin=inner, stdout=inner, stderr=inner, cwd=home, start_new_session=True,
            env={**os.environ, "MINIGPT_HOME": str(home)},
        )  # fmt: skip
        os.close(inner)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def wait_for(self, words: str) -> None:
        """Read on until these words have come, which then count as read."""
        while words not in self.seen:
            data = b""
            if select.select([self.terminal], [], [], 60)[0]:
                with suppress(OSError):  # there is nobody at the other end any more
                    data = os.read(self.terminal, 4096)
            assert data, f"{words!r} did not come: {self.seen!r}"
            assert b"\x1b" not in data
            self.seen += data.decode(errors="replace")
        self.seen = self.seen.partition(words)[2]


@contextmanager
def typed(home: Path) -> Iterator[Typed]:
    conversation = Typed(home)
    try:
        yield conversation
    finally:
        conversation.process.kill()
        conversation.process.wait()
        os.close(conversation.terminal)


def test_at_a_terminal_ctrl_c_stops_the_reply_and_ctrl_d_leaves(cats: Path):
    with typed(cats) as conversation:
        conversation.wait_for("/help says what can be typed")
        conversation.wait_for("> ")
        conversation.type("/set max_tokens 1000000\n")
        conversation.wait_for("max_tokens 1000000\r\n> ")
        conversation.type("the cat\n")
        conversation.wait_for("the cat\r\n")
        conversation.wait_for(" ")
        os.killpg(conversation.process.pid, signal.SIGINT)  # as the terminal sends it to all of them
        conversation.wait_for("stopped")
        conversation.wait_for("> ")
        os.killpg(conversation.process.pid, signal.SIGINT)
        conversation.wait_for("Ctrl-D or /quit leaves")
        conversation.wait_for("> ")
        conversation.type("/set max_tokens 5\nthe dog\\\n")
        conversation.wait_for(". ")
        conversation.type("sat\n")
        conversation.wait_for("5 tokens")
        conversation.wait_for("> ")
        conversation.type("/nothing\n\x04")
        conversation.wait_for("no command /nothing")
        assert conversation.process.wait(30) == 0


def test_a_signal_ends_it_with_all_of_it_saved(cats: Path, monkeypatch: pytest.MonkeyPatch):
    with typed(cats) as conversation:
        conversation.wait_for("> ")
        conversation.type("/new\n/set max_tokens 1000000\nthe plain\n")
        conversation.wait_for("the plain\r\n")
        conversation.wait_for("the")
        conversation.process.send_signal(signal.SIGTERM)
        assert conversation.process.wait(30) == 128 + signal.SIGTERM
    said = sessions(cats, monkeypatch)[0]
    assert (said[0], len(said[1]) > len("model: ")) == ("person: the plain", True)


def test_a_process_that_ends_is_named_and_started_again(cats: Path):
    with typed(cats) as conversation:
        conversation.wait_for("/help says what can be typed")
        conversation.type("/new\n/set max_tokens 1000000\nthe plain\n")
        conversation.wait_for("the plain\r\n")
        conversation.wait_for("the")
        os.kill(generate_process(conversation.process.pid), signal.SIGKILL)
        conversation.wait_for("ended by SIGKILL")
        conversation.type("/set max_tokens 5\nthe log\n")
        conversation.wait_for("5 tokens")


def generate_process(conversation: int) -> int:
    """The number of the one process that the conversation has started."""
    found = subprocess.run(["pgrep", "-P", str(conversation)], capture_output=True, text=True, check=True)
    (child,) = found.stdout.split()
    return int(child)


def test_samples_are_printed_one_after_the_other_and_a_terminal_obeys_none_of_them(capsys: pytest.CaptureFixture[str]):
    replies = Replies(2)
    end = Ended(1, "length", 1, 1, 1.0, 1.0, 0, 7)
    for message in (
        Tokens(1, "a\x1b[2J", 1), Tokens(1, "b\x07", 1, 1), Ended(1, "length", 1, 1, 1.0, 1.0, 0, 8, sample=1),
        Tokens(1, "\nc", 1), end,
    ):  # fmt: skip
        replies(message)
    out = capsys.readouterr().out
    assert out == "--- sample 1 of 2 ---\na␛[2J\nc\n--- sample 2 of 2 ---\nb␇\n"
