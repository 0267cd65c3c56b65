"""The turns of a session as speeches: who says the prompts, who answers, and what the model reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..data.speakers.form import Speech, SpeechForm
from ..engine.requests import Tokens
from ..engine.sessions.tree import Node
from .bridge import Bridge
from .current_session import CurrentSession


@dataclass(frozen=True)
class Roles:
    """Who says the prompts and who answers, two speakers of a text, and the form of a speech there."""

    you: str
    answering: str
    form: SpeechForm
    text: str  # its fingerprint


@dataclass(frozen=True)
class Line:
    """A prompt that is a speech, and the one that it follows."""

    roles: Roles
    after: int | None  # the node of that prompt; None where the dialogue begins


class Dialogue:
    """Knows which prompts are speeches, and frames them with those before, as the text of the model does it.

    A dialogue begins when roles are chosen. Where a prompt is edited, or the person has gone back to an earlier one, it
    goes on from there. All of it lasts until the app ends.
    """

    def __init__(self, bridge: Bridge, session: CurrentSession) -> None:
        self._bridge, self._session = bridge, session
        self._chosen: Roles | None = None
        self._goes_on = False  # whether the next line may follow others
        self._lines: dict[int, Line] = {}  # by the node of the prompt

    @property
    def roles(self) -> Roles | None:
        """Who speaks; None where nobody was chosen, or the model on screen has learned from another text."""
        manifest, chosen = self._bridge.manifest, self._chosen
        fits = chosen and manifest and manifest.corpus.fingerprint == chosen.text and self._session.way == "turns"
        return chosen if fits else None

    def choose(self, roles: Roles | None) -> None:
        """Speak as these from now on; None: nobody does. Other roles go on with a dialogue that has begun."""
        self._goes_on = self._goes_on and self.roles is not None and roles is not None
        self._chosen = roles

    def next_line(self, edited: Node | None) -> Line | None:
        """What the next prompt will be, or what replaces the prompt that is `edited`; None where nobody speaks."""
        roles = self.roles
        if roles is None:
            return None
        if edited is not None and (line := self._lines.get(edited.id)):
            return replace(line, roles=roles)
        place = self._session.text.path[:1]
        return Line(roles, place[0].id if place and self._goes_on and place[0].id in self._lines else None)

    def add(self, prompt: Node, line: Line) -> None:
        """Keep that a prompt was sent as this line."""
        self._lines[prompt.id], self._goes_on = line, True

    def framed(self, prompt: Node) -> tuple[str, SpeechForm | None]:
        """What the model continues to answer a prompt, and the form of its answer; None where that is no speech."""
        if (line := self._lines.get(prompt.id)) is None:
            return prompt.text, None
        return self.frame(prompt.text, line), line.roles.form

    def frame(self, prompt: str, line: Line) -> str:
        """What the model continues to answer a prompt that is this line."""
        roles = line.roles
        return roles.form.frame(self._before(line) + _said(roles.you, prompt), roles.answering)

    def before(self, path: Sequence[Node]) -> str:
        """What the model reads before the last node of a path, without which its words would not be as likely."""
        if not path or (line := self._lines.get(path[0].id)) is None:
            return "".join(node.text for node in path[:-1])
        roles = line.roles
        speaks, said = (roles.you, "") if len(path) == 1 else (roles.answering, path[0].text)
        frame = roles.form.frame(self._before(line) + _said(roles.you, said), speaks)
        opening = roles.form.opening(speaks)
        return frame + opening[len(opening.rstrip(" ")) :] + roles.form.indent * roles.form.below

    def _before(self, line: Line) -> list[Speech]:
        """What was said before a line: prompts and answers, of several answers the one that was looked at last."""
        text, earlier = self._session.text, list[int]()
        while line.after is not None:
            earlier.append(line.after)
            line = self._lines[line.after]
        speeches = list[Speech]()
        for prompt in reversed(earlier):
            if prompt in text.tree.nodes:
                roles, path = self._lines[prompt].roles, text.tree.path(text.last_open(prompt).id)
                speeches += _said(roles.you, path[0].text)
                answer = "".join(node.text for node in path[1:])
                lines = [one.removeprefix(roles.form.indent) for one in answer.strip().split("\n")]
                speeches += _said(roles.answering, "\n".join(lines))
        return speeches


def _said(name: str, text: str) -> list[Speech]:
    return [Speech(name, text)] if text.strip() else []


class LeadingBlanks:
    """Takes from replies the blanks that they begin with: they belong to the frame, and are no part of what is said.

    The tokens stay; a token of nothing else then stands for no character.
    """

    def __init__(self) -> None:
        self._begun: set[int] = set()  # the samples of which a word has come

    def without(self, event: Tokens) -> Tokens:
        """The next piece of a reply."""
        if event.sample in self._begun:
            return event
        text, details = event.text.lstrip(), list(event.details)
        blanks = len(event.text) - len(text)
        for number, detail in enumerate(details):
            taken = min(blanks, detail.characters)
            details[number], blanks = replace(detail, characters=detail.characters - taken), blanks - taken
        if text:
            self._begun.add(event.sample)
        return replace(event, text=text, details=tuple(details))
