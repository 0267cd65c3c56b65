"""The verb quotes: what of a text stands word for word in the text that a run has learned from."""

from __future__ import annotations

import argparse
import os

from ...data.catalog import CATALOG
from ...data.corpus import normalise
from ...data.quotes.index import QuoteIndex
from ...data.quotes.quotes import Quotes
from ...data.storage.errors import UserError
from ...data.storage.printable import visible
from ...data.storage.typed_json import dumps
from ...engine.quotes.finder import build_command
from ...engine.quotes.searched_corpus import SearchedCorpus
from ...engine.run_about import find_run
from ...engine.runs import RunError
from ..text.escapes import unescaped
from .child import run_to_end
from .exit_codes import DONE, FAILED, complain
from .options import ESCAPES
from .texts import add_encoding_option, text_of

_AROUND = 200  # characters of the corpus on each side of the passage, in JSON


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "What of a text is quoted: the longest passage that stands word for word in the text that a run has learned "
        "from, where it stands there, and how much of the text lies in passages of 10, 20 and 50 characters or more. "
        "The first time an index of that text is built."
    )
    parser.add_argument(
        "run", nargs="?", help="a run, whose training text is searched, or a corpus; the newest run where none is named"
    )
    text = parser.add_mutually_exclusive_group()
    text.add_argument("file", nargs="?", help="a text file (default: standard input)")
    text.add_argument("--text", type=unescaped, help=f"the text itself. {ESCAPES}")
    add_encoding_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the longest quoted passage, its place, and the shares."""
    searched = _searched(arguments.run)
    file = None if arguments.file == "-" else arguments.file
    text = arguments.text if arguments.text is not None else text_of(file, arguments.encoding)
    if text is None:
        return complain("there is no text to look at; name a file, give --text, or pipe it in")
    corpus = searched.open()
    index = QuoteIndex.open(corpus, searched.length)
    if index is None:
        code, _ = run_to_end(build_command(searched, background=False), "indexing")
        if code:
            return code
        index = QuoteIndex.open(corpus, searched.length)
    if index is None:
        return complain(f"the index of {corpus.name} was damaged as soon as it was built; try again", FAILED)
    quotes = index.find(text)
    print(dumps(_as_json(text, quotes, index)) if arguments.json else _as_text(text, quotes))
    return DONE


def _searched(name: str | None) -> SearchedCorpus:
    """The training text of the run of that name, of the newest run where there is none; else the corpus."""
    try:
        found = find_run(name)
    except RunError as error:
        spec = "" if name is None else normalise(name)
        if not spec or not (spec in CATALOG or spec.startswith("tales:") or os.path.lexists(spec)):
            raise UserError(f"{error}; and there is no corpus of that name" if name else str(error)) from error
        return SearchedCorpus(spec)
    return SearchedCorpus.of_run(found)


def _as_text(text: str, quotes: Quotes) -> str:
    """The passage on lines of its own, between two lines that say what it is."""
    shares = (
        f"{quotes.share10:.1%} of the text stands in passages of 10 characters or more, {quotes.share20:.1%} in those "
        f"of 20, {quotes.share50:.1%} in those of 50"
    )
    longest = quotes.longest
    if longest is None:
        return f"nothing is quoted\n{shares}"
    place, length = longest.place, len(longest)
    characters = f"{length:,} character" + "s" * (length > 1)
    where = f"{visible(place.file)}, line {place.line:,}, column {place.column:,}"
    return f"longest quote {characters}, from {where}:\n{text[longest.start : longest.end]}\n{shares}"


def _as_json(text: str, quotes: Quotes, index: QuoteIndex) -> dict[str, object]:
    """Positions count code points, lines and columns from 1; `before` and `after` are what surrounds the passage."""
    longest, found = quotes.longest, None
    if longest is not None:
        before, passage, after = index.surroundings(longest, _AROUND, _AROUND)
        place = longest.place
        found = {
            "text": passage, "characters": len(longest), "start": longest.start, "end": longest.end, "file": place.file,
            "line": place.line, "column": place.column, "offset": place.offset, "before": before, "after": after,
        }  # fmt: skip
    return {
        "text": text, "longest": found, "share10": quotes.share10, "share20": quotes.share20, "share50": quotes.share50
    }  # fmt: skip
