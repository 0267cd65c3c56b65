"""The generate process as the app sees it: one model, one prompt at a time, started again when it dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from ..engine.client import GenerateProcess
from ..engine.requests import Cancel, Ended, Failed, Generate, GenerationMessage, Load, Loaded, SamplingSettings, Tokens
from .messages import ModelFailed, ModelLoading, ModelReady, Notice

MAX_EXITS = 3  # unexpected ones within EXIT_WINDOW: then the process is not started again
EXIT_WINDOW = 60.0  # seconds

ReplyListener = Callable[[Tokens | Ended | Failed], None]
"""Receives the events about a prompt: pieces of text, then one Ended for each sample, or one Failed for all of them."""


@dataclass
class _Pending:
    """A prompt that is being answered."""

    id: int
    listener: ReplyListener
    incomplete: int  # samples that have not ended
    cancelled: bool = False


class Generator:
    """Owns the process.

    Events about a prompt go to that prompt's listener, a model that was loaded to `on_loaded`, and what a person has
    to know to `post` as a message. All of it happens in the event loop.
    """

    def __init__(self, post: Callable[[Message], object], on_loaded: Callable[[Loaded], None]) -> None:
        self._post = post
        self._on_loaded = on_loaded
        self._process: GenerateProcess | None = None
        self._restart: asyncio.Future[None] | None = None
        self._next_id = 0
        self._load_id: int | None = None
        self._pending: _Pending | None = None
        self._exits: list[float] = []
        self.path: str | None = None  # the model that is wanted: a run folder, or one model on disk
        self._follow = False
        self.loaded: Loaded | None = None  # the model in memory

    @property
    def pid(self) -> int | None:
        """The number of the process, None while there is none."""
        return self._process.pid if self._process else None

    @property
    def ready(self) -> bool:
        """Whether a prompt would be answered at once."""
        return self.loaded is not None and self._pending is None

    @property
    def generating(self) -> bool:
        """Whether a prompt is being answered."""
        return self._pending is not None

    async def start(self) -> None:
        """Start the process; requests may be sent at once, they wait until it is ready."""
        process = GenerateProcess(self._receive, self._exited)
        try:
            await process.start()
        except OSError as error:
            self._post(ModelFailed(f"the generate process cannot be started: {error}"))
            return
        self._process = process
        if self.path is not None:
            self._send_load(self.path)

    async def close(self) -> None:
        """End the process with the app."""
        if self._process is not None:
            await self._process.close()

    def load(self, path: Path, *, follow: bool) -> None:
        """Answer with the model at `path` from now on; a reply that streams is cancelled.

        With `follow` it is a run folder, whose newest weights are looked for before each reply.
        """
        self.cancel()
        self.path, self._follow, self.loaded = str(path), follow, None
        self._post(ModelLoading())
        if self._process is not None:
            self._send_load(self.path)
        elif len(self._exits) >= MAX_EXITS:  # given up, until a person opens a model again
            self._exits = []
            self._restart = asyncio.ensure_future(self.start())

    def unload(self) -> None:
        """Forget the model: the run on screen has none yet."""
        self.cancel()
        self.path, self.loaded, self._load_id = None, None, None

    def generate(
        self,
        prompt: str,
        settings: SamplingSettings,
        listener: ReplyListener,
        *,
        samples: int = 1,
        explain: bool = False,
    ) -> None:
        """Continue `prompt` `samples` times; `listener` receives the replies. Only while `ready`."""
        assert self._process is not None, "generate needs a process: ask `ready` first"
        self._pending = _Pending(self._new_id(), listener, samples)
        self._process.send(Generate(self._pending.id, prompt, settings, samples, explain))

    def cancel(self) -> None:
        """Stop the replies that stream. Text still on its way is dropped; each end is reported once."""
        if self._pending is not None and not self._pending.cancelled and self._process is not None:
            self._pending.cancelled = True
            self._process.send(Cancel(self._pending.id))

    def _send_load(self, path: str) -> None:
        assert self._process is not None
        self._load_id = self._new_id()
        self._process.send(Load(self._load_id, path, follow=self._follow))

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _receive(self, message: GenerationMessage) -> None:
        pending = self._pending
        match message:
            case Tokens(id=id) if pending and id == pending.id:
                if not pending.cancelled:
                    pending.listener(message)
            case Ended(id=id) if pending and id == pending.id:
                pending.incomplete -= 1
                self._pending = pending if pending.incomplete else None
                pending.listener(message)
            case Failed(id=id) if pending and id == pending.id:
                self._pending = None
                pending.listener(message)
            case Failed(id=id, message=sentence) if id == self._load_id:
                self.path = None  # so that the next checkpoint is tried again
                self._post(ModelFailed(sentence))
            case Failed(kind="internal", message=sentence):
                self._post(Notice(sentence, "error"))
            case Loaded(id=id) if id == self._load_id:
                first, self.loaded = self.loaded is None, message
                self._on_loaded(message)
                self._post(ModelReady(first))
            case _:
                pass  # about a prompt that was cancelled, or a model that is no longer wanted

    def _exited(self, code: int, sentence: str) -> None:
        """Fail the prompt, say what happened, and start another process unless MAX_EXITS of them ended."""
        self._process, self.loaded = None, None
        if pending := self._pending:
            self._pending = None
            failed = Failed(pending.id, "internal", "the generate process ended before the reply was complete")
            pending.listener(failed)
        now = time.monotonic()
        self._exits = [*(exit_time for exit_time in self._exits if now - exit_time < EXIT_WINDOW), now]
        if len(self._exits) >= MAX_EXITS:
            self._post(ModelFailed(f"{sentence}; it has ended {MAX_EXITS} times; open a model again to try once more"))
            return
        self._post(Notice(f"{sentence}; it is started again", "warning"))
        self._post(ModelLoading())
        self._restart = asyncio.ensure_future(self.start())
