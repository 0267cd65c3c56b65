"""The speakers of a corpus of any size: read from it, in bounded memory, and kept in the cache."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from ..catalog import cache_folder
from ..corpus import Corpus
from ..storage.memo import recall, remember
from ..storage.typed_json import SchemaError, from_plain, to_plain
from ..text_files import Progress
from .finding import Speakers, find_speakers, whole_lines

_FORMAT = 1  # version of what is found; part of the key in the cache
_LOOKED_AT = 8_000_000  # characters; of a longer text evenly spaced pieces


def known_speakers(fingerprint: str) -> tuple[Speakers | None] | None:
    """What was found before in the text with that fingerprint, alone in a tuple; None where nobody has looked yet."""
    known = recall(_cache_path(fingerprint))
    if not isinstance(known, dict):
        return None
    try:
        return (from_plain(Speakers, known["found"]) if known["found"] else None,)
    except SchemaError:
        return None


def speakers_of_corpus(corpus: Corpus, progress: Progress | None = None) -> Speakers | None:
    """The speakers of `corpus`, None where nobody speaks in it; from the cache where they were looked for before.

    Of a text of more than eight million characters parts are looked at, and how often each speaks is an estimate.
    `progress` receives the fraction that is read. Raises UserError where a file of it is gone or has changed.
    """
    if known := known_speakers(corpus.fingerprint):
        return known[0]
    every = max(1, -(-corpus.n_characters // _LOOKED_AT))
    found = find_speakers(_looked_at(corpus, every, progress))
    if found and every > 1:
        speakers = tuple(replace(speaker, count=speaker.count * every) for speaker in found.speakers)
        found = replace(found, speakers=speakers)
    remember(_cache_path(corpus.fingerprint), {"found": to_plain(found)})
    return found


def _looked_at(corpus: Corpus, every: int, progress: Progress | None) -> str:
    """The text, or of a long one every so manieth piece, without the lines that are cut at its ends."""
    if every == 1:
        return "".join(corpus.pieces(progress))
    pieces = (piece for number, piece in enumerate(corpus.pieces(progress)) if number % every == 0)
    return "\n".join(map(whole_lines, pieces))


def _cache_path(fingerprint: str) -> Path:
    """A run's fingerprint is what a file says, so it is no name of a file itself."""
    name = hashlib.sha256(f"{_FORMAT} {fingerprint}".encode(errors="surrogatepass")).hexdigest()[:32]
    return cache_folder() / "speakers" / f"{name}.json"
