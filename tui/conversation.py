"""The prompts and replies of the chat: sends each prompt as soon as a model can answer, and fills the transcript."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from textual.content import Content

from ..engine.requests import Ended, Failed, SamplingSettings, TokenDetail, Tokens
from ..engine.sessions.tree import Node, Origin, Tree
from .bridge import Bridge
from .current_session import CurrentSession
from .run_words import stage
from .text import formatting
from .training_offer import TrainingOffer
from .widgets.prompt import Prompt
from .widgets.transcript import Transcript

_FIRST_SAMPLE = 240  # tokens of the sample that the model of a new run writes as soon as it can


class Conversation:
    """Sends one prompt at a time; those sent meanwhile wait in a queue."""

    def __init__(
        self,
        bridge: Bridge,
        transcript: Transcript,
        prompt: Prompt,
        session: CurrentSession,
        settings: Callable[[], tuple[SamplingSettings, int]],  # and how many samples of a prompt
    ) -> None:
        self._bridge = bridge
        self._generator = bridge.generator
        self._transcript = transcript
        self._prompt = prompt
        self._session = session
        self._settings = settings
        self._waiting: deque[str] = deque()  # prompts sent before the model could answer
        self._offer: TrainingOffer | None = None
        self._reading_text = False  # for a new run
        self._sample_when_ready = False
        self._problem = ""  # why no model can answer
        self.explain = False  # whether the tokens of the next replies are explained
        self._replies: Replies | None = None  # to the last prompt
        self._notes: list[str] = []  # to be written when the replies are complete

    @property
    def explained(self) -> list[list[TokenDetail]]:
        """The tokens of each of the last replies received so far; empty where none was explained."""
        details = [list(tokens) for tokens in self._replies.details] if self._replies else []
        return details if any(details) else []

    # --- the offer to train ---------------------------------------------------------------------

    @property
    def offer(self) -> TrainingOffer | None:
        """The offer in the transcript, None once it is answered."""
        return self._offer

    def make_offer(self, offer: TrainingOffer) -> None:
        """Show the offer in the empty transcript."""
        self._offer, self._reading_text = offer, False
        what, enter, path = offer.lines
        self._transcript.set_welcome(["A GPT of your own", "", what, "", enter, "", path])
        self.show_what_enter_does()

    def accept_offer(self) -> TrainingOffer | None:
        """Withdraw the offer, whose text is now being read for a new run, and return it."""
        offer, self._offer = self._offer, None
        self._reading_text = True
        self.show_what_enter_does()
        return offer

    # --- notes ----------------------------------------------------------------------------------

    def opened(self, text: str, *, fresh: bool = False) -> None:
        """Another run or model is on screen. The model of a fresh run writes a sample as soon as it can."""
        self._offer, self._reading_text, self._problem = None, False, ""
        self._sample_when_ready = fresh
        self._transcript.set_welcome(None)
        self.note(text)
        self.show_what_enter_does()

    def note(self, text: str) -> None:
        """Write a note of the app, once the replies above it are complete."""
        self._notes.append(text)
        if self._replies is None or self._replies.complete:
            self._write_notes()

    def _write_notes(self) -> None:
        for text in self._notes:
            self._transcript.begin_turn("note", text)
            self._transcript.end_turn()
            self._session.note(text)
        self._notes.clear()

    def begin_session(self) -> None:
        """Stop the replies and begin a session of its own; the one before it is kept."""
        self._empty()
        self._session.leave()
        self._write_notes()

    def open_session(self, number: int) -> bool:
        """Stop the replies and show this session; False where another window has it."""
        self._empty()
        tree = self._session.open(number)
        if tree is not None:
            self._show(tree)
        self._write_notes()
        return tree is not None

    def open_last_session(self) -> None:
        """Show the session of the last time, and what was typed there and not sent."""
        if last := self._session.open_last():
            tree, draft = last
            self._show(tree)
            if draft:
                self._prompt.restore(draft)

    def _empty(self) -> None:
        self.stop()
        self._replies = None
        self._transcript.clear()

    def _show(self, tree: Tree) -> None:
        """Write the turns of a session into the transcript."""
        for root in tree.roots:
            if root.text or root.author != "person":
                self._transcript.begin_turn("note" if root.author == "note" else "you", root.text)
                self._transcript.end_turn()
            replies = tree.children(root.id)
            for number, reply in enumerate(replies):
                heading = f"sample {number + 1} of {len(replies)}" if len(replies) > 1 else ""
                self._transcript.begin_turn("model", reply.text, heading=heading, further=number > 0)
                self._transcript.end_turn(status_line_of(reply, several=len(replies) > 1))

    # --- prompts --------------------------------------------------------------------------------

    def ask(self, prompt: str) -> None:
        """Send a prompt, now or as soon as the model is ready."""
        self._waiting.append(prompt)
        self._send_next()

    @property
    def can_stop(self) -> bool:
        """Whether there is a reply, or a prompt that waits for one."""
        return self._generator.generating or bool(self._waiting)

    def stop(self) -> bool:
        """Stop the replies, and give back the prompts that wait; whether there was anything to stop."""
        stopped = self.can_stop
        self._generator.cancel()
        if self._waiting:
            self._prompt.restore("\n".join(filter(None, self._waiting)))
            self._waiting.clear()
        self.show_what_enter_does()
        return stopped

    def _send_next(self) -> None:
        if self._waiting and self._generator.ready:
            self._send(self._waiting.popleft(), *self._settings())
        self.show_what_enter_does()

    def _send(self, prompt: str, settings: SamplingSettings, samples: int) -> None:
        if prompt:
            self._transcript.begin_turn("you", prompt)
            self._transcript.end_turn()
        replies = self._replies = Replies(self._transcript, prompt, samples)
        self._session.ask(prompt, samples, self._origin(settings))
        self._generator.generate(
            prompt, settings, lambda event: self._take(event, replies), samples=samples, explain=self.explain
        )

    def _origin(self, settings: SamplingSettings) -> Origin:
        """By what the replies that begin now are written; seed and step are those of their end."""
        model = self._bridge.model
        return Origin(self._generator.path or "", model.name, model.step or 0, settings.seed or 0, settings)

    # --- the model and its replies --------------------------------------------------------------

    def model_loading(self) -> None:
        """A model was asked for."""
        self._problem = ""
        self.show_what_enter_does()

    def model_ready(self) -> None:
        """A model can answer: send the prompts that wait, or have it write the first sample of a fresh run."""
        self._problem = ""
        if self._sample_when_ready and not self._waiting and self._generator.ready:
            settings, _ = self._settings()
            self._send("", replace(settings, max_tokens=min(settings.max_tokens, _FIRST_SAMPLE)), 1)
        self._sample_when_ready = False
        self._send_next()

    def model_failed(self, sentence: str) -> None:
        """No model can answer; the prompts that wait go back into the field."""
        self._problem = sentence
        self.note(sentence)
        self.stop()

    def _take(self, event: Tokens | Ended | Failed, replies: Replies) -> None:
        """Write an event about a prompt into the transcript, unless that was emptied since."""
        shown = replies is self._replies
        match event:
            case Tokens():
                if shown:
                    replies.add(event.sample, event.text, event.details)
                    self._session.add(event.sample, event.text, event.details)
                return
            case Ended():
                if shown:
                    replies.end(event.sample, status_line(event, several=replies.count > 1))
                    self._session.end(event.sample, event)
            case Failed():
                if shown:
                    replies.fail(event.message)
                    self._session.fail(event.message)
                if not self._prompt.text:
                    self._prompt.restore(replies.prompt)
        if replies.complete:
            self._write_notes()
        if isinstance(event, Failed):
            self.show_what_enter_does()
        else:
            self._send_next()

    # --- the prompt field -----------------------------------------------------------------------

    def show_what_enter_does(self) -> None:
        """The empty field says what Enter would do now; its frame says how many prompts wait."""
        self._prompt.refresh_bindings()
        self._prompt.placeholder = Content(self._placeholder())
        self._prompt.busy = self._generator.generating
        waiting = len(self._waiting)
        self._prompt.border_subtitle = f"{waiting} waiting for the model" if waiting else ""

    def _placeholder(self) -> str:
        if self._offer is not None:
            return self._offer.placeholder
        if self._reading_text:
            return "reading the text ..."
        if self._problem:
            return "no model can answer now · Ctrl+O or Ctrl+R opens another, Ctrl+T trains one"
        if self._generator.generating:
            if self._replies and self._replies.count > 1:
                return f"Esc stops all {self._replies.count} samples · what you send now is answered after them"
            return "Esc stops the reply · what you send now is answered after it"
        if self._generator.loaded is not None:
            return "write how a text begins and press Enter · Enter alone begins from nothing"
        if self._generator.path is not None:
            return "the model is being loaded · what you send now is answered as soon as it is there"
        if preparing := self._bridge.training.preparing:
            return f"{stage(preparing)} · what you send now is answered as soon as it can"
        if self._bridge.is_training:
            return "the first words come soon · what you send now is answered as soon as it can"
        return "no model yet · Ctrl+T trains one, Ctrl+O opens one, Ctrl+R shows all runs"


class Replies:
    """Streams the replies to one prompt, `count` at once, one below the other into the transcript.

    Only the first that is not complete streams on the screen; the text of the others is kept and written below it as
    soon as it has ended. So nothing on the screen ever moves, and each can be read from its beginning.
    """

    def __init__(self, transcript: Transcript, prompt: str, count: int) -> None:
        self._transcript = transcript
        self.prompt = prompt
        self._texts = [""] * count  # of each, what is not written yet
        self._status: dict[int, str] = {}  # the status line of each that is complete
        self._shown = 0  # the one that streams
        self.details: list[list[TokenDetail]] = [[] for _ in range(count)]
        self._begin()

    @property
    def count(self) -> int:
        """How many replies were asked for."""
        return len(self._texts)

    @property
    def complete(self) -> bool:
        """Whether all of them have ended."""
        return self._shown == self.count

    def add(self, sample: int, text: str, details: tuple[TokenDetail, ...]) -> None:
        """A piece of reply number `sample`, counted from 0."""
        self.details[sample] += details
        if sample == self._shown:
            self._transcript.append(text)
        else:
            self._texts[sample] += text

    def end(self, sample: int, status: str) -> None:
        """Reply number `sample` is complete."""
        self._status[sample] = status
        while self._shown in self._status:
            self._transcript.end_turn(self._status[self._shown])
            self._shown += 1
            if self._shown < self.count:
                self._begin()

    def fail(self, sentence: str) -> None:
        """None of them can go on: write what has arrived of each, and `sentence`, which says why it ends there."""
        unwritten = [sample for sample in range(self._shown + 1, self.count) if self._texts[sample]]
        for sample in unwritten:
            self._transcript.end_turn(self._status.get(self._shown, ""))
            self._shown = sample
            self._begin()
        self._transcript.end_turn(sentence)
        self._shown = self.count

    def _begin(self) -> None:
        heading = f"sample {self._shown + 1} of {self.count}" if self.count > 1 else ""
        self._transcript.begin_turn("model", self._texts[self._shown], heading=heading, further=self._shown > 0)


def status_line(ended: Ended, *, several: bool = False) -> str:
    """The line below a reply: its tokens, their rate, the step of the weights, notices; of several, each one's seed."""
    seed = ended.seed if several else None
    return _status_line(ended.tokens, ended.tokens_per_second, ended.step, seed, ended.reason, ended.notices)


def status_line_of(node: Node, *, several: bool = False) -> str:
    """The same line below a reply of a session that was opened again."""
    if node.reason == "failed":
        return " · ".join(node.notices)
    step, seed = (node.origin.step, node.origin.seed) if node.origin else (0, 0)
    return _status_line(
        node.tokens, node.tokens_per_second, step, seed if several else None, node.reason, node.notices
    )  # fmt: skip


def _status_line(
    tokens: int, tokens_per_second: float, step: int, seed: int | None, reason: str, notices: tuple[str, ...]
) -> str:
    parts = [f"{tokens} tokens", f"{formatting.compact(tokens_per_second)}/s"] if tokens else []
    if step:  # a model from elsewhere does not say how long it was trained
        parts.append(f"step {step}")
    if seed is not None:
        parts.append(f"seed {seed}")
    if reason == "cancelled":
        parts.append("stopped")
    return " · ".join([*parts, *notices])
