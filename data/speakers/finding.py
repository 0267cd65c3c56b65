"""The speakers of a text: which lines name them, how often each speaks, and the form of a speech there.

A text without speakers has none: a kind of opening counts only where it makes out a good part of the lines, where names
come back, and where what follows is no value, no quotation and no heading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from . import look_alikes, names
from .form import LONGEST_PART, MOST_NAMES, SpeechForm
from .look_alikes import is_apart
from .openings import MARKS, OPENINGS, Opening, OpeningKind

_FEWEST = 4  # openings, of two names that come back
_SHARE_OF_RETURNING = 0.6  # of the openings, that have a name which comes back
_SHARE_OF_SPEECHES = 0.7  # of what begins so, that are neither labels nor quotations
_SHARE_OF_CASE = 0.98  # of the openings, whose names have the case that a new name must have
_SHARE_OF_OTHERS = 0.005  # of the openings, from which on what stands before them is no mistake
_SHARE_APART = 0.8  # of the openings, which stand behind a blank line where that ends a speech
_SHARE_OF_LONG = 0.02  # of the speeches, that have several lines where a line is a speech
_MOST_OTHERS = 8
_SPEECHES_LOOKED_AT = 5000
_LONG_CAST = 12_000  # characters
_PROBE = 1 << 20  # characters, in eight places, which say of a long text what kinds of openings it may have

_CAST = re.compile(
    r"^[ \t_*]{0,40}(?:dramatis person(?:ae|æ|a)|persons represented|(?:the )?persons (?:of|in) the (?:play|drama)|"
    r"(?:the )?characters|cast(?: of characters)?|personen|personnages|personaggi|personajes|"
    r"действующие лица)(?: represented| of the play)?[.:_*]{0,3}[ \t]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)
_FIRST_HEADING = re.compile(
    r"^[ \t_*]{0,40}(?:act|actus|scene|prologue|induction|akt|aufzug|acte|atto|acto|jornada|действие|явление)\b.*$",
    re.IGNORECASE | re.MULTILINE,
)
_RUN_OF_DIGITS = re.compile(r"\d+")
_RUN_OF_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Speaker:
    """Somebody who speaks in a text, and how often; an estimate where only parts of the text were read."""

    name: str
    count: int


@dataclass(frozen=True)
class Speakers:
    """The speakers of a text, the most frequent first, and the form of their speeches."""

    form: SpeechForm
    speakers: tuple[Speaker, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, that of whoever speaks most first."""
        return tuple(speaker.name for speaker in self.speakers)

    def spelled(self, typed: str) -> str | None:
        """The name that `typed` means, whatever its case; None where nobody has it."""
        wanted = " ".join(typed.split()).casefold()
        return next((name for name in self.names if name.casefold() == wanted), None)

    def completions(self, typed: str) -> tuple[str, ...]:
        """The names of which a word begins so, whatever its case; those of which the first does stand first."""
        wanted = " ".join(typed.split()).casefold()
        meant = [name for name in self.names if f" {wanted}" in f" {name.casefold()}"]
        return tuple(sorted(meant, key=lambda name: not name.casefold().startswith(wanted)))


def find_speakers(text: str) -> Speakers | None:
    """The speakers of `text`; None where it is no play, no dialogue and no chat."""
    text = _without_casts(text)
    best: tuple[OpeningKind, list[Opening]] | None = None
    for kind in _likely(text):
        openings = _accepted(kind, text)
        if openings and (best is None or len(openings) > (4 if best[0].sure else 1) * len(best[1])):
            best = kind, openings
    if best is None:
        return None
    kind, openings = best
    counts = Counter(opening.name for opening in openings)
    form = _form(kind, text, openings)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    known = tuple(name for name, _ in ordered[:MOST_NAMES])
    return Speakers(replace(form, names=known), tuple(Speaker(*item) for item in ordered))


