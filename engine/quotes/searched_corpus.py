"""The text in which quotes are looked for: that which a run learns from, or a whole corpus. Light."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.catalog import CATALOG, downloaded_path
from ...data.corpus import Corpus, open_corpus, split_position
from ...data.storage.errors import UserError
from ...data.text_files import DEFAULT_READING, Progress, Reading
from ..runs import Run


@dataclass(frozen=True)
class SearchedCorpus:
    """A corpus as `open_corpus` takes it; of a run's the first `length` characters, without the validation text."""

    spec: str
    reading: Reading = DEFAULT_READING
    fingerprint: str | None = None  # that it must have
    length: int | None = None

    @classmethod
    def of_run(cls, run: Run) -> SearchedCorpus:
        """The training text of the run. Raises RunError where its manifest cannot be read."""
        record = run.manifest().corpus
        length = split_position(record.n_characters, record.validation_fraction)
        return cls(record.spec, record.reading, record.fingerprint, length)

    @property
    def is_at_hand(self) -> bool:
        """Whether nothing has to be downloaded for it."""
        entry = CATALOG.get(self.spec)
        return entry is None or entry.url is None or downloaded_path(entry.name).exists()

    def open(self, progress: Progress | None = None) -> Corpus:
        """Open the corpus. Raises UserError where that cannot be, or where it is another text than the run's."""
        corpus = open_corpus(self.spec, reading=self.reading, progress=progress)
        if self.fingerprint not in (None, corpus.fingerprint):
            raise UserError(
                f"the text {self.spec} has changed since the run was made, so what its model quotes cannot be found; "
                "put the old text back, or name another text"
            )
        return corpus
