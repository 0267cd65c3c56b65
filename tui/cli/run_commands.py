"""Commands to a run that trains: pause, resume, save, evaluate, sample, set; its answer is waited for and printed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from typing import Any

from ...data.storage.errors import UserError
from ...data.storage.printable import visible
from ...data.storage.typed_json import dumps, to_plain
from ...engine.commands import SETTINGS, Answers, changed, new_command, prompted, send
from ...engine.events import Acknowledged, Command, CommandName
from ...engine.run_about import find_run
from ...engine.runs import Run
from ..text.escapes import unescaped
from .exit_codes import DONE, FAILED, USAGE, complain
from .options import ESCAPES

_POLL = 0.05  # seconds between looks at the run's events
_WORDS: dict[CommandName, str] = {
    "pause": "save a run that trains, and let it wait",
    "resume": "let a run that is paused go on",
    "save": "save a checkpoint now",
    "evaluate": "compute the validation loss now",
    "sample": "let the model write now",
}


def add_command_actions(actions: Any) -> None:
    """Add an action for each command, and `set`, to the subparsers of a verb."""
    parsers = [actions.add_parser(name, help=words) for name, words in _WORDS.items()]
    change = actions.add_parser("set", help="change something of a run while it trains; a resumed run knows it")
    change.add_argument("--learning-rate-scale", metavar="X", help="multiply the rates of the schedule by this")
    change.add_argument("--budget", help="the whole run's budget from here on, as '5 minutes'")
    change.add_argument("--evaluation-interval", metavar="N", help="steps between evaluations; 0 chooses by time")
    change.add_argument(
        "--prompt", action="append", type=unescaped, dest="sample_prompts", metavar="TEXT",
        help=f"what the samples continue. May be repeated. {ESCAPES}",
    )  # fmt: skip
    for parser in (*parsers, change):
        parser.add_argument("run", metavar="RUN", help="its name or folder")


def give(arguments: argparse.Namespace) -> int:
    """Give the command that the action is called like."""
    return _send(arguments, [new_command(arguments.action)])


def change(arguments: argparse.Namespace) -> int:
    """Change what the options name. Raises UserError for a value that cannot be, before anything is changed."""
    commands = [
        prompted(typed) if name == "sample_prompts" else changed(name, typed)
        for name in SETTINGS
        if (typed := getattr(arguments, name)) is not None
    ]
    if not commands:
        options = ("--learning-rate-scale", "--budget", "--evaluation-interval", "--prompt")
        raise UserError(f"there is nothing to change; give {', '.join(options[:-1])} or {options[-1]}")
    return _send(arguments, commands)


def _send(arguments: argparse.Namespace, commands: list[Command]) -> int:
    run = find_run(arguments.run)
    answers = Answers(run, commands)
    for command in commands:
        send(run, command)
    received = list(_received(answers))
    if arguments.json:
        print(dumps([{"run": run.name, **to_plain(answer)} for answer in received], indent=2))
    return _report(run, received, answers, arguments.json)


def _received(answers: Answers) -> Iterable[Acknowledged]:
    """The answers as they come, until the run has given all or cannot any more."""
    while True:
        yield from answers.read()
        if not answers.waited_for or answers.lost:
            return
        time.sleep(_POLL)


def _report(run: Run, received: list[Acknowledged], answers: Answers, as_json: bool) -> int:
    code = DONE
    for answer in received:
        sentence = f"'{run.name}', step {answer.step:,}: {visible(answer.text)}"
        if not answer.accepted:
            code = complain(sentence, USAGE)
        elif not as_json:
            print(sentence)
    return complain(answers.lost, FAILED) if answers.lost else code
