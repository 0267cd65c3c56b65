"""The generate process as the app has it, asked from code that waits: a call returns when the answer is complete."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TypeVar

from minigpt_tui.engine.client import GenerateProcess
from minigpt_tui.engine.requests import (
    Ended,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Loaded,
    Request,
    SamplingSettings,
    Scored,
    ScoreText,
    Tokens,
)

from ..harness import TrialFailedError

Answer = TypeVar("Answer", Loaded, Scored)


@dataclass(frozen=True)
class Completion:
    """What came of one prompt; the seconds count from the moment at which the request was sent."""

    text: str  # of the first sample
    tokens: int  # of all samples
    first: float  # seconds until the first piece of text was here
    seconds: float  # until the last message was

    @property
    def tokens_per_second(self) -> float:
        """Of all samples together, with everything that a person waits for."""
        return self.tokens / self.seconds


class OurGeneration:
    """A generate process with one model; it starts and loads at the first call."""

    def __init__(self, load: Load) -> None:
        self._load, self._number = load, load.id
        self._runner = asyncio.Runner()
        self._messages: asyncio.Queue[GenerationMessage | str] = asyncio.Queue()
        self._process: GenerateProcess | None = None
        self._loaded: Loaded | None = None

    def loaded(self) -> Loaded:
        """What it said of the model. Raises TrialFailedError where that cannot be loaded."""
        if self._loaded is None:
            self._loaded = self._runner.run(self._start())
        return self._loaded

    def generate(self, prompt: str, settings: SamplingSettings, samples: int = 1) -> Completion:
        """Continue `prompt`. Raises TrialFailedError with the sentence that a person would read."""
        self.loaded()
        return self._runner.run(self._generate(Generate(self._next(), prompt, settings, samples)))

    def score(self, text: str) -> float:
        """The loss of a whole text, in nats per token. Raises TrialFailedError."""
        self.loaded()
        return self._runner.run(self._score(ScoreText(self._next(), text))).loss

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._runner.run(self._process.close())
        self._runner.close()

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _start(self) -> Loaded:
        self._process = GenerateProcess(self._messages.put_nowait, lambda code, end: self._messages.put_nowait(end))
        await self._process.start()
        self._send(self._load)
        return await self._wait_for(Loaded)

    async def _generate(self, request: Generate) -> Completion:
        text, tokens, first, ended, start = "", 0, 0.0, 0, time.perf_counter()
        self._send(request)
        while ended < request.samples:
            match await self._message():
                case Tokens() as piece:
                    first = first or time.perf_counter() - start
                    text += piece.text if piece.sample == 0 else ""
                case Ended() as end:
                    tokens, ended = tokens + end.tokens, ended + 1
                case _:
                    pass
        return Completion(text, tokens, first, time.perf_counter() - start)

    async def _score(self, request: ScoreText) -> Scored:
        self._send(request)
        return await self._wait_for(Scored)

    async def _wait_for(self, kind: type[Answer]) -> Answer:
        while not isinstance(message := await self._message(), kind):
            pass
        return message

    async def _message(self) -> GenerationMessage:
        message = await self._messages.get()
        if isinstance(message, str):
            raise TrialFailedError(message)
        if isinstance(message, Failed):
            raise TrialFailedError(message.message)
        return message

    def _send(self, request: Request) -> None:
        assert self._process is not None
        if not self._process.send(request):
            raise TrialFailedError("the generate process has ended")
