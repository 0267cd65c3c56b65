"""Carries out Load and Generate, one after another; every failure is one sentence and leaves everything in order."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

import torch

from ...data.tokenizers import UnknownCharacterError
from ...models.devices import DeviceError
from ...models.huggingface import CheckpointError
from .. import paths
from ..events import Ended, Failed, Generate, GenerationMessage, Load, Tokens
from .checkpoint_source import UNREADABLE
from .decoder import DecodeError
from .loaded_model import LoadedModel
from .reply import Reply

_BETWEEN = 1 / 30  # seconds between two pieces of a reply: no screen here paints faster


class Responder:
    """Holds the model and answers through `send`."""

    def __init__(self, send: Callable[[GenerationMessage], None]) -> None:
        self._send = send
        self._model: LoadedModel | None = None

    def answer(self, request: Load | Generate, cancelled: Callable[[], bool]) -> None:
        """Carry out one request; whatever goes wrong becomes a Failed."""
        try:
            if isinstance(request, Load):
                self._model = None  # the old model leaves first: two may not fit into memory
                self._model = LoadedModel(request, self._send)
                self._model.decoder()
            else:
                self._generate(request, cancelled)
        except UnknownCharacterError as error:
            self._send(Failed(request.id, "prompt", f"the prompt cannot be read: {error}"))
        except (*UNREADABLE, DeviceError, DecodeError) as error:
            self._send(Failed(request.id, "checkpoint", str(error)))
        except Exception as error:
            traceback.print_exc()
            self._send(explain(request, error))

    def _generate(self, request: Generate, cancelled: Callable[[], bool]) -> None:
        if self._model is None:
            raise CheckpointError("no model is loaded; open a run or a checkpoint first")
        decoder, start = self._model.begin_reply(), time.perf_counter()
        reply = Reply(decoder, request.prompt, request.settings)
        if cancelled():
            reply.cancel()
        text, sent, last = "", 0, 0.0
        for piece in reply:
            text += piece
            now = time.perf_counter()
            if text and now - last >= _BETWEEN:
                self._send(Tokens(request.id, text, reply.tokens - sent))
                if last:
                    self._model.pace.observe(reply.tokens - sent, now - last)
                text, sent, last = "", reply.tokens, now
            if cancelled():
                reply.cancel()
        if text or reply.tokens > sent:
            self._send(Tokens(request.id, text, reply.tokens - sent))
        seconds = time.perf_counter() - start
        self._send(
            Ended(
                id=request.id,
                reason=reply.reason,
                tokens=reply.tokens,
                prompt_tokens=reply.prompt_tokens,
                seconds=seconds,
                tokens_per_second=reply.tokens / seconds,
                step=self._model.step,
                seed=reply.seed,
                notices=self._model.notices + reply.notices,
            )
        )


def explain(request: Load | Generate, error: Exception) -> Failed:
    """An unexpected error as one sentence for the person."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error):
        what = "the model needs" if isinstance(request, Load) else "the reply needs"
        return Failed(
            request.id, "memory", f"{what} more memory than there is; close other programs or choose a smaller model"
        )
    what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    log = paths.state_dir() / "generate.log"
    return Failed(request.id, "internal", f"the request failed inside the program ({what}); details are in {log}")
