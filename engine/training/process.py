"""The train process: `python -m minigpt_tui.engine.training.process RUN_DIR [--resume] [--leave-core] [--budget TEXT]
[--asked TIME]`.

Where torchrun starts several of them they train the run together: the first as written here, the others as `follower`.
Exit codes: 0 finished or stopped, 1 failed, 2 not a run that can be trained, 3 another process trains it already.
"""

from __future__ import annotations

import argparse
import functools
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.storage.plain_files import open_plain
from .. import locks
from ..events import Command
from ..runs import Run
from ..time_line import TimeLine, process_age
from .errors import FolderGoneError
from .loop.command_handler import answer_waiting
from .loop.commands import CommandReader, StopRequested, commands_size
from .loop.event_log import EventLog

FAILED, NOT_A_RUN, ALREADY_TRAINING = 1, 2, 3


def main(arguments: list[str] | None = None, *, age: float | None = None) -> int:
    """Train the run that the command line names; returns the exit code.

    `age` is the time in seconds that the process has spent on this run, if that is not all of its life.
    """
    parser = argparse.ArgumentParser(prog="minigpt_tui.engine.training.process", description="Train a run.")
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="the folder of a run, with its run.json")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument("--leave-core", action="store_true", help="leave one core to the screen")
    parser.add_argument("--budget", default="", metavar="TEXT", help="another budget from here on, as '5 minutes'")
    parser.add_argument("--asked", type=float, metavar="TIME", help="when the run was asked for, as time.time() has it")
    options = parser.parse_args(arguments)
    time_line = _time_line(options.asked, process_age() if age is None else age)
    if int(os.environ.get("RANK", "0")) > 0:  # as torchrun numbers its processes
        from . import follower

        return follower.main(options.leave_core)
    run = Run(options.run.absolute())
    try:
        run.manifest()
        run.check_files()
        # measured before the run counts as training: what is asked from then on is for this process
        asked_before = commands_size(run) if options.resume else 0
        host, lock = run.other_host(), locks.acquire(run.lock_path)
    except EXPECTED as error:
        print(sentence_of(error), file=sys.stderr)
        return NOT_A_RUN
    if host:
        print(f"'{run.name}' is already being trained on {host}; stop it there first", file=sys.stderr)
        return ALREADY_TRAINING
    if lock is None:
        print(f"'{run.name}' is already being trained by another process; stop that one first", file=sys.stderr)
        return ALREADY_TRAINING
    if run.checkpoint() is not None and not options.resume:
        print(f"'{run.name}' has been trained already; resume it, or make a new run", file=sys.stderr)
        return NOT_A_RUN
    with lock:
        is_gone = functools.partial(_is_gone, run, lock)
        commands = CommandReader(run, start=asked_before, is_gone=is_gone)
        return _train(run, options.resume, options.leave_core, options.budget, commands, is_gone, time_line)


def _time_line(asked: float | None, age: float) -> TimeLine:
    """The time line of this process, which has that age, with what passed before its first line."""
    before = max(0.0, time.time() - age - asked) if asked else 0.0
    return TimeLine("start", *([("command", before)] if before else []), ("start", age))


def _is_gone(run: Run, lock: IO[bytes]) -> bool:
    """Whether the run's folder was deleted or renamed since the lock was taken."""
    return not (locks.is_there(lock, run.lock_path) and os.path.lexists(run.path / "run.json"))


def _train(
    run: Run,
    resume: bool,
    leave_core: bool,
    budget: str,
    commands: CommandReader,
    is_gone: Callable[[], bool],
    time_line: TimeLine,
) -> int:
    before = run.status() if resume else None
    commands.listen_to_signals()
    with EventLog(run, is_gone) as event_log:
        try:
            # imported only now that "starting" is on the disk for those who wait: this imports torch
            time_line.enter("imports")
            gc.disable()  # little of what is made meanwhile is garbage, and looking for it takes a twelfth of the time
            from .group import process_group
            from .setup import build_trainer

            gc.enable()
            with process_group() as group:
                try:
                    trainer = build_trainer(
                        run, resume=resume, leave_core=leave_core, event_log=event_log, commands=commands, group=group,
                        time_line=time_line,
                    )  # fmt: skip
                except StopRequested:
                    event_log.state("stopped", "a stop was asked for while it was prepared")
                    answer_waiting(commands, event_log, before.step if before else 0)
                else:
                    if budget:
                        trainer.carry_out(Command("budget", text=budget))
                    trainer.train()
                    answer_waiting(commands, event_log, trainer.step)
        except FolderGoneError as error:
            print(error, file=sys.stderr)
            return FAILED
        except BaseException as error:
            reason = _sentence(error)
            _log_traceback(run)
            if before and before.state == "finished" and not event_log.saved:  # it is as good as before
                event_log.not_resumed(before, reason)
            else:
                event_log.state("failed", reason)
            print(reason, file=sys.stderr)
            return FAILED
    return 0


def _sentence(error: BaseException) -> str:
    """What went wrong, for a person."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "the training was interrupted; resume it to go on from its last checkpoint"
    if isinstance(error, MemoryError):
        return "the memory is not enough for this model and text; choose a smaller model or a shorter text"
    line = (str(error).splitlines() or [""])[0][:200]
    return f"the training failed with {type(error).__name__}: {line}; the details are in log.txt of the run's folder"


def _log_traceback(run: Run) -> None:
    """Append the traceback to the run's log; nobody reads it elsewhere."""
    try:
        with open_plain(run.log_path, "ab", follow_links=False) as file:
            text = f"\n{time.strftime('%Y-%m-%d %H:%M:%S')}\n{traceback.format_exc()}"
            file.write(text.encode(errors="backslashreplace"))  # a path may be no UTF-8
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
