"""What a model will learn from a text, in lines with labels."""

from __future__ import annotations

from ...data.corpus import Corpus
from ...data.text_preview import TextPreview
from . import formatting

_MOST_SPEAKERS = 4  # that are named


def facts_of(corpus: Corpus, preview: TextPreview | None) -> list[tuple[str, str]]:
    """Size, characters, lines, duplicates, speakers; what only a part was looked at for is said to be so."""
    files = f" in {corpus.n_files:,} files" if corpus.n_files > 1 else ""
    encodings = f", {', '.join(map(formatting.one_line, preview.encodings))}" if preview and preview.encodings else ""
    facts = [
        ("size", f"{formatting.memory(corpus.n_bytes)}{files}{encodings}"),
        ("characters", f"{corpus.n_characters:,}, {len(corpus.alphabet):,} of them distinct"),
    ]
    if preview is None:
        return facts
    part = "" if preview.complete else f" in the first {formatting.compact(preview.n_characters)} characters"
    facts.append(("lines", f"{preview.n_lines:,}{part}"))
    if preview.n_written:
        share = preview.repeated
        repeated = "none" if not share else "under 1%" if share < 0.01 else f"{int(100 * share)}%"
        facts.append(("repeated", f"{repeated} of the lines{part and ' there'}"))
    if found := preview.speakers:
        names = ", ".join(map(formatting.one_line, found.names[:_MOST_SPEAKERS]))
        more = " …" if len(found.names) > _MOST_SPEAKERS else ""
        facts.append(("speakers", f"{len(found.names):,}: {names}{more}"))
    return facts
