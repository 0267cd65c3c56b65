"""The generate process as the app sees it: one model, one request at a time, started again when it dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.message import Message

from ..data.speakers.form import SpeechForm
from ..engine.client import GenerateProcess
from ..engine.requests import (
    Cancel,
    ChangeSampling,
    Ended,
    ExplainPlace,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Loaded,
    Place,
    SamplingSettings,
    Scored,
    ScoreProgress,
    ScoreText,
    SettingsChange,
    Tokens,
    Turn,
)
from .messages import ModelFailed, ModelLoading, ModelReady, Notice, RepliesEnded

MAX_EXITS = 3  # unexpected ones within EXIT_WINDOW: then the process is not started again
EXIT_WINDOW = 60.0  # seconds

ReplyListener = Callable[[Tokens | Ended | Failed], None]
"""Receives the events about a prompt: pieces of text, then one Ended for each sample, or one Failed for all of them."""
PlaceListener = Callable[[Place | Failed], None]
"""Receives the answer about a place: one of them."""
ScoreListener = Callable[[ScoreProgress | Scored | Failed], None]
"""Receives the events about a text: what was scored so far, then one Scored or Failed."""


@dataclass
class _Pending:
    """A request that is being answered."""

    request: Generate | ExplainPlace | ScoreText
    listener: Callable[[Any], None]
    incomplete: int  # answers that have not come: of a prompt, its samples that have not ended
    begun: float  # when it was asked, on the monotonic clock
    cancelled: bool = False

    @property
    def id(self) -> int:
        """That of the request, and of all that is said about it."""
        return self.request.id


class Generator:
    """Owns the process.

    It answers one request at a time: while `ready` is False, a further one is not taken, and whoever asks is told so.
    Events about a request go to its listener, a model that was loaded to `on_loaded`, and what a person has to know to
    `post` as a message. All of it happens in the event loop.
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
        self._closed = False
        self.path: str | None = None  # the model that is wanted: a run folder, or one model on disk
        self._follow = False
        self.loaded: Loaded | None = None  # the model in memory

    @property
    def pid(self) -> int | None:
        """The number of the process, None while there is none."""
        return self._process.pid if self._process else None

    @property
    def ready(self) -> bool:
        """Whether a request would be answered at once."""
        return self.loaded is not None and self._pending is None

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._pending is not None

    @property
    def generating(self) -> bool:
        """Whether that request asked for replies."""
        return self._pending is not None and isinstance(self._pending.request, Generate)

    async def start(self) -> None:
        """Start the process; requests may be sent at once, they wait until it is ready."""
        process = GenerateProcess(self._receive, self._exited)
        try:
            await process.start()
        except OSError as error:
            self._post(ModelFailed(f"the generate process cannot be started: {error}"))
            return
        if self._closed:  # meanwhile
            await process.close()
            return
        self._process = process
        if self.path is not None:
            self._send_load(self.path)

    async def close(self) -> None:
        """End the process, and start none any more."""
        self._closed = True
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

    def load_checkpoint(self, folder: Path) -> None:
        """Answer with one checkpoint and stay with it, also while its run trains on.

        `folder` is one of a run's, such as `run.checkpoints / "step-400"`; `load` with the folder of the run goes back
        to its newest. With the same prompt, `then`, settings and seed, two checkpoints show what training has changed;
        the same words come again from the one whose digest `Ended.checkpoint` has named (`checkpoint_with` in
        engine/model_files.py).
        """
        self.load(folder, follow=False)

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
        then: tuple[int, ...] = (),
        alternatives: int = 10,
        messages: tuple[Turn, ...] = (),
        speech: SpeechForm | None = None,
        changes: tuple[SettingsChange, ...] = (),
    ) -> bool:
        """Continue `prompt` and the tokens `then`, or the `messages`, `samples` times; `listener` receives the replies.

        With a `speech` each ends with the one in that form that the prompt opens. `changes` of the settings are made
        again, as when a reply was written before. False where that cannot be now, and
        nothing was asked.
        """
        return self._ask(
            lambda id: Generate(id, prompt, settings, samples, explain, then, alternatives, messages, speech, changes),
            listener,
            samples,
        )

    def explain_place(
        self,
        prompt: str,
        then: tuple[int, ...],
        settings: SamplingSettings,
        listener: PlaceListener,
        *,
        alternatives: int = 10,
        messages: tuple[Turn, ...] = (),
    ) -> bool:
        """Ask which token would come next at a place. False where that cannot be now, and nothing was asked."""
        return self._ask(lambda id: ExplainPlace(id, prompt, then, settings, alternatives, messages), listener)

    def score(
        self,
        text: str,
        listener: ScoreListener,
        *,
        explain: bool = True,
        alternatives: int = 10,
        literal: bool = False,
        start: int = 0,
        messages: tuple[Turn, ...] = (),
    ) -> bool:
        """Ask how likely the model finds a text from character `start` on, and each of its tokens there.

        Of `messages` it is the last one. False where that cannot be now, and nothing was asked.
        """
        return self._ask(lambda id: ScoreText(id, text, explain, literal, alternatives, start, messages), listener)

    def change(self, settings: SamplingSettings) -> None:
        """Draw what follows of the replies that stream with the shape of these settings, from the next token on."""
        if self.generating and self._pending is not None and self._process is not None:
            self._process.send(ChangeSampling(self._pending.id, settings))

    def cancel(self) -> None:
        """Stop what is being answered. What is still on its way is dropped; each end is reported once."""
        if self._pending is not None and not self._pending.cancelled and self._process is not None:
            self._pending.cancelled = True
            self._process.send(Cancel(self._pending.id))

    def _ask(
        self,
        request: Callable[[int], Generate | ExplainPlace | ScoreText],
        listener: Callable[[Any], None],
        ends: int = 1,
    ) -> bool:
        """Send the request of a new id, unless another is being answered or there is no model yet."""
        if not self.ready or self._process is None:
            return False
        made = request(self._new_id())
        self._pending = _Pending(made, listener, ends, time.monotonic())
        self._process.send(made)
        return True

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
            case Tokens(id=id) | ScoreProgress(id=id) if pending and id == pending.id:
                if not pending.cancelled:
                    pending.listener(message)
            case Ended(id=id) | Place(id=id) | Scored(id=id) if pending and id == pending.id:
                pending.incomplete -= 1
                self._pending = pending if pending.incomplete else None
                pending.listener(message)
                if not (pending.incomplete or pending.cancelled) and isinstance(pending.request, Generate):
                    self._post(RepliesEnded(time.monotonic() - pending.begun))
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
                pass  # about a request that was cancelled, or a model that is no longer wanted

    def _exited(self, code: int, sentence: str) -> None:
        """Fail the request, say what happened, and start another process unless MAX_EXITS of them ended."""
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
