"""The command `minigpt-tui`: which verb is asked for, with which options; without a verb the app.

Data goes to standard output, everything else to standard error. `exit_codes` says what the exit code means.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Collection, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from ...data.storage.errors import EXPECTED, sentence_of
from ..terminal import encoding_problem, is_utf8
from .exit_codes import INTERRUPTED, READER_GONE, complain, flushed_output
from .start import open_app
from .streams import accept_any_text

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

VERBS: dict[str, str] = {
    "open": "open the app with a model",
    "train": "train a new run on a corpus",
    "resume": "go on with a run that stopped",
    "stop": "stop a run that trains, and save it",
    "generate": "continue a prompt",
    "score": "how likely a model finds a text",
    "quotes": "what of a text stands word for word in what a run has learned from",
    "evaluate": "loss, perplexity and bits per byte of a run",
    "export": "a model as a file for llama.cpp, or as a Hugging Face folder",
    "bench": "how fast this machine trains and generates",
    "runs": "list the runs",
    "sessions": "what was written with models: list, show, search, export ...",
    "speakers": "who speaks in a play, a dialogue or a chat log",
    "presets": "list the recipes known by name",
    "corpora": "list the corpora known by name",
    "paths": "say where things lie on disk",
    "doctor": "say what would go wrong here, and how to mend it",
    "completion": "print what completes this command in bash, zsh or fish",
}
"""Each verb, with what the help says of it. The module of a verb has its name, and two functions:
`add_options(parser)` and `run(arguments)`, which returns the exit code."""

_EPILOG = """\
without a verb the app opens; with a file or folder it offers to train on that text:
  minigpt-tui
  minigpt-tui my-novel.txt
and with open it begins with a model:
  minigpt-tui open ~/models/gpt2
with --plain the conversation is read and written line by line, for screen readers and pipes:
  minigpt-tui --plain
  minigpt-tui --plain ~/models/gpt2
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    accept_any_text()
    try:
        with flushed_output():
            return _dispatch(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return READER_GONE
    except EXPECTED as error:
        return complain(sentence_of(error))


def _dispatch(words: list[str]) -> int:
    if not words:
        return open_app()
    if (model := _plain_model(words)) is not None:
        from .plain import talk

        return talk(model or None)
    verbs = f"verbs are: {', '.join(VERBS)}"
    if words and not words[0].startswith("-") and words[0] not in VERBS:
        if len(words) > 1:
            build_parser().error(f"'{words[0]}' is not a verb; {verbs}")
        from .open import open_path

        try:
            return open_path(words[0])
        except FileNotFoundError:
            return complain(f"there is no verb and no file called '{words[0]}'; {verbs}")
    if sys.stdout is not None and sys.stdout.isatty() and not is_utf8(sys.stdout):
        print(f"minigpt-tui: {encoding_problem(sys.stdout)}", file=sys.stderr)
    parser = build_parser([word for word in words if word != "--plain"][:1])
    arguments = parser.parse_args(words)
    if arguments.plain and arguments.verb != "open":
        parser.error(f"--plain is the app's conversation and goes with no verb, so not with {arguments.verb}")
    if arguments.verb is None:
        return open_app()
    return module_of(arguments.verb).run(arguments)


def _plain_model(words: list[str]) -> str | None:
    """The model that stands beside `--plain`, "" where there is none; None where something else is asked for."""
    others = [word for word in words if word != "--plain"]
    if len(others) == len(words) or len(others) > 1 or others[:1] == ["open"]:
        return None
    return "".join(others) if not others or not (others[0].startswith("-") or others[0] in VERBS) else None


class _Parser(argparse.ArgumentParser):
    """argparse, except that an error in writing a help text, which may be longer than a buffer, is not passed over."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Write the help to `file`, else to standard output. Raises OSError."""
        (file or sys.stdout).write(self.format_help())


def build_parser(verbs: Collection[str] = ()) -> argparse.ArgumentParser:
    """The command line with all its verbs; only those named in `verbs` are imported and know their options."""
    import importlib.metadata  # only here: the app starts without it

    parser = _Parser(
        prog="minigpt-tui",
        description="A workbench for small GPTs that lives in a terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"minigpt-tui {importlib.metadata.version('minigpt-tui')}"
    )
    parser.add_argument("--plain", action="store_true", help="the app's conversation line by line, without a screen")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB")
    for verb, summary in VERBS.items():
        verb_parser = subparsers.add_parser(verb, help=summary)
        if verb in verbs:
            module_of(verb).add_options(verb_parser)
    return parser


def module_of(verb: str) -> ModuleType:
    """The module that carries out `verb`."""
    return importlib.import_module(f".{verb}", __package__)


if __name__ == "__main__":
    sys.exit(main())
