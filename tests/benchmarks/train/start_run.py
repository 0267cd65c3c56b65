"""A process that makes a run and starts its training, as `minigpt-tui train --detach` does, without the app's packages.

Standard input: one JSON object {"corpus": SPEC, "recipe": RECIPE}. Standard output: the run's folder. Where that is not
possible: exit code 2 and a sentence on standard error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.errors import EXPECTED, sentence_of
from minigpt_tui.data.storage.typed_json import loads
from minigpt_tui.engine.launch import new_run, start_training
from minigpt_tui.models.recipe import Recipe

USER_ERROR = 2


@dataclass(frozen=True)
class TrainingRequest:
    """What is to be trained."""

    corpus: str
    recipe: Recipe


def main() -> int:
    """Carry out the request on standard input; returns the exit code."""
    try:
        request = loads(TrainingRequest, sys.stdin.read(), "the request")
        run = new_run(open_corpus(request.corpus), request.recipe)
        start_training(run)
    except EXPECTED as error:
        print(sentence_of(error), file=sys.stderr)
        return USER_ERROR
    print(run.path, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
