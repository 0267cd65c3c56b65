"""The generate process as it is: started, spoken to over its pipes, damaged, cancelled."""

from __future__ import annotations

import os
import queue
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import (
    GENERATION_MESSAGES,
    REQUESTS,
    Cancel,
    Ended,
    Failed,
    Generate,
    GenerationMessage,
    Hello,
    Load,
    Loaded,
    Ping,
    Pong,
    Ready,
    Request,
    SamplingSettings,
    Tokens,
)

SLOW = 120  # seconds after which a test gives up; nothing here waits for it when all is well
ENDLESS = SamplingSettings(temperature=0, max_tokens=1_000_000)


class Child:
    """The process with its pipes."""

    def __init__(self, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log.txt"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "minigpt_tui.engine.generation.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=os.environ | environment,
            )
        self.messages: queue.Queue[GenerationMessage | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.messages.put(GENERATION_MESSAGES.decode(line))
        self.messages.put(None)

    def raw(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def send(self, *requests: Request) -> None:
        self.raw("".join(map(REQUESTS.encode, requests)).encode())

    def next(self) -> GenerationMessage:
        message = self.messages.get(timeout=SLOW)
        assert message is not None, self.log.read_text()
        return message

    def until_end(self, request_id: int) -> list[GenerationMessage]:
        """All messages up to the Ended or Failed of the request."""
        out = [self.next()]
        while not (isinstance(out[-1], (Ended, Failed)) and out[-1].id == request_id):
            out.append(self.next())
        return out

    def reply(self, request: Generate) -> tuple[str, Ended]:
        self.send(request)
        messages = self.until_end(request.id)
        assert isinstance(messages[-1], Ended), messages[-1]
        tokens = [m for m in messages if isinstance(m, Tokens)]
        assert sum(m.count for m in tokens) == messages[-1].tokens
        return "".join(m.text for m in tokens), messages[-1]

    def failure(self, request: Load | Generate) -> Failed:
        self.send(request)
        message = self.until_end(request.id)[-1]
        assert isinstance(message, Failed)
        return message

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(SLOW)


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = Child(tmp_path_factory.mktemp("child"))
    assert isinstance(child.next(), Hello)
    assert isinstance(child.next(), Ready)
    yield child
    child.stop()
    assert child.process.returncode == 0


@pytest.fixture
def loaded(child: Child, chain, save, tmp_path: Path) -> Child:
    """The child with the cycle "abcdefgh" in memory."""
    child.send(Load(1, str(save(tmp_path / "checkpoint", chain("abcdefgh"), step=5))))
    assert isinstance(child.next(), Loaded)
    return child


def test_says_hello_before_torch_answers_pings_meanwhile_and_ends_with_its_input_while_it_generates(
    chain, save, tmp_path: Path
) -> None:
    child = Child(tmp_path)
    checkpoint = save(tmp_path / "checkpoint", chain("abcdefgh"))
    child.send(
        Ping(1), Load(2, str(checkpoint)), Generate(3, "ab", SamplingSettings(temperature=0, max_tokens=4)), Ping(4)
    )
    first = [child.next() for _ in range(4)]
    assert first[:3] == [Hello(pid=child.process.pid), Pong(1), Pong(4)]
    assert isinstance(first[3], Ready)
    rest = child.until_end(3)
    assert isinstance(rest[0], Loaded)
    assert "".join(m.text for m in rest if isinstance(m, Tokens)) == "cdef"
    child.send(Generate(5, "a", ENDLESS))
    while not isinstance(child.next(), Tokens):
        pass
    child.stop()
    assert child.process.returncode == 0


def test_without_a_torch_that_works_its_log_ends_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('libtorch is missing')")
    child = Child(tmp_path, PYTHONPATH=str(tmp_path / "broken"))
    assert isinstance(child.next(), Hello)
    assert child.messages.get(timeout=SLOW) is None
    assert child.process.wait(SLOW) == 1
    assert child.log.read_text().splitlines()[-1] == "ImportError: libtorch is missing"


def test_loaded_describes_the_model(child: Child, chain, save, tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint", chain("abcdefgh", context_length=32), step=5)
    child.send(Load(7, str(path)))
    message = child.next()
    assert isinstance(message, Loaded)
    assert (message.id, message.path, message.step, message.validation_loss) == (7, str(path), 5, 1.5)
    assert (message.vocab_size, message.context_length, message.dtype) == (8, 32, "float32")
    assert message.memory > 0


def test_streams_text_and_says_how_it_went(loaded: Child) -> None:
    text, ended = loaded.reply(Generate(2, "ab", SamplingSettings(temperature=0, max_tokens=4000)))
    assert text == ("cdefghab" * 500)
    assert (ended.reason, ended.tokens, ended.prompt_tokens, ended.step) == ("length", 4000, 2, 5)
    assert ended.seconds > 0
    assert ended.tokens_per_second == pytest.approx(4000 / ended.seconds)
    assert ended.notices == ("context 16 passed, last 8 re-read",)


def test_the_first_piece_comes_at_once_and_the_others_are_gathered(loaded: Child) -> None:
    loaded.send(Generate(2, "ab", SamplingSettings(temperature=0, max_tokens=4000)))
    tokens = [m for m in loaded.until_end(2) if isinstance(m, Tokens)]
    assert (tokens[0].text, tokens[0].count) == ("c", 1)
    assert len(tokens) < 2000


def test_the_same_seed_gives_the_same_text(child: Child, chain, save, tmp_path: Path) -> None:
    child.send(Load(1, str(save(tmp_path / "checkpoint", chain("abcdefgh", loose=True)))))
    child.next()
    settings = SamplingSettings(temperature=1.0, top_k=6, top_p=0.95, max_tokens=100, seed=11)
    first, ended = child.reply(Generate(2, "ab", settings))
    child.reply(Generate(3, "cd", settings))
    assert child.reply(Generate(4, "ab", settings))[0] == first
    assert ended.seed == 11
    free, ended = child.reply(Generate(5, "ab", SamplingSettings(temperature=1.0, max_tokens=100)))
    again = SamplingSettings(temperature=1.0, max_tokens=100, seed=ended.seed)
    assert child.reply(Generate(6, "ab", again))[0] == free != first


def test_stop_strings_are_never_shown(loaded: Child) -> None:
    text, ended = loaded.reply(Generate(2, "ab", SamplingSettings(temperature=0, stop=("ga", "ha"))))
    assert (text, ended.reason) == ("cdefg", "stop")


def test_cancel_keeps_the_text_and_a_ping_is_answered_while_text_streams(loaded: Child) -> None:
    loaded.send(Generate(2, "ab", ENDLESS))
    text, ponged = "", False
    while len(text) < 50 or not ponged:
        message = loaded.next()
        if isinstance(message, Tokens) and not text:
            loaded.send(Ping(99))
        text += message.text if isinstance(message, Tokens) else ""
        ponged |= message == Pong(99)
    loaded.send(Cancel(2))
    *pieces, ended = loaded.until_end(2)
    text += "".join(m.text for m in pieces if isinstance(m, Tokens))
    assert isinstance(ended, Ended)
    assert ended.reason == "cancelled"
    assert ended.tokens == len(text)
    assert ("cdefghab" * (len(text) // 8 + 1)).startswith(text)


def test_a_cancel_reaches_a_prompt_that_still_waits_and_later_ones_mean_nothing(loaded: Child) -> None:
    one = SamplingSettings(temperature=0, max_tokens=1)
    loaded.send(Generate(2, "a", ENDLESS), Generate(3, "a", ENDLESS), Cancel(3), Cancel(2), Cancel(2))
    assert [m.reason for m in loaded.until_end(3) if isinstance(m, Ended)] == ["cancelled", "cancelled"]
    loaded.send(Cancel(2), Cancel(3), Cancel(4))
    for request_id in (2, 3, 4):
        assert loaded.reply(Generate(request_id, "a", one))[0] == "b"


def test_two_hundred_prompts_cancelled_at_any_moment_leave_it_ready(loaded: Child) -> None:
    chance = random.Random(1)
    for request_id in range(10, 210):
        loaded.send(Generate(request_id, "abcdefgh"[: chance.randint(0, 8)], ENDLESS))
        time.sleep(chance.choice((0, 0, 0.001, 0.005)))
        loaded.send(Cancel(request_id))
        ended = loaded.until_end(request_id)[-1]
        assert isinstance(ended, Ended)
        assert ended.reason == "cancelled"
    assert loaded.reply(Generate(2, "ab", SamplingSettings(temperature=0, max_tokens=6)))[0] == "cdefgh"


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_flat_over_many_prompts(loaded: Child) -> None:
    def memory() -> int:
        pages = Path(f"/proc/{loaded.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def prompts(n: int) -> None:
        settings = SamplingSettings(temperature=0, max_tokens=20)
        loaded.send(*(Generate(i, "abc" * 10, settings) for i in range(n)))
        loaded.until_end(n - 1)

    prompts(100)
    before = memory()
    prompts(720)  # an hour's, at one each five seconds
    assert memory() - before < 8 * 2**20


def test_requests_that_are_none_are_answered_where_that_is_possible(loaded: Child) -> None:
    loaded.raw(b'not JSON\n{"request":"dance","id":1}\n\n{"request":"generate","id":"x","prompt":"a"}\n')
    loaded.raw(b'{"request":"generate","id":8,"prompt":"a","settings":{"top_p":2}}\n')
    first, second = loaded.next(), loaded.next()
    assert isinstance(first, Failed)
    assert isinstance(second, Failed)
    assert (first.id, first.message) == (1, "the request was not understood: unknown request 'dance'")
    assert second.id == 8
    assert "top_p must be above 0" in second.message
    assert loaded.reply(Generate(2, "a", SamplingSettings(temperature=0, max_tokens=1)))[0] == "b"


def test_a_stray_print_goes_to_the_log(loaded: Child) -> None:
    """File descriptor 1 of the process is its log, so nothing but messages can stand in the pipe."""
    fd = Path(f"/proc/{loaded.process.pid}/fd/1")
    if not fd.parent.exists():
        pytest.skip("open files are read from /proc")
    assert fd.resolve() == loaded.log.resolve()


# --- checkpoints ----------------------------------------------------------------------------------


def run_folder(path: Path) -> Path:
    """As much of a run as generation looks at."""
    (path / "checkpoints").mkdir(parents=True)
    (path / "run.json").write_text("{}")
    return path


def exchange(run: Path, new: Path) -> None:
    """What the train process does: the old checkpoint steps aside, the new one takes its name."""
    last, old = run / "checkpoints" / "last", run / "checkpoints" / ".last.old"
    if last.exists():
        last.rename(old)
    new.rename(last)
    shutil.rmtree(old, ignore_errors=True)


def test_a_run_without_a_checkpoint_says_when_there_will_be_one_and_is_found_then(
    child: Child, chain, save, tmp_path: Path
) -> None:
    run = run_folder(tmp_path / "young")
    assert child.failure(Load(1, str(run))) == Failed(
        1,
        "checkpoint",
        "the run 'young' has no checkpoint yet; it writes its first after about a second of training",
    )
    exchange(run, save(tmp_path / "new", chain("abcdefgh"), step=3))
    child.send(Generate(2, "a", SamplingSettings(temperature=0, max_tokens=1)))
    loaded, *_, ended = child.until_end(2)
    assert isinstance(loaded, Loaded)
    assert (loaded.id, loaded.step) == (1, 3)
    assert isinstance(ended, Ended)


def test_follows_the_newest_checkpoint_of_a_run(child: Child, chain, save, tmp_path: Path) -> None:
    run, three = run_folder(tmp_path / "run"), SamplingSettings(temperature=0, max_tokens=3)
    exchange(run, save(tmp_path / "first", chain("abcdefgh"), step=1))
    child.send(Load(1, str(run)), Generate(2, "a", three))
    assert [m.step for m in child.until_end(2) if isinstance(m, (Loaded, Ended))] == [1, 1]

    exchange(run, save(tmp_path / "second", chain("hgfedcba"), step=2))
    child.send(Generate(3, "d", three))
    messages = child.until_end(3)
    assert [m.step for m in messages if isinstance(m, (Loaded, Ended))] == [2, 2]
    assert "".join(m.text for m in messages if isinstance(m, Tokens)) == "cba"

    exchange(run, save(tmp_path / "third", chain("abcdefghij", context_length=32), step=3))  # another configuration
    child.send(Generate(4, "g", three), Generate(5, "g", three))
    messages = child.until_end(5)
    assert [m.step for m in messages if isinstance(m, (Loaded, Ended))] == [3, 3, 3]
    assert "".join(m.text for m in messages if isinstance(m, Tokens)) == "hijhij"


def test_without_follow_the_weights_stay(child: Child, chain, save, tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    exchange(run, save(tmp_path / "first", chain("abcdefgh"), step=1))
    child.send(Load(1, str(run), follow=False))
    child.next()
    exchange(run, save(tmp_path / "second", chain("hgfedcba"), step=2))
    text, ended = child.reply(Generate(2, "d", SamplingSettings(temperature=0, max_tokens=3)))
    assert (text, ended.step) == ("efg", 1)


def test_a_newer_checkpoint_that_is_damaged_leaves_the_older_weights_and_says_so(
    child: Child, chain, save, tmp_path: Path
) -> None:
    run = run_folder(tmp_path / "run")
    exchange(run, save(tmp_path / "first", chain("abcdefgh"), step=1))
    child.send(Load(1, str(run)))
    child.next()
    damaged = save(tmp_path / "second", chain("hgfedcba"), step=2)
    os.truncate(damaged / "model.safetensors", 200)
    exchange(run, damaged)
    text, ended = child.reply(Generate(2, "d", SamplingSettings(temperature=0, max_tokens=3)))
    assert (text, ended.step) == ("efg", 1)
    assert ended.notices[0].startswith("these are the weights of step 1; the newest cannot be read: ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\xff" * 100),
        ("model.safetensors", None),
        ("minigpt.json", b"{"),
        ("tokenizer.json", b"[]"),
        ("tokenizer.json", None),
    ],
)
def test_a_damaged_checkpoint_is_one_sentence_and_the_process_lives(
    loaded: Child, chain, save, tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = save(tmp_path / "damaged", chain("abcdefgh"))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    failed = loaded.failure(Load(5, str(folder)))
    assert (failed.id, failed.kind) == (5, "checkpoint")
    assert str(folder) in failed.message
    assert "\n" not in failed.message
    assert loaded.failure(Generate(6, "a")).kind == "checkpoint"  # not with the model from before
    loaded.send(Load(7, str(tmp_path / "checkpoint")))
    assert isinstance(loaded.next(), Loaded)


def test_a_device_that_is_not_there_is_one_sentence(child: Child, chain, save, tmp_path: Path) -> None:
    failed = child.failure(Load(1, str(save(tmp_path / "checkpoint", chain("abc"))), device="cuda:99"))
    assert failed.kind == "checkpoint"
    assert "cuda:99" in failed.message
