"""One thread for each test process and its children: test files run side by side."""

import contextlib
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
import signal
import zlib
from collections.abc import Iterator

import pytest

with contextlib.suppress(ImportError):  # a machine that only has the engine runs its tests without it
    from hypothesis import settings

    # The same examples at each run; `--hypothesis-profile search` looks for others.
    settings.register_profile("repeatable", derandomize=True, database=None)
    settings.register_profile("search", derandomize=False)
    settings.load_profile("repeatable")

_LONGEST_ID = 80  # characters
_SIGNALS = [getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """What a training ignores as it runs in a test's own process, the processes of later tests would ignore as well."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, handler)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A short name for a long text: the name of a test travels between processes, and stands in their environment."""
    if isinstance(val, (str, bytes)) and len(val) > _LONGEST_ID:
        content = val if isinstance(val, bytes) else val.encode("utf-8", "surrogatepass")
        return f"{argname}-{len(val)}-{zlib.crc32(content):08x}"
    return None
