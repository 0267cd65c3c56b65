"""The verb speakers: who speaks in a text, and how often."""

from __future__ import annotations

import argparse

from ...data.corpus import open_corpus
from ...data.speakers.finding import Speakers
from ...data.speakers.reading import speakers_of_corpus
from ...data.storage.typed_json import dumps
from ...data.text_files import Reading
from ...engine.run_about import find_run
from ...engine.runs import list_runs
from ...engine.speakers import speakers_of
from .console import progress, show, table_of
from .exit_codes import DONE, complain


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Who speaks in a play, a dialogue or a chat log, and how often. "
        "With generate --you NAME --answer NAME one speaks with them."
    )
    parser.add_argument(
        "run", nargs="?", metavar="text",
        help="a run, for the text that it learns from, or a corpus: a name, a file, a folder; "
        "the newest run where none is named",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON: also how the text writes a speech")


def run(arguments: argparse.Namespace) -> int:
    """The speakers of a text, the most frequent first."""
    found = _find(arguments.run)
    if arguments.json:
        print(dumps({"speakers": found.speakers if found else [], "form": found.form if found else None}, indent=2))
    elif found is None:
        complain("nobody speaks in this text: its lines do not begin with names, as those of plays and chats do")
    else:
        table = table_of("speaker", "speeches", whole=("speeches",))
        for speaker in found.speakers:
            table.add_texts(speaker.name, f"{speaker.count:,}")
        show(table)
    return DONE


def _find(name: str | None) -> Speakers | None:
    """The speakers in the text of a run, or in a corpus. Raises UserError where there is neither."""
    with progress("reading the text") as update:
        if name is None or any(run.name == name for run in list_runs()):
            return speakers_of(find_run(name), lambda done: update(done, ""))
        corpus = open_corpus(name, reading=Reading(as_text=True), progress=lambda done: update(done / 2, ""))
        return speakers_of_corpus(corpus, lambda done: update((1 + done) / 2, ""))
