"""Quotes from the training texts of runs: what the app knows of a text, and when an index is built.

An index is built unasked only where that takes some seconds, and only while nothing trains on this machine: else when a
person asks for it by the key. It is built by a process that runs when a core would be idle, and it stays in the cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from textual.cache import LRUCache

from ..data.storage.errors import EXPECTED
from ..engine import paths
from ..engine.runs import Run, list_runs
from .bridge import Bridge

if TYPE_CHECKING:
    from ..engine.quotes.finder import QuoteFinder, QuotesAnswer
    from ..engine.quotes.searched_corpus import SearchedCorpus

LONGEST = 50_000  # characters of a text that are looked at: half a second, in which the screen would hardly be painted
QUICKLY_INDEXED = 30_000_000  # bytes of a text that is indexed unasked: half a minute, and 150 MB on disk
LOOK_SECONDS = 5.0  # between two looks whether nothing trains any more

Build = Literal["never", "when idle", "now"]


class Quotable(NamedTuple):
    """A text that may quote what a model has learned from."""

    text: str
    model: str  # the path of the run folder, or of the model on disk
    what: str  # a person calls it


class TrainingTexts:
    """Looks for quotes in the training texts of models that are runs, or checkpoints of runs."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._texts: dict[str, SearchedCorpus] = {}  # by the paths of the models
        self._finders: dict[SearchedCorpus, QuoteFinder] = {}
        self._failed: set[SearchedCorpus] = set()
        self._answers: LRUCache[tuple[str, str], QuotesAnswer] = LRUCache(500)  # by model and text
        self._tasks: set[asyncio.Task[None]] = set()

    def known(self, text: str, model: str) -> QuotesAnswer | None:
        """What was found of a text that was looked for; None where it was not."""
        return self._answers.get((model, text))

    def finder(self, model: str) -> QuoteFinder | None:
        """Who has looked for quotes in what this model has learned from; None where that is not known."""
        searched = self._text_of(model)
        return None if searched is None else self._finders.get(searched)

    def is_run(self, model: str) -> bool:
        """Whether it is known what this model has learned from."""
        return self._text_of(model) is not None

    def look(
        self,
        text: str,
        model: str,
        listener: Callable[[QuotesAnswer], None],
        *,
        build: Build = "never",
        anew: bool = False,
    ) -> asyncio.Task[None]:
        """Tell `listener` what of a text is quoted, as QuoteFinder does; nothing where the model is not from a run.

        Where there is no index yet, that is told at once; with "when idle" one is built when nothing trains any more,
        if that does not take long, and the listener hears of it then. Where no quotes could be found in a training
        text, that is tried again only with `anew`: it may be there by now.
        """
        if anew:
            self._forget_failure(model)
        task = asyncio.create_task(self._look(text, model, listener, build), name="quotes")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Look for nothing more, and end the processes that build."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*(finder.close() for finder in self._finders.values()))

    async def _look(self, text: str, model: str, listener: Callable[[QuotesAnswer], None], build: Build) -> None:
        from ..engine.quotes.finder import Indexing, NotIndexed, QuotesFailed

        def take(answer: QuotesAnswer) -> None:
            if not isinstance(answer, Indexing):
                self._answers[model, text] = answer
            listener(answer)

        searched = self._text_of(model)
        if searched is None:
            return
        if len(text) > LONGEST:
            take(QuotesFailed(f"Quotes are looked for in at most {LONGEST:,} characters; mark a part of the text."))
            return
        if build != "now" and not searched.is_at_hand:
            take(NotIndexed(0))
            return
        finder = self._finder_for(searched)
        await finder.find(text, take, build=build == "now")
        answer = self.known(text, model)
        if isinstance(answer, QuotesFailed):
            self._failed.add(searched)
        elif build == "when idle" and isinstance(answer, NotIndexed) and answer.n_bytes <= QUICKLY_INDEXED:
            while await asyncio.to_thread(_something_trains):
                await asyncio.sleep(LOOK_SECONDS)
            await finder.find(text, take)

    def _finder_for(self, searched: SearchedCorpus) -> QuoteFinder:
        from ..engine.quotes.finder import QuoteFinder

        if searched not in self._finders:
            self._finders[searched] = QuoteFinder(searched)
        return self._finders[searched]

    def _forget_failure(self, model: str) -> None:
        """Let another finder look in the text of a model where one has failed, and read again where the text lies."""
        if (searched := self._texts.pop(model, None)) in self._failed:
            self._failed.discard(searched)
            del self._finders[searched]

    def _text_of(self, model: str) -> SearchedCorpus | None:
        """What a model has learned from: a run on screen or among all runs, or one of their checkpoints.

        A session that was imported may name any path, and not each is to be looked into.
        """
        if model in self._texts:
            return self._texts[model]
        path = Path(model)
        run = next((run for run in (Run(path), Run(path.parent.parent)) if self._is_known(run)), None)
        if run is None:
            return None
        from ..engine.quotes.searched_corpus import SearchedCorpus

        try:
            self._texts[model] = SearchedCorpus.of_run(run)
        except EXPECTED:
            return None
        return self._texts[model]

    def _is_known(self, run: Run) -> bool:
        return run == self._bridge.run or run.path.parent == paths.runs_dir()


def _something_trains() -> bool:
    return any(run.seems_alive() for run in list_runs())
