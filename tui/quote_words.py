"""What is said of the quotes in a text: on a line below it, and in sentences."""

from __future__ import annotations

from ..data.quotes.quotes import Passage, Quotes
from ..data.quotes.stored_text import Place
from ..data.storage.printable import printable, visible
from ..engine.quotes.finder import Indexing, NotIndexed, QuotesAnswer
from . import keys
from .text import formatting

_LONGEST_NAME = 24  # cells of a file's name on a line
_SHORT = 10  # characters; what is shorter stands everywhere, and nobody asks where


def on_line(answer: QuotesAnswer) -> str:
    """A few words; a name of a file is foreign text, and made safe."""
    match answer:
        case Quotes(longest=None):
            return "nothing is quoted"
        case Quotes(longest=Passage() as longest):
            words = f"longest quote {_characters(len(longest))}"
            if len(longest) < _SHORT:
                return words
            name = printable(longest.place.file.replace("\\", "/").rpartition("/")[2], _LONGEST_NAME)
            shares = [(answer.share10, "10+"), (answer.share20, "20+"), (answer.share50, "50+")]
            quoted = [f"{formatting.percent(share)} of {at_least}" for share, at_least in shares if share]
            quoted[0] = quoted[0].replace(" of ", " in quotes of ")
            return f"{words}, {name} line {longest.place.line:,} · {', '.join(quoted)}"
        case Indexing():
            return f"quotes: {progress(answer)}"
        case NotIndexed():
            return f"quotes: no index yet, {keys.spoken('quotes')} makes one"
        case _:
            return f"no quotes: {keys.spoken('quotes')} says why"


def progress(indexing: Indexing) -> str:
    """How far the index is."""
    if indexing.doing.startswith("waiting"):
        return indexing.doing
    return f"{indexing.doing} the text {formatting.percent(indexing.fraction)}"


def shares(quotes: Quotes) -> str:
    """How much of a text is quoted, as a sentence."""
    return (
        f"{formatting.percent(quotes.share10)} stands in passages of 10 characters or more, "
        f"{formatting.percent(quotes.share20)} in those of 20, {formatting.percent(quotes.share50)} in those of 50."
    )


def where(place: Place) -> str:
    """Which file, which line."""
    return f"{visible(place.file)}, line {place.line:,}"


def size(n_bytes: int) -> str:
    """How long it takes to index a text, and what it takes on the disk, by what was measured."""
    minutes, disk = n_bytes / 1e6 / 60, formatting.memory(5 * n_bytes)
    return f"some {max(1, round(minutes))} minutes, and {disk} on the disk"


def _characters(number: int) -> str:
    return f"{number:,} character" + "s" * (number != 1)
