from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from minigpt_tui.engine import client, locks, paths
from minigpt_tui.engine.client import GenerateProcess, start_training
from minigpt_tui.engine.requests import Failed, Generate, GenerationMessage, Hello, Ping, Pong, Ready
from minigpt_tui.engine.runs import Run, RunError

SLOW = 60


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the next child run `code` instead of the engine's module; its arguments stay."""
    monkeypatch.setattr(client, "python_module", lambda module, *rest: [sys.executable, "-P", "-c", code, *rest])


# --- generation -----------------------------------------------------------------------------------


class Watched:
    """A generate process with what it said, in order; an exit stands there as a tuple."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[GenerationMessage | tuple[int, str]] = asyncio.Queue()
        self.process = GenerateProcess(self.seen.put_nowait, lambda code, text: self.seen.put_nowait((code, text)))

    async def next(self) -> GenerationMessage | tuple[int, str]:
        return await asyncio.wait_for(self.seen.get(), SLOW)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    yield watched
    await watched.process.close()


async def test_speaks_with_the_process_and_ends_it(watched: Watched, home: Path) -> None:
    await watched.process.start()
    assert watched.process.send(Ping(1))
    assert watched.process.send(Generate(2, "a"))
    assert await watched.next() == Hello(pid=watched.process.pid or 0)
    assert await watched.next() == Pong(1)
    assert isinstance(await watched.next(), Ready)
    assert isinstance(await watched.next(), Failed)
    await watched.process.close()
    assert watched.process.exited is not None
    assert watched.process.exited.result() == 0
    assert watched.seen.empty()  # an end that was asked for is not reported
    assert not watched.process.send(Ping(3))
    assert (home / "state" / "generate.log").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals")
async def test_a_killed_process_is_reported(watched: Watched) -> None:
    await watched.process.start()
    await watched.next()
    os.kill(watched.process.pid or 0, signal.SIGKILL)
    code, sentence = await watched.next()  # type: ignore[misc]
    assert code == -signal.SIGKILL
    assert sentence == "the generate process ended by SIGKILL, perhaps because memory ran out"
    assert not watched.process.send(Ping(1))


async def test_the_last_line_of_the_log_says_why_it_ended(
    watched: Watched, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "state").mkdir(parents=True)
    (home / "state" / "generate.log").write_text("an old line\n")
    stand_in(monkeypatch, "import sys; sys.exit('Traceback\\nNo module named torch')")
    await watched.process.start()
    assert await watched.next() == (1, "the generate process ended with code 1 (No module named torch)")


async def test_lines_that_are_no_message_are_skipped_and_counted(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = '{"answer":"pong","id":1}\nhello?\n{"answer":"pong"}\n{"answer":"song","id":1}\n'
    stand_in(monkeypatch, f"print({lines!r} + 'x' * 2**23 + '\\n' + {lines!r}, flush=True); input()")
    await watched.process.start()
    assert [await watched.next(), await watched.next()] == [Pong(1), Pong(1)]
    assert watched.process.skipped_lines >= 4  # three, and the long one in a piece or two


async def test_an_error_in_the_callback_does_not_end_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context["exception"]))
    seen: asyncio.Queue[GenerationMessage] = asyncio.Queue()

    def callback(message: GenerationMessage) -> None:
        seen.put_nowait(message)
        raise ValueError(message)

    stand_in(monkeypatch, """print('{"answer":"pong","id":1}\\n{"answer":"pong","id":2}', flush=True); input()""")
    process = GenerateProcess(callback)
    await process.start()
    assert [await asyncio.wait_for(seen.get(), SLOW) for _ in range(2)] == [Pong(1), Pong(2)]
    await process.close()
    assert len(errors) == 2


async def test_a_process_that_does_not_listen_is_ended_by_force(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_GRACE", 0.2)
    stand_in(
        monkeypatch,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        """print('{"answer":"pong","id":1}', flush=True); time.sleep(600)""",
    )
    await watched.process.start()
    await watched.next()
    await watched.process.close()
    assert watched.process.exited is not None
    assert watched.process.exited.result() != 0


async def test_a_long_log_begins_anew(watched: Watched, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_LOG", 10)
    (home / "state").mkdir(parents=True)
    log = home / "state" / "generate.log"
    log.write_text("x" * 11)
    stand_in(monkeypatch, "import sys; sys.exit('new')")
    await watched.process.start()
    await watched.next()
    assert log.read_text() == "new\n"


async def test_a_users_folder_cannot_stand_in_for_ours(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("minigpt_tui", "torch", "json"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIGPT_HOME", "home")  # relative: it must mean the same in the child
    await watched.process.start()
    assert [type(await watched.next()) for _ in range(2)] == [Hello, Ready]
    assert (tmp_path / "home" / "state" / "generate.log").exists()


# --- training -------------------------------------------------------------------------------------


@pytest.fixture
def run(home: Path) -> Run:
    run = Run(paths.runs_dir() / "try-01")
    run.path.mkdir(parents=True)
    return run


def wait_for(path: Path) -> str:
    """The content of a file that a child writes, complete with its newline."""
    for _ in range(SLOW * 20):
        with contextlib.suppress(FileNotFoundError):
            if (text := path.read_text()).endswith("\n"):
                return text
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written")


def test_training_starts_detached_in_the_run_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch,
        "import os, sys; print(os.getpid(), os.getsid(0), os.getcwd(), sys.stdin.read() == '', *sys.argv[1:])",
    )
    pid = start_training(run, resume=True, leave_core=True)
    assert wait_for(run.log_path).split() == [
        str(pid), str(pid), str(run.path), "True", str(run.path), "--resume", "--leave-core",
    ]  # fmt: skip
    assert pid != os.getpid()


def test_on_several_devices_torchrun_starts_as_many_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "import os, sys; print(os.environ['PYTHONSAFEPATH'], *sys.argv[1:])")
    start_training(run, resume=True, devices=3)
    assert wait_for(run.log_path).split() == [
        "1", "--standalone", "--nproc-per-node=3", "-m", "minigpt_tui.engine.training.process", str(run.path),
        "--resume",
    ]  # fmt: skip


def test_training_appends_to_the_log_both_what_it_prints_and_its_errors(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.log_path.write_text("before\n")
    stand_in(monkeypatch, "import sys; print('out', flush=True); print(sys.argv[2:], file=sys.stderr)")
    start_training(run)
    while (text := wait_for(run.log_path)).count("\n") < 3:
        time.sleep(0.05)
    assert text == "before\nout\n[]\n"


def test_a_trainer_that_ended_leaves_no_zombie(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "print()")
    pid = start_training(run)
    for _ in range(SLOW * 20):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("it is still there")


def test_a_run_that_trains_is_not_started_twice(run: Run) -> None:
    held = locks.acquire(run.lock_path)
    assert held
    with held, pytest.raises(RunError, match="'try-01' is training already"):
        start_training(run)
    assert not run.log_path.exists()


def test_a_run_that_is_gone_is_one_sentence(run: Run) -> None:
    with pytest.raises(RunError, match=r"'gone' cannot be started: .*No such file"):
        start_training(Run(run.path.with_name("gone")))


def test_the_client_is_light() -> None:
    code = "import sys, minigpt_tui.engine.client; print({'torch', 'textual', 'rich'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
