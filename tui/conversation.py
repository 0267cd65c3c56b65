"""Prompts and replies: sends each prompt as soon as a model can answer, and fills the transcript."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..data.storage.printable import visible
from ..engine.requests import Ended, Failed, SamplingSettings, TokenDetail, Tokens
from ..engine.sessions.messages import messages_of
from ..engine.sessions.tree import Node, Origin
from . import keys
from .bridge import Bridge
from .current_session import CurrentSession
from .dialogue import Dialogue, LeadingBlanks
from .replies import Replies
from .reply_words import status_line
from .run_words import stage
from .session_turns import turns_of_path, turns_of_tree
from .training_offer import TrainingOffer
from .training_texts import TrainingTexts
from .turn_colours import TurnColours
from .turn_quotes import TurnQuotes
from .widgets.border_words import set_subtitle
from .widgets.prompt import Prompt
from .widgets.transcript import Transcript

if TYPE_CHECKING:
    from .comparison.prompts import TurnsPrompt

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
        texts: TrainingTexts,
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
        self._replies: Replies | None = None  # to the last prompt
        self._reply: int | None = None  # the node of the last reply, or of the one of its siblings that is shown
        self._alone: set[int] = set()  # prompts of which one reply is shown: the others are a key away
        self._edited: Node | None = None  # the prompt that is written anew
        self._looked_at: int | None = None  # the turn that is explained; None stands for the last replies
        self.dialogue = Dialogue(bridge, session)
        self.colours = TurnColours(bridge.generator, transcript, session, self.note, self.dialogue.before)
        self.quotes = TurnQuotes(texts, transcript, session)
        self.frame = ""  # the last prompt as the model read it: in a chat or a dialogue
        self._notes: list[str] = []  # to be written when the replies are complete

    # --- tokens ---------------------------------------------------------------------------------

    @property
    def explain(self) -> bool:
        """Whether the turns are coloured by the probability of their tokens, and the next replies explained."""
        return self._transcript.coloured

    @explain.setter
    def explain(self, explain: bool) -> None:
        self._transcript.coloured = explain
        self.colours.colour()

    @property
    def is_coloured(self) -> bool:
        """Whether the last reply is coloured, or will be when it is scored."""
        return self._reply is not None

    @property
    def explained(self) -> list[list[TokenDetail]]:
        """The tokens of the turn that is looked at, else of each of the last replies so far; empty for none."""
        if self._replies and (self._looked_at is None or self._looked_at in self._replies.nodes):
            details = [list(tokens) for tokens in self._replies.details]
            if any(details):
                return details
        return self.colours.explained(self._reply if self._looked_at is None else self._looked_at)

    def look_at(self, turn: int | None, then: Callable[[], object]) -> bool | None:
        """Look at the tokens of a turn, or of the last replies, and call `then`.

        What was not explained is read again: True. None where that is not needed, False where it cannot be now.
        """
        self._looked_at = None if turn is None else self.colours.node_of(turn)
        if self.explained:
            then()
            return None
        node = self._reply if self._looked_at is None else self._looked_at
        return node is not None and self.colours.explain(node, then)

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
        """Stop the replies and show this session, with what was typed there; False where another window has it."""
        self._empty()
        found = self._session.open(number) is not None
        if found:
            self._show()
            if self._session.store and (draft := self._session.store.session(number).draft):
                self._prompt.restore(draft)
        self._write_notes()
        return found

    def _empty(self) -> None:
        self.stop()
        self._replies = self._reply = self._edited = self._looked_at = None
        self._alone, self.frame = set(), ""
        self._transcript.clear()
        self.colours.clear()
        self.quotes.clear()

    # --- what the session has -------------------------------------------------------------------

    def _show(self, without: Sequence[int] = ()) -> None:
        """Write the turns of the session into the transcript, anew, `without` the replies that are to come."""
        self._transcript.clear()
        self.colours.clear()
        self.quotes.clear()
        text = self._session.text
        turns = turns_of_path(text) if self._session.way == "chat" else turns_of_tree(text.tree, self._alone, text.leaf)
        for turn in turns:
            if turn.node in without:
                continue
            number = self._transcript.begin_turn(turn.role, heading=turn.heading, further=turn.further)
            self._transcript.append(turn.text, self.colours.known(turn.node) if turn.node is not None else ())
            self._transcript.end_turn(turn.status)
            if turn.node is not None:
                self._place(turn.node, number)
                self._reply = turn.node if turn.role == "model" else self._reply
        if not without:  # what is to come is written first
            self.colours.ask()
        if self._generator.loaded is not None:
            self.quotes.show()

    def _place(self, node: int, turn: int) -> None:
        """The prompt or the reply of this node is shown as this turn."""
        self.colours.place(node, turn)
        self.quotes.place(node, turn)

    def retry(self) -> bool:
        """Have another reply to the last prompt written, a sibling of the one that is shown; whether there is one."""
        if self.colours.asking:
            self.colours.give_way(self.retry)
            return True
        if self._reply is None or not self._generator.ready:
            return False
        settings, samples = self._settings()
        settings = replace(settings, seed=None)  # one seed would write the same again
        nodes = self._session.retry(self._reply, samples, self._origin(settings))
        path = self._session.text.path
        self._alone.discard(path[-2].id)
        self._show(without=nodes)
        self._answer(path[:-1], nodes, settings)
        return True

    def turn_reply(self, step: int) -> bool:
        """Show the next of the replies to the last prompt, or the one before; whether there are several."""
        if self._reply is None or self._generator.generating:
            return False
        text = self._session.text
        siblings = [node.id for node in text.siblings(self._reply)]
        if len(siblings) < 2:
            return False
        chosen = siblings[(siblings.index(self._reply) + step) % len(siblings)]
        self._session.change(lambda text: text.choose(chosen))
        if (prompt := text.tree.nodes[chosen].parent) is not None:
            self._alone.add(prompt)
        self._replies = self._looked_at = None
        self._show()
        self._reply = chosen
        return True

    def give_up(self) -> None:
        """Stop the replies; what of them is still on its way is dropped."""
        self.stop()
        self._session.cancel()
        self._replies = None

    def go_to(self, node: int | None, offset: int | None = None) -> None:
        """Show what was said on the way to `node`, and the place in its words; without one, what there is now."""
        if node is not None:
            self._session.change(lambda text: text.choose(node))
            self._alone |= {prompt.id for prompt in self._session.text.path if prompt.author == "person"}
        self._reply, self._edited = None, None
        self._show()
        if node is not None and offset is not None:
            self._transcript.find(self._session.text.tree.nodes[node].text[offset : offset + 60].split("\n")[0])

    def edit_prompt(self) -> bool:
        """Take the last prompt into the field again, or the one before that; whether there is one.

        What is sent then takes its place: in a chat it follows what that prompt follows. The first stays as a branch.
        """
        if self._session.id is None:
            return False
        prompts = [node for node in self._prompts() if node.text]
        if self._edited in prompts:
            prompts = prompts[: prompts.index(self._edited)]
        if not prompts:
            return False
        self._edited = prompts[-1]
        self._prompt.restore(self._edited.text)
        return True

    def compared_prompt(self) -> TurnsPrompt:
        """What stands in the field, or where that is empty the last prompt that was answered, to be compared."""
        from .comparison.prompts import TurnsPrompt  # which the first frame does not need

        nodes = self._session.text.tree.nodes if self._session.id is not None else {}
        reply = nodes.get(self._reply) if self._reply is not None else None
        answered = nodes.get(reply.parent) if reply and reply.parent is not None else None
        return TurnsPrompt(
            self._session, self.dialogue, self._prompt.text, self._edited, answered, lambda: self._prompt.restore("")
        )

    def _prompts(self) -> list[Node]:
        text = self._session.text
        nodes = text.path if self._session.way == "chat" else text.tree.roots
        return [node for node in nodes if node.author == "person"]

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
        self.colours.stop()
        self._generator.cancel()
        if self._waiting:
            self._prompt.restore("\n".join(filter(None, self._waiting)))
            self._waiting.clear()
        self.show_what_enter_does()
        return stopped

    def send_what_waits(self) -> None:
        """Send the next prompt that waits, where the model can answer by now."""
        if self._waiting and self._generator.ready:
            self._send_next()

    def _send_next(self) -> None:
        if self._waiting and self._generator.ready:
            self._send(self._waiting.popleft(), *self._settings())
        elif self._waiting and self.colours.asking:
            self.colours.give_way(self._send_next)
        self.show_what_enter_does()

    def _send(self, prompt: str, settings: SamplingSettings, samples: int) -> None:
        origin, chat = self._origin(settings), self._session.way == "chat"
        line = self.dialogue.next_line(self._edited)
        if chat and self._edited is not None:
            nodes = self._session.ask(prompt, samples, origin, after=self._edited.parent)
            self._show(without=nodes)
        else:
            nodes = self._session.ask(prompt, samples, origin, after=self._session.text.leaf if chat else None)
            if prompt:
                self._place(self._session.text.path[-2].id, self._transcript.begin_turn("you", prompt))
                self._transcript.end_turn()
        self._edited = None
        path = self._session.text.path[:-1]
        if line is not None:
            self.dialogue.add(path[-1], line)
        self._answer(path, nodes, settings)

    def _answer(self, path: Sequence[Node], nodes: Sequence[int], settings: SamplingSettings) -> None:
        """Stream the replies to what the nodes of `path` say, of which in turns only the last is the prompt."""
        prompt, first = path[-1].text, len(self._session.text.siblings(nodes[0])) - len(nodes)
        replies = self._replies = Replies(self._transcript, prompt, nodes, first, self._place)
        self._reply, self._looked_at = nodes[0], None
        chat, blanks = self._session.way == "chat", LeadingBlanks()
        framed, form = ("", None) if chat else self.dialogue.framed(path[-1])
        if not chat:
            self.frame = framed if form else ""

        def take(event: Tokens | Ended | Failed) -> None:
            self._take(blanks.without(event) if form and isinstance(event, Tokens) else event, replies)

        self._generator.generate(
            framed, settings, take, samples=len(nodes), explain=self.explain, speech=form,
            messages=messages_of(path) if chat else (),
        )  # fmt: skip

    def _origin(self, settings: SamplingSettings) -> Origin:
        """By what the replies that begin now are written; seed and step are those of their end."""
        model = self._bridge.model
        checkpoint = self._generator.loaded.checkpoint if self._generator.loaded else ""
        path = self._generator.path or ""
        return Origin(path, model.name, model.step or 0, settings.seed or 0, settings, checkpoint)

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
        self.colours.ask()
        self.quotes.show()

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
                    self.frame = event.prompt_text or self.frame
            case Failed():
                if shown:
                    replies.fail(event.message)
                    self._session.fail(event.message)
                if not self._prompt.text:
                    self._prompt.restore(replies.prompt)
        if replies.complete:
            self._write_notes()
            if shown:
                self.quotes.written(replies.nodes)
        if isinstance(event, Failed):
            self.show_what_enter_does()
        else:
            self._send_next()
        self.colours.ask()

    def settings_changed(self) -> None:
        """Draw what follows of the replies as the panel says now; the seed and the number of samples stay."""
        if self._replies is not None and not self._replies.complete:
            self._generator.change(self._settings()[0])

    # --- the prompt field -----------------------------------------------------------------------

    def show_what_enter_does(self) -> None:
        """The empty field says what Enter would do now; its frame says how many prompts wait."""
        self._prompt.refresh_bindings()
        self._prompt.show_hint(self._placeholder())
        self._prompt.busy = self._generator.generating
        waiting = len(self._waiting)
        set_subtitle(self._prompt, f"{waiting} waiting for the model" if waiting else "")

    def _placeholder(self) -> str:
        if self._offer is not None:
            return self._offer.placeholder
        if self._reading_text:
            return "reading the text ..."
        opens, runs, trains, stop = map(keys.spoken, ("model.open", "desk.train", "run.new", "reply.stop"))
        if self._problem:
            return f"no model can answer now · {opens} or {runs} opens another, {trains} trains one"
        if self._generator.generating:
            if self._replies and self._replies.count > 1:
                return f"{stop} stops all {self._replies.count} samples · what you send now is answered after them"
            return f"{stop} stops the reply · what you send now is answered after it"
        if self._generator.loaded is not None:
            if roles := self.dialogue.roles:
                you, answering = visible(roles.you), visible(roles.answering)
                return f"write what {you} says · Enter alone lets {answering} speak on"
            return "write how a text begins and press Enter · Enter alone begins from nothing"
        if self._generator.path is not None:
            return "the model is being loaded · what you send now is answered as soon as it is there"
        if preparing := self._bridge.training.preparing:
            return f"{stage(preparing)} · what you send now is answered as soon as it can"
        if self._bridge.is_training:
            return "the first words come soon · what you send now is answered as soon as it can"
        return f"no model yet · {trains} trains one, {opens} opens one, {runs} shows all runs"
