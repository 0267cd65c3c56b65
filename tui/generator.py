"""The generate process as the bridge sees it: one model, one reply at a time, started again when it dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from ..engine.client import GenerateProcess
from ..engine.requests import Cancel, Ended, Failed, Generate, GenerationMessage, Load, Loaded, SamplingSettings, Tokens
from .messages import ModelFailed, ModelLoading, ModelReady, Notice, ReplyEnded, ReplyFailed, ReplyText

_DEATHS = 3  # so many deaths
_WITHIN = 60.0  # within so many seconds, and we stop starting it again


@dataclass
class _Reply:
    id: int
    prompt: str
    missing: int  # samples that are not complete
    cancelled: bool = False


class Generator:
    """Owns the process. Everything it has to say goes to `post` as a message."""

    def __init__(self, post: Callable[[Message], None]) -> None:
        self._post = post
        self._process: GenerateProcess | None = None
        self._restart: asyncio.Future[None] | None = None
        self._next_id = 0
        self._load_id: int | None = None
        self._reply: _Reply | None = None
        self._deaths: list[float] = []
        self.path: str | None = None  # the model that is wanted: a run folder, or one model on disk
        self._follow = False
        self.loaded: Loaded | None = None  # the model that would speak now

    @property
    def ready(self) -> bool:
        """Whether a prompt would be answered at once."""
        return self.loaded is not None and self._reply is None

    @property
    def speaks(self) -> bool:
        """Whether a reply is being written."""
        return self._reply is not None

    async def start(self) -> None:
        """Start the process; requests may be sent at once, they wait until it is ready."""
        process = GenerateProcess(self._receive, self._died)
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
        """Speak with the model at `path` from now on; a reply that streams is cancelled.

        With `follow` it is a run folder, whose newest weights are looked for before each reply.
        """
        self.cancel()
        self.path, self._follow, self.loaded = str(path), follow, None
        self._post(ModelLoading())
        if self._process is not None:
            self._send_load(self.path)
        elif len(self._deaths) >= _DEATHS:  # given up, but a person asks again
            self._deaths = []
            self._restart = asyncio.ensure_future(self.start())

    def unload(self) -> None:
        """Forget the model: the run on screen has none yet."""
        self.cancel()
        self.path, self.loaded, self._load_id = None, None, None

    def generate(self, prompt: str, settings: SamplingSettings, samples: int = 1, *, explain: bool = False) -> None:
        """Continue `prompt`; answered by ReplyText, and by ReplyEnded for each of `samples`, or by one ReplyFailed."""
        assert self._process is not None, "generate needs a process: ask `ready` first"
        self._reply = _Reply(self._new_id(), prompt, samples)
        self._process.send(Generate(self._reply.id, prompt, settings, samples, explain))

    def cancel(self) -> None:
        """Stop the reply that streams. What is still on its way is dropped; its end is reported once."""
        if self._reply is not None and not self._reply.cancelled and self._process is not None:
            self._reply.cancelled = True
            self._process.send(Cancel(self._reply.id))

    def _send_load(self, path: str) -> None:
        assert self._process is not None
        self._load_id = self._new_id()
        self._process.send(Load(self._load_id, path, follow=self._follow))

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _receive(self, message: GenerationMessage) -> None:
        reply = self._reply
        match message:
            case Tokens(id=id) if reply and id == reply.id and not reply.cancelled:
                self._post(ReplyText(message.text, message.details, message.sample))
            case Ended(id=id) if reply and id == reply.id:
                reply.missing -= 1
                self._reply = reply if reply.missing else None
                self._post(ReplyEnded(message))
            case Failed(id=id, message=sentence) if reply and id == reply.id:
                self._reply = None
                self._post(ReplyFailed(sentence, reply.prompt))
            case Failed(id=id, message=sentence) if id == self._load_id:
                self.path = None  # so that the next checkpoint is tried again
                self._post(ModelFailed(sentence))
            case Failed(kind="internal", message=sentence):
                self._post(Notice(sentence, "error"))
            case Loaded() if message.id == self._load_id:
                first, self.loaded = self.loaded is None, message
                self._post(ModelReady(message, first))
            case _:
                pass  # the tokens and ends of replies and models that nobody waits for any more

    def _died(self, code: int, sentence: str) -> None:
        """Give the prompt back, say what happened, and start another one unless that has not helped before."""
        self._process, self.loaded = None, None
        if reply := self._reply:
            self._reply = None
            self._post(ReplyFailed("the generate process ended before the reply was complete", reply.prompt))
        now = time.monotonic()
        self._deaths = [*(death for death in self._deaths if now - death < _WITHIN), now]
        if len(self._deaths) >= _DEATHS:
            self._post(ModelFailed(f"{sentence}; it has ended {_DEATHS} times; open a model again to try once more"))
            return
        self._post(Notice(f"{sentence}; it is started again", "warning"))
        self._post(ModelLoading())
        self._restart = asyncio.ensure_future(self.start())
