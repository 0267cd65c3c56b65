"""The generate process: requests on standard input, messages on standard output, one JSON object a line.

    python -m minigpt_tui.engine.generation.process

It says Hello before it imports torch and Ready after, and ends when its standard input closes. A thread reads, so that
Ping is answered and Cancel noticed while the main thread generates.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import BinaryIO

from ...data.storage.typed_json import SchemaError
from ..requests import (
    GENERATION_MESSAGES,
    REQUESTS,
    Cancel,
    ChangeSampling,
    ExplainPlace,
    Failed,
    Generate,
    GenerationMessage,
    Hello,
    Load,
    Ping,
    Pong,
    Ready,
    SamplingSettings,
    ScoreText,
)


class MessageWriter:
    """Writes whole lines to the pipe, from either thread."""

    def __init__(self) -> None:
        # From here on file descriptor 1 is the log: a print in any library cannot end up between the messages.
        self._pipe = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, message: GenerationMessage) -> None:
        """Write one line at once; where nobody reads any more, the process ends."""
        line = GENERATION_MESSAGES.encode(message).encode("ascii")
        with self._lock:
            try:
                self._pipe.write(line)
                self._pipe.flush()
            except OSError:
                os._exit(0)

    def exit(self) -> None:
        """End the process now, whatever the other thread does, but not in the middle of a line."""
        self._lock.acquire(timeout=1)
        os._exit(0)


@dataclass
class QueuedRequest:
    """A request that waits or is being answered."""

    request: Load | Generate | ExplainPlace | ScoreText
    cancelled: bool = False
    settings: SamplingSettings | None = None  # that are wanted for what follows of a reply


class RequestReader:
    """Reads requests in a thread: Ping, Cancel and ChangeSampling act at once, the others wait in order in `queue`."""

    def __init__(self, pipe: BinaryIO, writer: MessageWriter) -> None:
        self.queue: queue.SimpleQueue[QueuedRequest] = queue.SimpleQueue()
        self._open: dict[int, QueuedRequest] = {}
        self._pipe, self._writer = pipe, writer

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def done(self, queued: QueuedRequest) -> None:
        """Forget a request that was answered; a Cancel for it that comes later means nothing."""
        if self._open.get(queued.request.id) is queued:
            del self._open[queued.request.id]

    def _read(self) -> None:
        try:
            for line in self._pipe:
                if line.strip():
                    self._take(line)
        except Exception:
            traceback.print_exc()
        self._writer.exit()  # standard input closed: the app is gone

    def _take(self, line: bytes) -> None:
        try:
            request = REQUESTS.decode(line)
        except SchemaError as error:
            print(f"not a request: {error}", file=sys.stderr, flush=True)
            if (number := _id_of(line)) is not None:
                self._writer.send(Failed(number, "internal", f"the request was not understood: {error}"))
            return
        if isinstance(request, Ping):
            self._writer.send(Pong(request.id))
        elif isinstance(request, Cancel):
            if queued := self._open.get(request.id):
                queued.cancelled = True
        elif isinstance(request, ChangeSampling):
            if queued := self._open.get(request.id):
                queued.settings = request.settings
        else:
            queued = self._open[request.id] = QueuedRequest(request)
            self.queue.put(queued)


def _id_of(line: bytes) -> int | None:
    """The id in a line that is no request, where there is one."""
    try:
        number = json.loads(line)["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return number if type(number) is int else None


_KEPT_MEMORY = 1 << 28  # bytes that stay with the process between one reply and the next
NICENESS = 5  # behind the process that draws, before the one that trains


def main() -> None:
    """Answer requests until standard input closes."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is for the app, which then ends this process
    writer = MessageWriter()
    writer.send(Hello(os.getpid()))
    reader = RequestReader(sys.stdin.buffer, writer)
    reader.start()

    import torch

    from ...models.devices import available_devices, varying_lengths
    from ..freed_memory import keep_freed_memory
    from .responder import Responder

    keep_freed_memory(_KEPT_MEMORY)
    gc.freeze()  # what was imported stays: to look through it again took a tenth of a second, in the middle of a reply
    responder = Responder(writer.send)
    writer.send(Ready(torch.__version__, available_devices()[0]))
    with varying_lengths():
        while True:
            queued = reader.queue.get()
            responder.answer(
                queued.request, lambda queued=queued: queued.cancelled, lambda queued=queued: queued.settings
            )
            reader.done(queued)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # an orderly exit would fight with the other thread for standard input, and bury the traceback
