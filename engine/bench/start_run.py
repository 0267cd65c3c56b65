"""A process that makes a run and starts its training, as `minigpt-tui train --detach` does, without the app's packages.

Standard input: one JSON object {"corpus": SPEC, "recipe": RECIPE}. Standard output: the run's folder. Where that is not
possible: exit code 2 and a sentence on standard error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ...data.corpus import open_corpus
from ...data.storage.errors import UserError
from ...data.storage.typed_json import SchemaError, loads
from ...models.recipe import Recipe
from ..client import start_training
from ..launch import new_run

USER_ERROR = 2


@dataclass(frozen=True)
class Order:
    """What is to be trained."""

    corpus: str
    recipe: Recipe


def main() -> int:
    """Carry out the order on standard input; returns the exit code."""
    try:
        order = loads(Order, sys.stdin.read(), "the order")
        run = new_run(open_corpus(order.corpus), order.recipe)
        start_training(run)
    except (UserError, SchemaError) as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    print(run.path, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
