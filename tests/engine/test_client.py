from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from minigpt_tui.engine.client import GenerateProcess
from minigpt_tui.engine.requests import Failed, Generate, GenerationMessage, Hello, Ping, Pong, Ready

SLOW = 60


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def running(code: str) -> list[str]:
    """The command of a process that runs `code` in the engine's place."""
    return [sys.executable, "-P", "-c", code]


class Watched:
    """A generate process with what it said, in order; an exit stands there as a tuple."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        self.seen: asyncio.Queue[GenerationMessage | tuple[int, str]] = asyncio.Queue()
        self.process = GenerateProcess(
            self.seen.put_nowait, lambda code, text: self.seen.put_nowait((code, text)), command
        )

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


async def test_the_last_line_of_the_log_says_why_it_ended(home: Path) -> None:
    (home / "state").mkdir(parents=True)
    (home / "state" / "generate.log").write_text("an old line\n")
    watched = Watched(running("import sys; sys.exit('Traceback\\nNo module named torch')"))
    await watched.process.start()
    assert await watched.next() == (1, "the generate process ended with code 1 (No module named torch)")


async def test_lines_that_are_no_message_are_skipped_and_counted() -> None:
    lines = '{"answer":"pong","id":1}\nhello?\n{"answer":"pong"}\n{"answer":"song","id":1}\n'
    watched = Watched(running(f"print({lines!r} + 'x' * 2**23 + '\\n' + {lines!r}, flush=True); input()"))
    await watched.process.start()
    assert [await watched.next(), await watched.next()] == [Pong(1), Pong(1)]
    assert watched.process.skipped_lines >= 4  # three, and the long one in a piece or two
    await watched.process.close()


async def test_an_error_in_the_callback_does_not_end_the_reading() -> None:
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context["exception"]))
    seen: asyncio.Queue[GenerationMessage] = asyncio.Queue()

    def callback(message: GenerationMessage) -> None:
        seen.put_nowait(message)
        raise ValueError(message)

    code = """print('{"answer":"pong","id":1}\\n{"answer":"pong","id":2}', flush=True); input()"""
    process = GenerateProcess(callback, command=running(code))
    await process.start()
    assert [await asyncio.wait_for(seen.get(), SLOW) for _ in range(2)] == [Pong(1), Pong(2)]
    await process.close()
    assert len(errors) == 2


async def test_a_process_that_does_not_listen_is_ended_by_force() -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        """print('{"answer":"pong","id":1}', flush=True); time.sleep(600)"""
    )
    watched = Watched(running(code))
    await watched.process.start()
    await watched.next()
    await watched.process.close(grace=0.2)
    assert watched.process.exited is not None
    assert watched.process.exited.result() != 0


async def test_a_log_of_more_than_a_megabyte_begins_anew(home: Path) -> None:
    (home / "state").mkdir(parents=True)
    log = home / "state" / "generate.log"
    log.write_text("x" * (10**6 + 1))
    watched = Watched(running("import sys; sys.exit('new')"))
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


def test_the_client_is_light() -> None:
    code = "import sys, minigpt_tui.engine.client; print({'torch', 'textual', 'rich'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
