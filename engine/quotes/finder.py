"""What the app asks for quotes: answers come by callback, and the index is built by a process of its own. Light."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...data.corpus import Corpus
from ...data.quotes.index import QuoteIndex
from ...data.quotes.quotes import Passage, Quotes
from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.storage.typed_json import dumps
from .. import paths
from ..child_process import child_environment, python_module
from .searched_corpus import SearchedCorpus

_GRACE = 2.0  # seconds that the process has to remove what it has half written


@dataclass(frozen=True)
class Indexing:
    """There is no index yet; `fraction` of what is done now is done: "reading", "indexing", or waiting for another."""

    fraction: float
    doing: str


@dataclass(frozen=True)
class QuotesFailed:
    """No quotes can be found, as the sentence says; the text has changed or is gone, or the disk is full."""

    message: str


QuotesListener = Callable[[Quotes | Indexing | QuotesFailed], None]
"""Receives, in the event loop, Indexing as often as there is progress, and at last one Quotes or one QuotesFailed."""


class QuoteFinder:
    """Finds what of a text stands word for word in the text that a run has learned from.

        finder = QuoteFinder(SearchedCorpus.of_run(run))  # at once; nothing is read yet
        finder.find(reply, self._show_quotes)             # returns at once, any number may be asked

        def _show_quotes(self, found: Quotes | Indexing | QuotesFailed) -> None:
            match found:
                case Indexing(fraction=fraction, doing=doing):
                    self.line = f"quotes: {doing} {fraction:.0%}"
                case Quotes(longest=Passage() as longest):
                    self.line = f"longest quote {len(longest)} characters"
                    self.place = f"{longest.place.file}, line {longest.place.line:,}"
                case Quotes():
                    self.line = "nothing is quoted"
                case QuotesFailed(message=sentence):
                    self.line = sentence

        before, quote, after = finder.surroundings(longest)  # for the key that shows it where it stands
        await finder.close()                                 # with the app, or when another model answers

    All of it is called in the event loop, from which the listener is called too. The first `find` opens the index, or
    starts a process of low priority that builds it; all who ask meanwhile wait for that one. Some thousand characters
    are searched in some hundredths of a second, in a thread. A finder that has failed fails for every text; another
    one tries again. `find` returns the task that answers, whose `cancel` takes the question back.
    """

    def __init__(self, searched: SearchedCorpus) -> None:
        self._searched = searched
        self._opening: asyncio.Task[QuoteIndex] | None = None
        self._index: QuoteIndex | None = None
        self._answering = set[asyncio.Task[None]]()
        self._waiting = dict[asyncio.Task[Any], QuotesListener]()
        self._progress = Indexing(0.0, "reading")
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether the index is open, so that an answer comes without progress before it."""
        return self._index is not None

    def find(self, text: str, listener: QuotesListener) -> asyncio.Task[None]:
        """Tell `listener` what of `text` is quoted: its longest passage, and the shares in passages of 10, 20, 50."""
        answering = asyncio.create_task(self._answer(text, listener), name="quotes")
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)
        return answering

    def surroundings(self, passage: Passage, before: int = 400, after: int = 400) -> tuple[str, str, str]:
        """The corpus around a passage that this finder has found: what precedes it in its file, itself, what follows.

        Raises ValueError before an index is open: no passage can be its own then.
        """
        if self._index is None:
            raise ValueError("a passage has surroundings in the index that it was found in")
        return self._index.surroundings(passage, before, after)

    async def close(self) -> None:
        """Take all questions back, later ones too, and end the process that builds; it leaves nothing half written."""
        self._closed = True
        tasks = [*self._answering, *([self._opening] if self._opening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, text: str, listener: QuotesListener) -> None:
        if self._closed:
            return
        try:
            index = self._index or await self._opened(listener)
        except EXPECTED as error:
            listener(QuotesFailed(sentence_of(error)))
            return
        listener(await asyncio.to_thread(index.find, text))

    async def _opened(self, listener: QuotesListener) -> QuoteIndex:
        """The index, once it is open; until then `listener` hears how far that is."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="index of quotes")
        task = asyncio.current_task()
        assert task is not None
        if not self._opening.done():
            listener(self._progress)
        self._waiting[task] = listener
        try:
            return await asyncio.shield(self._opening)  # whoever no longer waits leaves it to the others
        finally:
            del self._waiting[task]

    async def _open(self) -> QuoteIndex:
        loop = asyncio.get_running_loop()

        def read(fraction: float) -> None:
            if self._closed:
                raise UserError("quotes are no longer looked for")  # in the thread, so that it ends
            loop.call_soon_threadsafe(self._tell, Indexing(fraction, "reading"))

        def opened() -> tuple[Corpus, QuoteIndex | None]:
            corpus = self._searched.open(read)
            return corpus, QuoteIndex.open(corpus, self._searched.length)

        corpus, index = await asyncio.to_thread(opened)
        if index is None:
            await self._build()
            index = await asyncio.to_thread(QuoteIndex.open, corpus, self._searched.length)
        if index is None:
            raise UserError(f"the index of quotes from {corpus.name} was damaged as soon as it was built; try again")
        self._index = index
        return index

    async def _build(self) -> None:
        """Let the process build the index. Raises UserError with its last words where it fails."""
        process = await asyncio.create_subprocess_exec(
            *build_command(self._searched, background=True), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=paths.log_dir(), env=child_environment(),
        )  # fmt: skip
        assert process.stdout
        assert process.stderr
        said = asyncio.create_task(process.stderr.read())
        try:
            async for line in process.stdout:
                with contextlib.suppress(ValueError, KeyError, TypeError):  # the last line is no progress
                    told = json.loads(line)
                    self._tell(Indexing(float(told["progress"]), str(told["doing"])))
            code = await process.wait()
            last = (await said).decode("utf-8", "replace").strip().rpartition("\n")[2].removeprefix("minigpt-tui: ")
        finally:
            said.cancel()
            await _end(process)
        if code:
            raise UserError(last[:300] or f"the process that indexes the text for quotes ended with code {code}")

    def _tell(self, progress: Indexing) -> None:
        self._progress = progress
        for listener in [*self._waiting.values()]:
            listener(progress)


def build_command(searched: SearchedCorpus, *, background: bool) -> list[str]:
    """The command that builds the index."""
    options = ["--background"] if background else []
    return python_module("minigpt_tui.engine.quotes.process", dumps(searched), *options)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process if it still runs, by force where it does not go."""
    for end in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            end()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE)
