"""The whole command line: the verbs, and the parser that knows their options."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
from collections.abc import Collection
from types import ModuleType

VERBS: dict[str, str] = {
    "open": "open the app with a model",
    "train": "train a new run on a corpus",
    "resume": "go on with a run that stopped",
    "stop": "stop a run that trains, and save it",
    "generate": "continue a prompt",
    "score": "how likely a model finds a text",
    "evaluate": "loss, perplexity and bits per byte of a run",
    "export": "a model as a file for llama.cpp, or as a Hugging Face folder",
    "bench": "how fast this machine trains and generates",
    "runs": "list the runs",
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
"""


def build_parser(verbs: Collection[str] = ()) -> argparse.ArgumentParser:
    """The command line with all its verbs; only those named in `verbs` are imported and know their options."""
    parser = argparse.ArgumentParser(
        prog="minigpt-tui",
        description="A workbench for small GPTs that lives in a terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"minigpt-tui {importlib.metadata.version('minigpt-tui')}"
    )
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB")
    for verb, summary in VERBS.items():
        verb_parser = subparsers.add_parser(verb, help=summary)
        if verb in verbs:
            module_of(verb).add_options(verb_parser)
    return parser


def module_of(verb: str) -> ModuleType:
    """The module that carries out `verb`."""
    return importlib.import_module(f".{verb}", __package__)
