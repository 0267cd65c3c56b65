"""A train process without a run yet: `python -m minigpt_tui.engine.training.ready_process`.

It imports what a training needs and reads its standard input to the end: the arguments of the train process, its folder
and its log, as one JSON object, or nothing, where no run is to be trained.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
from pathlib import Path

from ...data.storage.plain_files import open_plain
from . import process


def main() -> int:
    """Wait for a run and train it; returns the exit code."""
    gc.disable()  # until all is imported, as in the train process
    # on a thread, so that the run counts as training as soon as it is known
    threading.Thread(target=_import_torch, daemon=True).start()
    request = sys.stdin.buffer.read()
    if not request:
        os._exit(0)  # whatever the thread does
    words = json.loads(request)
    os.chdir(words["folder"])
    with open_plain(Path(words["log"]), "ab", follow_links=False) as log, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return process.main(words["arguments"], age=0.0)


def _import_torch() -> None:
    with contextlib.suppress(Exception):  # the training imports it again, and says what is wrong
        from . import group, setup  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())
