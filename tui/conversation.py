"""Who speaks next: sends prompts to the model, keeps those that come too early, and writes both sides down."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from textual.content import Content

from ..engine.requests import Ended, SamplingSettings, TokenDetail
from . import formatting
from .bridge import Bridge
from .first_start import Offer
from .replies import Replies
from .run_states import stage
from .widgets.prompt import Prompt
from .widgets.transcript import Transcript

_FIRST_SAMPLE = 240  # tokens of what a model writes by itself when it can speak for the first time


class Conversation:
    """The prompts and replies of one screen."""

    def __init__(
        self,
        bridge: Bridge,
        transcript: Transcript,
        prompt: Prompt,
        settings: Callable[[], tuple[SamplingSettings, int]],  # and how many samples of a prompt
    ) -> None:
        self._bridge = bridge
        self._transcript = transcript
        self._prompt = prompt
        self._settings = settings
        self._waiting: deque[str] = deque()
        self._offer: Offer | None = None
        self._reading = False  # a text is being read for a new run
        self._begins_itself = False
        self._trouble = ""  # why no model can speak
        self.explains = False  # whether the tokens of the next replies are explained
        self._replies: Replies | None = None  # those to the last prompt
        self._notes: list[str] = []  # what is to be said when they are complete

    @property
    def explained(self) -> list[list[TokenDetail]]:
        """The tokens that each of the last replies has so far, where there are any that were explained."""
        details = [list(tokens) for tokens in self._replies.details] if self._replies else []
        return details if any(details) else []

    @property
    def offer(self) -> Offer | None:
        """The offer to train that stands in the transcript, if it is still to be answered."""
        return self._offer

    def make_offer(self, offer: Offer) -> None:
        """Say what this is and what Enter does."""
        self._offer, self._reading = offer, False
        what, enter, path = offer.lines
        self._transcript.set_welcome(["A GPT of your own", "", what, "", enter, "", path])
        self.show_what_enter_does()

    def take_offer(self) -> Offer | None:
        """The offer is answered: a text is being read, and a run will come of it."""
        offer, self._offer = self._offer, None
        self._reading = True
        self.show_what_enter_does()
        return offer

    def opened(self, text: str, *, fresh: bool = False) -> None:
        """Another run or model is on screen. That of a fresh run shows by itself what it can, as soon as it can."""
        self._offer, self._reading, self._trouble = None, False, ""
        self._begins_itself = fresh
        self._transcript.set_welcome(None)
        self.note(text)
        self.show_what_enter_does()

    def note(self, text: str) -> None:
        """A remark of the app's own; it waits until nobody is interrupted by it."""
        self._notes.append(text)
        if self._replies is None or self._replies.complete:
            self._write_notes()

    def _write_notes(self) -> None:
        for text in self._notes:
            self._transcript.begin_turn("note", text)
            self._transcript.end_turn()
        self._notes.clear()

    def clear(self) -> None:
        """Stop what is being written, and forget all that was."""
        self.stop()
        self._replies = None
        self._transcript.clear()
        self._write_notes()

    # --- prompts --------------------------------------------------------------------------------

    def ask(self, prompt: str) -> None:
        """Send a prompt, now or as soon as the model is ready."""
        self._waiting.append(prompt)
        self.go_on()

    def go_on(self) -> None:
        """Send the next prompt that waits, if a model is ready for it."""
        if self._waiting and self._bridge.generator.ready:
            self._send(self._waiting.popleft(), *self._settings())
        self.show_what_enter_does()

    @property
    def can_stop(self) -> bool:
        """Whether there is a reply, or a prompt that waits for one."""
        return self._bridge.generator.speaks or bool(self._waiting)

    def stop(self) -> bool:
        """Stop the reply, and give back the prompts that wait; whether there was anything to stop."""
        stopped = self.can_stop
        self._bridge.generator.cancel()
        if self._waiting:
            self._prompt.restore("\n".join(filter(None, self._waiting)))
            self._waiting.clear()
        self.show_what_enter_does()
        return stopped

    def _send(self, prompt: str, settings: SamplingSettings, samples: int) -> None:
        if prompt:
            self._transcript.begin_turn("you", prompt)
            self._transcript.end_turn()
        self._replies = Replies(self._transcript, samples)
        self._bridge.generator.generate(prompt, settings, samples, explain=self.explains)

    # --- what the model says --------------------------------------------------------------------

    def model_loading(self) -> None:
        """A model is on its way."""
        self._trouble = ""
        self.show_what_enter_does()

    def model_ready(self) -> None:
        """The model can speak: it answers what waits, or shows itself if it was just made."""
        self._trouble = ""
        if self._begins_itself and not self._waiting and self._bridge.generator.ready:
            settings, _ = self._settings()
            self._send("", replace(settings, max_tokens=min(settings.max_tokens, _FIRST_SAMPLE)), 1)
        self._begins_itself = False
        self.go_on()

    def model_failed(self, sentence: str) -> None:
        """No model can speak; what waits goes back to the person."""
        self._trouble = sentence
        self.note(sentence)
        self.stop()

    def said(self, sample: int, text: str, details: tuple[TokenDetail, ...]) -> None:
        """A piece of a reply."""
        if self._replies:
            self._replies.add(sample, text, details)

    def ended(self, ended: Ended) -> None:
        """A reply is complete."""
        if self._replies:
            self._replies.end(ended.sample, status_line(ended, several=self._replies.count > 1))
            if self._replies.complete:
                self._write_notes()
        self.go_on()

    def failed(self, sentence: str, prompt: str) -> None:
        """The replies broke off: their prompt goes back, unless something else is being written."""
        if self._replies:
            self._replies.break_off(sentence)
        self._write_notes()
        if not self._prompt.text:
            self._prompt.restore(prompt)
        self.show_what_enter_does()

    # --- the prompt itself ----------------------------------------------------------------------

    def show_what_enter_does(self) -> None:
        """The empty prompt says what Enter would do now; its frame says how many prompts wait."""
        self._prompt.refresh_bindings()
        self._prompt.placeholder = Content(self._placeholder())
        self._prompt.busy = self._bridge.generator.speaks
        waiting = len(self._waiting)
        self._prompt.border_subtitle = f"{waiting} waiting for the model" if waiting else ""

    def _placeholder(self) -> str:
        generator = self._bridge.generator
        if self._offer is not None:
            return self._offer.placeholder
        if self._reading:
            return "reading the text ..."
        if self._trouble:
            return "no model can answer now · Ctrl+O or Ctrl+R opens another, Ctrl+T trains one"
        if generator.speaks:
            if self._replies and self._replies.count > 1:
                return f"Esc stops all {self._replies.count} samples · what you send now is answered after them"
            return "Esc stops the reply · what you send now is answered after it"
        if generator.loaded is not None:
            return "write how a text begins and press Enter · Enter alone begins from nothing"
        if generator.path is not None:
            return "the model is being loaded · what you send now is answered as soon as it is there"
        if preparing := self._bridge.training.preparing:
            return f"{stage(preparing)} · what you send now is answered as soon as it can"
        if self._bridge.trains:
            return "the first words come soon · what you send now is answered as soon as it can"
        return "no model yet · Ctrl+T trains one, Ctrl+O opens one, Ctrl+R shows all runs"


def status_line(ended: Ended, *, several: bool = False) -> str:
    """Below a reply: how much, how fast, by which weights, and what there is to know; of several, each one's seed."""
    parts = [
        f"{ended.tokens} tokens",
        f"{formatting.compact(ended.tokens_per_second)}/s",
    ]
    if ended.step:  # a model from elsewhere does not say how long it was trained
        parts.append(f"step {ended.step}")
    if several:
        parts.append(f"seed {ended.seed}")
    if ended.reason == "cancelled":
        parts.append("stopped")
    return " · ".join([*parts, *ended.notices])
