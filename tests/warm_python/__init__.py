"""An interpreter that has torch imported already, in the place of `sys.executable`: a process starts in milliseconds.

server.py   holds the imports, and forks a process for each connection
client.py   what is started in the place of python: hands over its arguments, environment and streams, and waits

Only processes that tests of the app and of the verbs start are forked; the end-to-end tests, and those of the processes
themselves, start real interpreters.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_IMPORTED_IN = ("PYTHONPATH", "OMP_NUM_THREADS", "LD_PRELOAD")  # what the imports depend on
_HERE = Path(__file__).parent


@contextlib.contextmanager
def warm_python() -> Iterator[str]:
    """The path of a command to use as `sys.executable`; where processes cannot be forked, the interpreter itself."""
    if sys.platform != "linux":
        yield sys.executable
        return
    with tempfile.TemporaryDirectory() as folder:
        socket, command = Path(folder) / "socket", Path(folder) / "python"
        imported_in = json.dumps({name: os.environ.get(name, "") for name in _IMPORTED_IN})
        client = [sys.executable, "-ISE", str(_HERE / "client.py"), str(socket), sys.executable, imported_in]
        command.write_text(f'#!/bin/sh\nexec {shlex.join(client)} "$@"\n')
        command.chmod(0o755)
        environment = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "ignore:Failed to initialize NumPy"}
        server = subprocess.Popen(
            [sys.executable, "-P", _HERE / "server.py", socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment,
        )  # fmt: skip
        assert server.stdout is not None
        assert server.stdout.readline(), "the server did not start"
        yield str(command)
        server.terminate()
        server.communicate()
