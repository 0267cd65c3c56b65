"""Answers requests one after another; every failure is one sentence, and the next request is answered as before."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from ...data.storage.errors import UserError
from ...data.tokenizers import UnknownCharacterError
from ..requests import (
    Ended,
    ExplainPlace,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    RequestError,
    SamplingSettings,
    Scored,
    ScoreProgress,
    ScoreText,
    Tokens,
)
from .chat_framing import ChatFraming, shown
from .decoder import Decoder
from .loaded_model import LoadedModel
from .places import explain_place
from .prompt import Prompt
from .reply import Reply, stream_replies
from .sampling import chosen_seed, sample_seed
from .scored_text import ScoredText, scored_text, scored_words
from .scoring import TextScorer

_DETAILS_PER_LINE = 256  # a line of the protocol stays below a megabyte
_LONGEST_FRAME = 300_000  # characters of a framed conversation that are sent back, for the same reason
_SEND_INTERVAL = 1 / 30  # seconds between two pieces of a reply: no screen here paints faster


class Responder:
    """Holds the model and answers through `send`; of a reply it sends a piece every `send_interval` seconds."""

    def __init__(self, send: Callable[[GenerationMessage], None], send_interval: float = _SEND_INTERVAL) -> None:
        self._send, self._send_interval = send, send_interval
        self._model: LoadedModel | None = None
        self._framing = ChatFraming()

    def close(self) -> None:
        """End the processes that it has started."""
        self._framing.close()

    def answer(
        self,
        request: Load | Generate | ExplainPlace | ScoreText,
        cancelled: Callable[[], bool],
        changed: Callable[[], SamplingSettings | None] = lambda: None,
    ) -> None:
        """Carry out one request; whatever goes wrong becomes a Failed.

        `changed` gives the settings that were wanted last for what follows of a reply, None where none were.
        """
        try:
            if isinstance(request, Load):
                self._free_model()
                self._model = LoadedModel(request, self._send)
                if self._model.decoder().tokenizer.chat_templates:
                    with suppress(OSError):  # whoever asks for a conversation is told
                        self._framing.prepare()
            elif isinstance(request, ScoreText):
                self._score(request, cancelled)
            elif isinstance(request, ExplainPlace):
                self._explain_place(request, cancelled)
            else:
                self._generate(request, cancelled, changed)
        except UnknownCharacterError as error:
            self._send(Failed(request.id, "prompt", f"the prompt cannot be read: {error}"))
        except RequestError as error:
            self._send(Failed(request.id, "prompt", str(error)))
        except UserError as error:
            self._send(Failed(request.id, "checkpoint", str(error)))
        except Exception as error:
            traceback.print_exc()
            self._send(unexpected_failure(request, error))

    def _generate(
        self, request: Generate, cancelled: Callable[[], bool], changed: Callable[[], SamplingSettings | None]
    ) -> None:
        model, start = self._loaded(), time.perf_counter()
        decoder = model.begin_reply()
        prompt, frame = self._prompt(request, decoder)
        seed = chosen_seed(request.settings.seed)
        each = [replace(request.settings, seed=sample_seed(seed, sample)) for sample in range(request.samples)]
        replies = [
            Reply(decoder, prompt, settings, request.explain, request.alternatives, request.speech) for settings in each
        ]
        streams = [
            _ReplyStream(request.id, sample, reply, self._send, self._send_interval)
            for sample, reply in enumerate(replies)
        ]

        def cancel_if_asked() -> None:
            if cancelled():
                for reply in replies:
                    reply.cancel()

        def settings_at(drawn: int) -> SamplingSettings | None:
            before = [change.settings for change in request.changes if change.at <= drawn]
            return changed() or (before[-1] if before else None)

        cancel_if_asked()
        for sample, piece in stream_replies(decoder, replies, settings_at):
            throughput = streams[sample].add(piece, time.perf_counter())
            if throughput and len(replies) == 1:
                model.threads.observe(*throughput)
            if replies[sample].ended:
                streams[sample].end(
                    seconds=time.perf_counter() - start,
                    model=model,
                    prompt_text=frame,
                    notices=model.notices + decoder.take_notices(),
                )
            cancel_if_asked()

    def _prompt(self, request: Generate | ExplainPlace, decoder: Decoder) -> tuple[Prompt, str]:
        """What is to be continued, and its frame where a chat template made one."""
        literal = request.settings.literal
        if not request.messages:
            return Prompt(decoder, request.prompt, then=request.then, literal=literal), ""
        text = self._framing.frame(decoder.tokenizer, request.messages, literal or decoder.literal)
        said = "\n".join(turn.text for turn in request.messages)
        return Prompt(decoder, text, then=request.then, said=said, literal=literal), shown(text)[-_LONGEST_FRAME:]

    def _explain_place(self, request: ExplainPlace, cancelled: Callable[[], bool]) -> None:
        model = self._loaded()
        decoder = model.begin_reply()
        if cancelled():
            raise RequestError("the place is no longer asked for")
        prompt, _ = self._prompt(request, decoder)
        reply = Reply(decoder, prompt, request.settings, alternatives=request.alternatives)
        self._send(explain_place(request.id, decoder, reply, model.step, model.checkpoint))

    def _score(self, request: ScoreText, cancelled: Callable[[], bool]) -> None:
        model = self._loaded()
        decoder = model.begin_reply()
        text = self._scored_text(request, decoder)
        scorer = TextScorer(decoder, text, request.explain, request.alternatives)
        for fraction, details in scorer:
            for i in range(0, max(1, len(details)), _DETAILS_PER_LINE):
                self._send(ScoreProgress(request.id, fraction, tuple(details[i : i + _DETAILS_PER_LINE])))
            if cancelled():
                self._send(Failed(request.id, "prompt", "the scoring was cancelled"))
                return
        result = scorer.result
        self._send(
            Scored(
                id=request.id,
                loss=result.loss,
                perplexity=result.perplexity,
                bits_per_byte=result.bits_per_byte,
                tokens=result.tokens,
                step=model.step,
                notices=model.notices + text.notices,
            )
        )

    def _scored_text(self, request: ScoreText, decoder: Decoder) -> ScoredText:
        """What is to be scored: of a conversation the words of its last turn."""
        if not request.messages:
            return scored_text(
                decoder, request.text, literal=request.literal, start=request.start, aligned=request.explain
            )
        frame = self._framing.frame_words(decoder.tokenizer, request.messages, request.literal or decoder.literal)
        return scored_words(decoder, frame, start=request.start)

    def _free_model(self) -> None:
        """Free the memory of the old model, if there is one, before the next: two may not fit."""
        if self._model is not None:
            self._model = None
            gc.collect()  # a model and the step made for it refer to each other

    def _loaded(self) -> LoadedModel:
        if self._model is None:
            raise UserError("no model is loaded; open a run or a checkpoint first")
        return self._model


class _ReplyStream:
    """Collects the pieces of one reply, and sends them as often as a screen can show them."""

    def __init__(
        self, id: int, sample: int, reply: Reply, send: Callable[[GenerationMessage], None], interval: float
    ) -> None:
        self._id, self._sample, self._reply, self._send, self._interval = id, sample, reply, send, interval
        self._text, self._sent, self._last = "", 0, 0.0

    def add(self, piece: str, now: float) -> tuple[int, float] | None:
        """Add a piece. Where it was time to send tokens: how many since the last time, and the seconds they took."""
        self._text += piece
        tokens, seconds, first = self._reply.tokens - self._sent, now - self._last, self._last == 0
        full = tokens >= _DETAILS_PER_LINE
        if (seconds < self._interval and not (full and self._reply.explains)) or not (self._text or full):
            return None
        self._flush()
        self._last = now
        return (tokens, seconds) if tokens and not first else None

    def end(self, seconds: float, model: LoadedModel, prompt_text: str, notices: tuple[str, ...]) -> None:
        """Send what is left, and that the reply is complete."""
        reply = self._reply
        if self._text or reply.tokens > self._sent:
            self._flush()
        self._send(
            Ended(
                id=self._id,
                reason=reply.reason,
                tokens=reply.tokens,
                prompt_tokens=reply.prompt_tokens,
                seconds=seconds,
                tokens_per_second=reply.tokens / seconds,
                step=model.step,
                seed=reply.seed,
                notices=notices + reply.notices,
                sample=self._sample,
                checkpoint=model.checkpoint,
                prompt_text=prompt_text,
                changes=tuple(reply.changes),
            )
        )

    def _flush(self) -> None:
        reply = self._reply
        details = tuple(reply.details[self._sent : reply.tokens])
        self._send(Tokens(self._id, self._text, reply.tokens - self._sent, self._sample, details))
        self._text, self._sent = "", reply.tokens


def unexpected_failure(request: Load | Generate | ExplainPlace | ScoreText, error: Exception) -> Failed:
    """An unexpected error as one sentence for the person."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error):
        what = "the model needs" if isinstance(request, Load) else "the reply needs"
        return Failed(
            request.id, "memory", f"{what} more memory than there is; close other programs or choose a smaller model"
        )
    what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    log = Path.cwd() / "generate.log"  # the folder in which whoever started this process keeps its log
    return Failed(request.id, "internal", f"the request failed inside the program ({what}); details are in {log}")
