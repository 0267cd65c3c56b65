"""Who writes one column: a generate process of its own, so that no column waits for another.

The system shares the processors among the processes, and one that dies or has no room for its model takes no other
column with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from textual.message import Message

from ...data.speakers.form import SpeechForm
from ...engine.requests import Ended, Failed, Loaded, TokenDetail, Tokens, Turn
from ...engine.sessions.tree import Origin
from ..dialogue import LeadingBlanks
from ..generator import Generator
from ..messages import ModelFailed, Notice
from ..placed_tokens import loss_of
from .variants import Variant


@dataclass(frozen=True)
class Asked:
    """What a model reads, as in a Generate request."""

    prompt: str = ""
    then: tuple[int, ...] = ()
    messages: tuple[Turn, ...] = ()
    speech: SpeechForm | None = None


@dataclass
class WrittenReply:
    """What was written in a column so far, and by what."""

    origin: Origin
    pieces: list[str] = field(default_factory=list)
    details: list[TokenDetail] = field(default_factory=list)
    ended: Ended | None = None
    loss: float = 0.0  # the sum of the tokens'

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    @property
    def mean_loss(self) -> float | None:
        """Nats per token."""
        return self.loss / len(self.details) if self.details else None


class ColumnWriter:
    """Writes one variant of a reply whenever it is asked to; all of it happens in the event loop."""

    def __init__(
        self,
        variant: Variant,
        stream: Callable[[str, Sequence[TokenDetail]], None],
        changed: Callable[[], None],
    ) -> None:
        """`stream` receives the pieces of the reply; `changed` is called when anything else is to be shown."""
        self.variant = variant
        self.reply: WrittenReply | None = None
        self.problem = ""  # why there is no reply, or why it is not complete
        self._stream, self._changed = stream, changed
        self._asked: Asked | None = None  # what it writes as soon as it can
        self._is_stopped = False  # it was asked to write no more
        self._has_failed = False  # no model can answer, until it is loaded again
        self._tasks: set[asyncio.Future[None]] = set()
        self._generator: Generator | None = None

    # --- the process ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process, which loads the model."""
        self._load()

    def _load(self) -> None:
        """Load the model of the variant, in another process where there is none."""
        self._has_failed = False
        generator = self._generator
        if generator is None or self.pid is None:
            if generator is not None:
                self._run(generator.close())
            generator = self._generator = Generator(self._take_message, lambda _: None)
            self._run(generator.start())
        generator.load(self.variant.path, follow=self.variant.follow)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End the process."""
        if self._generator is not None:
            await self._generator.close()

    # --- what it is asked -----------------------------------------------------------------------

    def change(self, variant: Variant) -> None:
        """Write another variant from now on."""
        must_load = self._has_failed or not self.variant.loads_the_same(variant)
        self.stop()
        self.variant, self.reply, self.problem = variant, None, ""
        if must_load:
            self._load()
        self._changed()

    def write(self, asked: Asked) -> None:
        """Write a reply, now or as soon as the model is there."""
        self.stop()
        self._asked, self._is_stopped, self.reply, self.problem = asked, False, None, ""
        if self._has_failed:
            self._load()
        self._write_when_ready()
        self._changed()

    def stop(self) -> None:
        """Write no more; what has come stays."""
        self._asked, self._is_stopped = None, True
        if self._generator is not None:
            self._generator.cancel()

    @property
    def pid(self) -> int | None:
        """The number of the process, None while there is none."""
        return self._generator.pid if self._generator else None

    # --- what is shown of it --------------------------------------------------------------------

    @property
    def loaded(self) -> Loaded | None:
        """The model in memory."""
        return self._generator.loaded if self._generator else None

    @property
    def is_loading(self) -> bool:
        """Whether there is no model yet, but will be."""
        return self.loaded is None and not self._has_failed

    @property
    def is_writing(self) -> bool:
        """Whether a reply comes, or will as soon as the model is there."""
        return self._asked is not None or (self.reply is not None and self.reply.ended is None and not self.problem)

    @property
    def can_stop(self) -> bool:
        """Whether it writes and was not asked to stop."""
        return self.is_writing and not self._is_stopped

    @property
    def step(self) -> int | None:
        """The training step of what has written the reply, or will."""
        if self.reply is not None and self.reply.ended is not None:
            return self.reply.ended.step
        return self.loaded.step if self.loaded else None

    # --- what the process says ------------------------------------------------------------------

    def _write_when_ready(self) -> None:
        if self._asked is None or self._generator is None or not self._generator.ready:
            return
        asked, self._asked, self.problem = self._asked, None, ""
        reply = self.reply = WrittenReply(self._origin())
        blanks = LeadingBlanks() if asked.speech else None

        def take(event: Tokens | Ended | Failed) -> None:
            self._take(blanks.without(event) if blanks and isinstance(event, Tokens) else event, reply)

        self._generator.generate(
            asked.prompt, self.variant.settings, take, explain=True, then=asked.then, alternatives=0,
            messages=asked.messages, speech=asked.speech,
        )  # fmt: skip

    def _origin(self) -> Origin:
        variant, loaded = self.variant, self.loaded
        step, checkpoint = (loaded.step, loaded.checkpoint) if loaded else (0, "")
        return Origin(variant.model, variant.name, step, variant.seed, variant.settings, checkpoint)

    def _take(self, event: Tokens | Ended | Failed, reply: WrittenReply) -> None:
        """Receive an event about a reply; what comes of one that is no longer wanted is dropped."""
        if reply is self.reply:
            match event:
                case Tokens():
                    reply.pieces.append(event.text)
                    reply.details += event.details
                    reply.loss += sum(map(loss_of, event.details))
                    self._stream(event.text, event.details)
                    return
                case Ended():
                    reply.ended = event
                case Failed():
                    self.problem = event.message
            self._changed()
        self._write_when_ready()

    def _take_message(self, message: Message) -> None:
        """What the generator tells of its process and its model."""
        if isinstance(message, ModelFailed):
            self._has_failed, self._asked, self.problem = True, None, message.sentence
        elif isinstance(message, Notice):
            self.problem = message.sentence
        self._write_when_ready()
        self._changed()
