"""A conversation without a screen: prompts go in, the text of the replies comes out, and a session keeps all of it.

The session, the settings and the generate process are those of the app, so each of them goes on where the other ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from ..data.storage.errors import EXPECTED, UserError
from ..engine.client import GenerateProcess
from ..engine.requests import (
    Cancel,
    Ended,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Loaded,
    SamplingSettings,
    Tokens,
)
from ..engine.runs import Run
from ..engine.sessions.messages import messages_of
from ..engine.sessions.tree import Node, Origin
from .current_session import CurrentSession
from .found_models import FoundModel
from .settings import SettingsStore

Listener = Callable[[Tokens | Ended], None]


class ProcessEndedError(UserError):
    """The generate process has ended; the next prompt starts another one."""


class PlainConversation:
    """One model that answers, one session; one request at a time."""

    def __init__(self, store: SettingsStore, say: Callable[[str], None]) -> None:
        """`say` receives sentences for the person."""
        self._store = store
        self._messages: asyncio.Queue[GenerationMessage | str] = asyncio.Queue()
        self._process: GenerateProcess | None = None
        self._last_id = 0
        self._answering: int | None = None  # the request for replies that is being answered
        self.found: FoundModel | None = None
        self.loaded: Loaded | None = None
        self.session = CurrentSession(say, lambda seconds, act: asyncio.get_running_loop().call_later(seconds, act))

    @property
    def run(self) -> Run | None:
        """The run whose model answers."""
        return self.found.file.run if self.found else None

    # --- the model ------------------------------------------------------------------------------

    async def open(self, found: FoundModel) -> None:
        """Answer with this model from now on; of a run, always with its newest weights. Raises UserError, OSError.

        One that cannot be loaded leaves none: the next prompt tries it once more.
        """
        self.found, self.loaded = found, None
        if self._process is None:
            self._process = GenerateProcess(self._messages.put_nowait, lambda _, said: self._messages.put_nowait(said))
            await self._process.start()
        file = found.file
        whole_run = file.run is not None and file.path == file.run.current_checkpoint()
        path = file.run.path if whole_run and file.run else file.path
        request = Load(self._new_id(), str(path), follow=whole_run)
        self._process.send(request)
        while self.loaded is None:
            match await self._next():
                case Failed(id=request.id, message=sentence):
                    raise UserError(sentence)
                case _:
                    pass

    async def close(self) -> None:
        """Save, and end the process."""
        self.session.close()
        if self._process is not None:
            await self._process.close()

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _next(self) -> GenerationMessage:
        """The next message. Raises ProcessEndedError where the process has ended instead."""
        message = await self._messages.get()
        if isinstance(message, str):
            self._process = self.loaded = None
            raise ProcessEndedError(message)
        if isinstance(message, Loaded):
            self.loaded = message
        return message

    # --- the session ----------------------------------------------------------------------------

    def go_on(self) -> int | None:
        """Go on with the session that was changed last, where it has turns; its number, None where none is opened."""
        with suppress(*EXPECTED):  # what is written is kept in memory, and that was said
            last = self.session.store.last() if self.session.store else None
            if last and last.way != "document" and self.go_on_with(last.id):
                return last.id
        return None

    def go_on_with(self, number: int) -> bool:
        """Go on with this session; False where another window has it. Raises UserError for one that is a document."""
        store = self.session.store
        if store is not None and store.session(number).way == "document":
            raise UserError(f"session {number} is a document; the app opens it: minigpt-tui")
        return self.session.open(number) is not None

    @property
    def way(self) -> Literal["turns", "chat"]:
        """How prompts belong together: each begins a text of its own, or all are a chat."""
        return "chat" if self.session.way == "chat" else "turns"

    def begin(self, way: Literal["turns", "chat"]) -> None:
        """Begin a session of its own. Raises UserError where the model has no template for a chat."""
        if way == "chat" and self.loaded is not None and not self.loaded.chat:
            raise UserError("this model has no chat template; it continues texts: /new turns")
        self.session.leave(way)

    # --- prompts and replies --------------------------------------------------------------------

    async def ask(self, prompt: str, listen: Listener) -> None:
        """Have the prompt continued; `listen` receives the replies. Raises UserError where there is none."""
        await self._be_ready()
        settings = self._store.settings
        after = self.session.text.leaf if self.way == "chat" else None
        origin = self._origin(settings.sampling)
        nodes = self.session.ask(prompt, settings.samples, origin, after=after)
        await self._answer(self.session.text.path[:-1], nodes, settings.sampling, listen)

    async def retry(self, listen: Listener) -> None:
        """Have another reply to the last prompt written, a sibling of the one that there is. Raises UserError."""
        path = self.session.text.path if self.session.id is not None else []
        if not path or path[-1].author == "note":
            raise UserError("there is no reply yet that could be written again")
        await self._be_ready()
        settings = replace(self._store.settings.sampling, seed=None)  # one seed would write the same again
        nodes = self.session.retry(path[-1], self._store.settings.samples, self._origin(settings))
        await self._answer(self.session.text.path[:-1], nodes, settings, listen)

    def stop(self) -> bool:
        """Stop the replies, and keep what there is of them; whether there was anything to stop."""
        if self._answering is None or self._process is None:
            return False
        self._process.send(Cancel(self._answering))
        return True

    async def _be_ready(self) -> None:
        """Have a model that can answer; where the process has ended meanwhile, by another one. Raises UserError."""
        if self._process is not None and self._process.exited is not None and self._process.exited.done():
            self._process = self.loaded = None
            while not self._messages.empty():
                self._messages.get_nowait()
        if self.loaded is None and self.found is not None:
            await self.open(self.found)
        if self.way == "chat" and self.loaded is not None and not self.loaded.chat:
            raise UserError("this session is a chat, for which this model has no template; /new turns begins another")

    def _origin(self, settings: SamplingSettings) -> Origin:
        loaded, found = self.loaded, self.found
        assert loaded is not None
        assert found is not None
        name = found.file.run.name if found.file.run else found.file.name
        return Origin(loaded.path, name, loaded.step, settings.seed or 0, settings, loaded.checkpoint)

    async def _answer(
        self, path: Sequence[Node], nodes: Sequence[int], settings: SamplingSettings, listen: Listener
    ) -> None:
        """Ask for the replies to what the nodes of `path` say, of which in turns only the last is the prompt."""
        assert self._process is not None
        prompt, messages = ("", messages_of(path)) if self.way == "chat" else (path[-1].text, ())
        request = Generate(self._new_id(), prompt, settings, len(nodes), messages=messages)
        self._answering, left = request.id, len(nodes)
        self._process.send(request)
        try:
            while left:
                message = await self._next()
                match message:
                    case Tokens(id=request.id):
                        self.session.add(message.sample, message.text, message.details)
                        listen(message)
                    case Ended(id=request.id):
                        left -= 1
                        self.session.end(message.sample, message)
                        listen(message)
                    case Failed(id=request.id, message=sentence):
                        self.session.fail(sentence)
                        raise UserError(sentence)
                    case _:
                        pass
        except ProcessEndedError as error:
            self.session.fail(str(error))
            raise
        finally:
            self._answering = None
            self.session.save()
