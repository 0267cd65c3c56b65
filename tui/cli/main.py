"""The command `minigpt-tui`: the app without a verb, the same engine without a screen with one.

Data goes to standard output, everything else to standard error. `exit_codes` says what the exit code means.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ...data.storage.errors import EXPECTED, sentence_of
from .exit_codes import INTERRUPTED, READER_GONE, complain
from .parser import VERBS, build_parser, module_of
from .streams import take_any_text, written_out


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    take_any_text()
    try:
        with written_out():
            return _carry_out(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return READER_GONE
    except EXPECTED as error:
        return complain(sentence_of(error))


def _carry_out(words: list[str]) -> int:
    verbs = f"verbs are: {', '.join(VERBS)}"
    if words and not words[0].startswith("-") and words[0] not in VERBS:
        if len(words) > 1:
            build_parser().error(f"'{words[0]}' is not a verb; {verbs}")
        from .open import open_path

        try:
            return open_path(words[0])
        except FileNotFoundError:
            return complain(f"there is no verb and no file called '{words[0]}'; {verbs}")
    arguments = build_parser(words[:1]).parse_args(words)
    if arguments.verb is None:
        from ..app import run_app

        return run_app()
    return module_of(arguments.verb).run(arguments)


if __name__ == "__main__":
    sys.exit(main())
