"""How signals stop a run."""

from __future__ import annotations

import os
import signal


class StopRequest:
    """`requested` is set by a signal or a command; the trainer looks at it between two updates."""

    def __init__(self) -> None:
        self.requested = False

    def listen(self) -> None:
        """SIGTERM and the first SIGINT ask, a second SIGINT interrupts; SIGHUP, a closed terminal, means nothing."""
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _ask(self, number: int, frame: object) -> None:
        self.requested = True
        if number == signal.SIGINT and int(os.environ.get("WORLD_SIZE", "1")) == 1:  # torchrun sends another by itself
            signal.signal(signal.SIGINT, signal.default_int_handler)
