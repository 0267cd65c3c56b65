"""What the app asks for quotes: answers come by callback, and the index is built by a process of its own. Light."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ...data.corpus import Corpus
from ...data.quotes.index import QuoteIndex
from ...data.quotes.quotes import Occurrences, Passage, Quotes
from ...data.quotes.stored_text import Place
from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.storage.typed_json import dumps
from .. import paths
from ..child_process import child_environment, python_module
from .searched_corpus import SearchedCorpus

T = TypeVar("T")

_GRACE = 2.0  # seconds that the process has to remove what it has half written


@dataclass(frozen=True)
class Indexing:
    """There is no index yet; `fraction` of what is done now is done: "reading", "indexing", or waiting for another."""

    fraction: float
    doing: str


@dataclass(frozen=True)
class NotIndexed:
    """There is no index, and none was asked for, as that takes its time: the text has so many bytes."""

    n_bytes: int


@dataclass(frozen=True)
class QuotesFailed:
    """No quotes can be found, as the sentence says; the text has changed or is gone, or the disk is full."""

    message: str


QuotesAnswer = Quotes | NotIndexed | Indexing | QuotesFailed
QuotesListener = Callable[[QuotesAnswer], None]
"""Receives, in the event loop, Indexing as often as there is progress, and at last one of the others."""


class QuoteFinder:
    """Finds what of a text stands word for word in the text that a run has learned from.

        finder = QuoteFinder(SearchedCorpus.of_run(run))  # at once; nothing is read yet
        finder.find(reply, self._show_quotes)             # returns at once, any number may be asked

        def _show_quotes(self, found: QuotesAnswer) -> None:
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
    starts a process of low priority that builds it; all who ask meanwhile wait for that one. With `build=False` it is
    left at what there is, or is being built. Some thousand characters are searched in some hundredths of a second, in a
    thread. A finder that has failed fails for every text; another one tries again. `find` returns the task that
    answers, whose `cancel` takes the question back.
    """

    def __init__(self, searched: SearchedCorpus) -> None:
        self._searched = searched
        self._reading: asyncio.Task[Corpus] | None = None
        self._building: asyncio.Task[None] | None = None
        self._index: QuoteIndex | None = None
        self._answering = set[asyncio.Task[None]]()
        self._waiting = dict[asyncio.Task[Any], QuotesListener]()
        self._progress = Indexing(0.0, "reading")
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether the index is open, so that an answer comes without progress before it."""
        return self._index is not None

    def find(self, text: str, listener: QuotesListener, *, build: bool = True) -> asyncio.Task[None]:
        """Tell `listener` what of `text` is quoted: its longest passage, and the shares in passages of 10, 20, 50."""
        answering = asyncio.create_task(self._answer(text, listener, build), name="quotes")
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

    async def occurrences(self, text: str, most: int = 1000) -> Occurrences:
        """Where `text` stands in the corpus, `most` places of it. Raises ValueError before an index is open."""
        if self._index is None:
            raise ValueError("where a text stands is known of an index")
        return await asyncio.to_thread(self._index.occurrences, text, most)

    def around(self, place: Place, length: int, before: int = 400, after: int = 400) -> tuple[str, str, str]:
        """`length` characters of the corpus from a place on, and what precedes and follows them in its file.

        Raises ValueError before an index is open.
        """
        if self._index is None:
            raise ValueError("a place is one in the index that it was found in")
        return self._index.around(place, length, before, after)

    async def close(self) -> None:
        """Take all questions back, later ones too, and end the process that builds; it leaves nothing half written."""
        self._closed = True
        asked: list[asyncio.Task[Any] | None] = [*self._answering, self._reading, self._building]
        tasks = [task for task in asked if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, text: str, listener: QuotesListener, build: bool) -> None:
        if self._closed:
            return
        try:
            index = self._index or await self._opened(listener, build)
        except EXPECTED as error:
            listener(QuotesFailed(sentence_of(error)))
            return
        listener(index if isinstance(index, NotIndexed) else await asyncio.to_thread(index.find, text))

    async def _opened(self, listener: QuotesListener, build: bool) -> QuoteIndex | NotIndexed:
        """The index, once it is open; until then `listener` hears how far that is."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="text for quotes")
        corpus = await self._wait(self._reading, listener)
        await self._open(corpus)
        if self._index is None and (build or self._building is not None):
            if self._building is None:
                self._progress = Indexing(0.0, "indexing")
                self._building = asyncio.create_task(self._build(), name="index of quotes")
            await self._wait(self._building, listener)
            await self._open(corpus)
            if self._index is None:
                raise UserError(
                    f"the index of quotes from {corpus.name} was damaged as soon as it was built; try again"
                )
        return self._index or NotIndexed(corpus.n_bytes)

    async def _wait(self, task: asyncio.Task[T], listener: QuotesListener) -> T:
        """What the task returns; until then `listener` hears how far it is."""
        asking = asyncio.current_task()
        assert asking is not None
        if not task.done():
            listener(self._progress)
        self._waiting[asking] = listener
        try:
            return await asyncio.shield(task)  # whoever no longer waits leaves it to the others
        finally:
            del self._waiting[asking]

    async def _read(self) -> Corpus:
        """Open the text. Raises UserError where it is not the one that the index would be of."""
        loop = asyncio.get_running_loop()

        def read(fraction: float) -> None:
            if self._closed:
                raise UserError("quotes are no longer looked for")  # in the thread, so that it ends
            loop.call_soon_threadsafe(self._tell, Indexing(fraction, "reading"))

        return await asyncio.to_thread(self._searched.open, read)

    async def _open(self, corpus: Corpus) -> None:
        """Open the index where there is one by now."""
        if self._index is None:
            self._index = await asyncio.to_thread(QuoteIndex.open, corpus, self._searched.length)

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
