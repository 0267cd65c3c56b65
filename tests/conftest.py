"""One thread for each test process and its children: test files run side by side."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
import signal
from collections.abc import Iterator

import pytest

_SIGNALS = [getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """What a training ignores as it runs in a test's own process, the processes of later tests would ignore as well."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, handler)
