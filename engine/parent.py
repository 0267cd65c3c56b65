"""Processes that work for another one, and end soon after it, also where that is killed. Light."""

from __future__ import annotations

import os
import signal
import threading
import time

_LOOK = 0.5  # seconds between two looks


def end_with_parent() -> None:
    """From now on look whether the process that started this one is there, and send this one SIGTERM where not.

    A system without parents that can be told (Windows) leaves it running.
    """
    if os.name == "nt":
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