def _likely(text: str) -> Sequence[OpeningKind]:
    """The kinds of openings that a long text has in one of eight places; of a short one all there are."""
    if len(text) <= 2 * _PROBE:
        return OPENINGS
    places = range(0, len(text) - _PROBE // 8, len(text) // 8)
    probes = [whole_lines(text[at : at + _PROBE // 8]) for at in places]
    return [kind for kind in OPENINGS if any(_accepted(kind, probe) for probe in probes)]


def _accepted(kind: OpeningKind, text: str) -> list[Opening]:
    """The openings of that kind; none where they are too few, or something else."""
    n_lines = max(1, 1 + text.count("\n") - text.count("\n\n"))
    fewest = max(_FEWEST, kind.share * n_lines)
    found, others = list[Opening](), 0
    for opening in kind.find(text):
        if look_alikes.is_no_speech(kind, text, opening):
            others += 1
        elif look_alikes.may_speak(kind, opening):
            found.append(opening)
    if len(found) < max(fewest, _SHARE_OF_SPEECHES * (len(found) + others)):
        return []
    if not kind.sure:
        found = look_alikes.in_their_place(kind, text, found)
    counts = Counter(opening.name for opening in found)
    returning = [count for count in counts.values() if count > 1]
    if len(found) < fewest or len(returning) < 2 or sum(returning) < _SHARE_OF_RETURNING * len(found):
        return []
    return [] if not kind.sure and look_alikes.are_records(kind, text, found) else found


def _form(kind: OpeningKind, text: str, openings: Sequence[Opening]) -> SpeechForm:
    """The form that most of the openings have."""
    (before, _), *more = _by_shape(opening.before for opening in openings)
    others = [example[:LONGEST_PART] for example, count in more if count > _SHARE_OF_OTHERS * len(openings)]
    after = _by_shape(opening.after for opening in openings)[0][0]
    if after.endswith("\n"):
        after = after.rstrip() + "\n"
    form = SpeechForm(
        before[:LONGEST_PART], after[:LONGEST_PART], case=_case(openings), others=tuple(others[:_MOST_OTHERS])
    )
    if kind.kind.startswith("mark"):
        return replace(form, end="mark", between=_between_marks(text, openings))
    spans = [text[one.end : other.start] for one, other in pairwise(openings[:_SPEECHES_LOOKED_AT])]
    return _with_ends(form, kind, spans, sum(is_apart(text, opening) for opening in openings) / len(openings))


def _with_ends(form: SpeechForm, kind: OpeningKind, spans: Sequence[str], share_apart: float) -> SpeechForm:
    """The form with what ends a speech, as `spans`, the texts from one opening to the next, show it."""
    bodies = [span.strip("\n") for span in spans if span.strip()]
    lines = (line for body in bodies for line in body.split("\n")[0 if form.below else 1 :] if line.strip())
    indents = Counter(line[: len(line) - len(line.lstrip())] for line in lines).most_common(1)
    indent = indents[0][0][:LONGEST_PART] if indents else ""
    if share_apart >= _SHARE_APART and not kind.sure:
        return replace(form, between="\n\n", end="paragraph", indent=indent)
    between = "\n\n" if sum(span.endswith("\n\n") for span in spans) > 0.5 * len(spans) else "\n"
    single = not form.below and sum("\n" in body for body in bodies) <= _SHARE_OF_LONG * len(bodies)
    if kind.kind.endswith("name in brackets") or (single and not kind.sure):
        return replace(form, between=between, end="line")
    return replace(form, between=between, indent=indent)


def _case(openings: Sequence[Opening]) -> names.NameCase:
    for case in ("upper", "title"):
        if sum(names.has_case(opening.name, case) for opening in openings) >= _SHARE_OF_CASE * len(openings):
            return case
    return "any"


def _between_marks(text: str, openings: Sequence[Opening]) -> str:
    """The mark at the end of a speech with the blanks behind it; where there is none, the next opening ends it."""
    ends = Counter[str]()
    for one, other in pairwise(openings[:_SPEECHES_LOOKED_AT]):
        span = text[one.end : other.start]
        at = span.rfind("<|")
        ends[span[at:] if at >= 0 else span[len(span.rstrip("\n")) :] or "\n"] += 1
    most = max(ends.values(), default=0)
    likely = [end for end, count in ends.items() if count >= 0.9 * most]
    return min(likely, key=len, default="\n")[:LONGEST_PART]


def _by_shape(examples: Iterable[str]) -> list[tuple[str, int]]:
    """The latest example of each shape with how many have it, the most frequent first; numbers and words are alike."""
    counts, latest = Counter[str](), dict[str, str]()
    for example in examples:
        example = example.strip(MARKS)
        shape = _RUN_OF_LETTERS.sub("a", _RUN_OF_DIGITS.sub("0", example))
        counts[shape] += 1
        latest[shape] = example
    return [(latest[shape], count) for shape, count in counts.most_common()]


def whole_lines(text: str) -> str:
    """A piece of a longer text without the parts of lines at its ends; all of it where it has no line break."""
    end = text.rfind("\n")
    return text[text.find("\n") + 1 : end] if end >= 0 else text


def _without_casts(text: str) -> str:
    """`text` without its lists of persons, up to the first heading behind each: there nobody speaks."""
    parts, start = list[str](), 0
    for cast in _CAST.finditer(text):
        if cast.start() < start:
            continue
        heading = _FIRST_HEADING.search(text, cast.end(), cast.end() + _LONG_CAST)
        if heading:
            parts.append(text[start : cast.start()])
            start = heading.start()
    return "".join((*parts, text[start:]))
