"""The verb completion: a script with which a shell completes verbs, options, presets, and the names of runs."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

import shtab

from ...engine.paths import runs_dir
from .exit_codes import DONE
from .main import VERBS, build_parser

_HOW = {
    "bash": 'eval "$(minigpt-tui completion bash)"                      # in ~/.bashrc',
    "zsh": 'eval "$(minigpt-tui completion zsh)"                       # in ~/.zshrc, below compinit',
    "fish": "minigpt-tui completion fish > ~/.config/fish/completions/minigpt-tui.fish",
}
_FILES = {"corpus", "file", "output", "on"}  # arguments that are paths
_RUNS = {"run", "model", "start_from"}  # arguments that are names of runs, or paths

# Where the runs lie is decided when a name is completed: MINIGPT_HOME may be set by then.
_PREAMBLES = {
    "bash": """\
_minigpt_tui_runs() {{
  local runs={runs}
  [[ -n "$MINIGPT_HOME" ]] && runs="$MINIGPT_HOME/data/runs"
  compgen -W "$(command ls -- "$runs" 2>/dev/null)" -- "$1"
  compgen -f -- "$1"
}}
""",
    "zsh": """\
_minigpt_tui_runs() {{
  local runs={runs}
  [[ -n "$MINIGPT_HOME" ]] && runs="$MINIGPT_HOME/data/runs"
  compadd -- ${{(f)"$(command ls -- "$runs" 2>/dev/null)"}}
  _files
}}
""",
    "fish": """\
function _minigpt_tui_runs
  set -l runs {runs}
  if set -q MINIGPT_HOME
    set runs $MINIGPT_HOME/data/runs
  end
  command ls -- $runs 2>/dev/null
  __fish_complete_path (commandline -ct)
end
""",
}
_COMPLETE_RUNS = {"bash": "_minigpt_tui_runs", "zsh": "_minigpt_tui_runs", "fish": "(_minigpt_tui_runs)"}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "Print the script with which a shell completes this command. To use it:\n\n" + "\n".join(
        f"  {line}" for line in _HOW.values()
    )
    parser.add_argument("shell", choices=list(_HOW), help="the shell")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    parser = build_parser(VERBS)
    for action in _actions(parser):
        if action.dest in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.dest in _RUNS:
            action.complete = _COMPLETE_RUNS  # type: ignore[attr-defined]
    preamble = _PREAMBLES[arguments.shell].format(runs=shlex.quote(str(runs_dir())))
    print(shtab.complete(parser, shell=arguments.shell, preamble=preamble))
    return DONE


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and arguments, those of the verbs too."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from _actions(verb)
