"""A generate process that is none: it answers in the event loop, with what the test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from minigpt_tui.engine.quotes.finder import QuotesListener
from minigpt_tui.engine.quotes.searched_corpus import SearchedCorpus
from minigpt_tui.engine.requests import (
    Alternative,
    Cancel,
    Ended,
    ExplainPlace,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Loaded,
    Place,
    Request,
    Scored,
    ScoreProgress,
    ScoreText,
    TokenDetail,
    Tokens,
)

EXPLAINED = TokenDetail(
    3, "[b]\n", 0.0625, 0.25, 7, 1.5, (Alternative(8, " é", 0.5, 0.75), Alternative(3, "[b]\n", 0.0625, 0.25))
)


class ScriptedEngine:
    """Stands in for engine.client.GenerateProcess; `processes` lists those that were started."""

    processes: list[ScriptedEngine]
    chat = False  # whether the model has a chat template
    checkpoint = ""  # of the model
    holds_replies = False  # True: replies are ended by the test, or by Cancel
    pid = 1  # of no process that would be asked about it

    def __init__(
        self, on_message: Callable[[GenerationMessage], None], on_exit: Callable[[int, str], None] = lambda *_: None
    ) -> None:
        self.say, self.die = on_message, on_exit
        self.requests: list[Request] = []
        self.closed = False

    async def start(self) -> None:
        """Be there."""
        self.processes.append(self)

    async def close(self) -> None:
        """Be gone."""
        self.closed = True

    def send(self, request: Request) -> bool:
        """Answer at the next turn of the loop."""
        self.requests.append(request)
        asyncio.get_running_loop().call_soon(self.answer, request)
        return True

    def answer(self, request: Request) -> None:
        """A model of 0.80M; replies echo the prompt."""
        if isinstance(request, Load):
            self.say(
                Loaded(
                    request.id, request.path, 200, 800_000, 62, 64, "cpu", "float32", 250_000_000, 2.0,
                    chat=self.chat, checkpoint=self.checkpoint,
                )
            )  # fmt: skip
        elif isinstance(request, Generate):
            details = (EXPLAINED,) * 5 if request.explain else ()
            for sample in range(request.samples):
                again = f" {sample + 1}" if sample else ""
                text = f"[b]{request.prompt}[/b] and so on{again}"
                self.say(Tokens(request.id, text, 5, sample, details))
            for sample in range(0 if self.holds_replies else request.samples):
                self.end(request.id, sample)
        elif isinstance(request, ExplainPlace) and not self.holds_replies:
            self.say(Place(request.id, EXPLAINED.alternatives, EXPLAINED.alternatives, 1.5, 1.0, 0.4375, 0.0, 200))
        elif isinstance(request, ScoreText):
            self.say(ScoreProgress(request.id, 0.5, (EXPLAINED,) if request.explain else ()))
            if not self.holds_replies:
                self.say(Scored(request.id, 1.5, 4.5, 2.0, 5, 200))
        elif isinstance(request, Cancel):
            asked = next(r for r in self.requests if not isinstance(r, Cancel) and r.id == request.id)
            if not isinstance(asked, Generate):
                self.say(Failed(request.id, "prompt", "it was cancelled"))
                return
            for sample in range(asked.samples):
                self.say(Tokens(request.id, "TOO LATE", 1, sample))
                self.end(request.id, sample, cancelled=True)

    def end(self, id: int, sample: int = 0, *, cancelled: bool = False) -> None:
        """The last message of a reply."""
        reason = "cancelled" if cancelled else "length"
        self.say(Ended(id, reason, 5, 3, 0.01, 500.0, 200, 7 + sample, ("the context was full",), sample))

    def prompts(self) -> list[str]:
        """What was asked of this process."""
        return [request.prompt for request in self.requests if isinstance(request, Generate)]


def letter(character: str, probability: float = 0.5) -> TokenDetail:
    """A token that is one character, whose id is its code point."""
    other = Alternative(ord(character), character, probability, probability)
    return TokenDetail(ord(character), character, probability, probability, 1, 1.5, (other,), 1)


class LetterEngine(ScriptedEngine):
    """A generate process whose tokens are characters: it writes `words` in turn, with the seeds 100, 101, ..."""

    words: list[str]
    written = 0
    scores = 0.25  # the probability of each character of a text
    holds_words = False  # True: what is written is not ended but by the test, or by Cancel

    def answer(self, request: Request) -> None:
        """Of continuations, the characters; of a place, three letters; of a text, each of its characters."""
        if isinstance(request, Generate):
            for sample in range(request.samples):
                text = self.words[self.written % len(self.words)]
                type(self).written += 1
                for character in text:
                    details = (letter(character),) if request.explain else ()
                    self.say(Tokens(request.id, character, 1, sample, details))
                if not self.holds_words:
                    self.end(request.id, sample)
        elif isinstance(request, ExplainPlace):
            likely = tuple(Alternative(ord(c), c, p, p * 2) for c, p in zip("abc", (0.4, 0.2, 0.1), strict=True))
            self.say(Place(request.id, likely, likely, 1.25, 1.0, 0.3, 0.0, 200))
        elif isinstance(request, ScoreText):
            text = request.messages[-1].text if request.messages else request.text
            self.say(ScoreProgress(request.id, 1.0, tuple(letter(c, self.scores) for c in text)))
            self.say(Scored(request.id, 1.4, 4.0, 2.0, len(text), 200))
        elif isinstance(request, Cancel) and not self.holds_words:
            return
        else:
            super().answer(request)

    def end(self, id: int, sample: int = 0, *, cancelled: bool = False) -> None:
        """The last message, with the seed by which it would come again."""
        reason = "cancelled" if cancelled else "length"
        self.say(Ended(id, reason, 5, 3, 0.01, 500.0, 200, 100 + sample, (), sample, "c0ffee"))

    def asked(self, kind: type[Request]) -> list[Request]:
        """The requests of one kind."""
        return [request for request in self.requests if isinstance(request, kind)]


class SilentFinder:
    """Stands in for engine.quotes.finder.QuoteFinder: the texts of runs that a test has made up are not there."""

    def __init__(self, searched: SearchedCorpus) -> None:
        self.searched = searched

    def find(self, text: str, listener: QuotesListener, *, build: bool = True) -> asyncio.Task[object]:
        """Never answer."""
        return asyncio.create_task(asyncio.Event().wait())

    async def close(self) -> None:
        """Nothing was begun."""
