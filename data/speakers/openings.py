"""How speeches begin in the texts that there are: patterns of a line that names who speaks.

Each has the groups `before`, `name` and `after`; the speech follows. They are ours alone and every repetition in them
is bounded, so none takes long on any line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "stamp, name, colon", "stamp, name in brackets", "stamp, name, speech below", "name, stamp, speech below",
    "name, stamp, colon", "mark", "mark of a turn", "name in brackets", "colon, speech below", "colon",
    "period, speech below", "period", "tab", "name alone",
]  # fmt: skip

MARKS = "\u200e\u200f\ufeff"
"""Invisible characters of text direction and byte order, which some exports write before a time stamp."""

_B = "[ \t\u00a0\u202f]"
_MARKS = f"[{MARKS}]{{0,3}}"
_WORD = r"[^\W\d_]{3,10}\.?"
_DATE = (
    rf"(?:\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}\.?|\d{{1,2}}\.?[ -]{_WORD}[ -]\d{{2,4}}|{_WORD} \d{{1,2}},? \d{{4}}"
    rf"|{_WORD}(?= at )|\d{{1,2}}[./]\d{{1,2}}\.?)"
)
_TIME = rf"\d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}}(?:[.,]\d{{1,6}})?)?(?:Z|{_B}?[AaPp]\.?{_B}?[Mm]\.?)?(?:{_B}?UTC)?"
_STAMP = rf"(?:(?:{_DATE}(?:,?{_B}(?:at{_B}|um{_B}|à{_B})?|T|,))?{_TIME}|{_TIME},{_B}{_DATE})"
_DAY = rf"(?:{_WORD}{_B}{{1,2}}\d{{1,2}}{_B})?"  # of a log that leaves out the year
_BOXED = rf"(?:\[{_STAMP}\]|\({_STAMP}\))"

_QUALITY = r"[@+%&~ ]?"  # of an IRC nick: operator, voice
_ASIDE = r"(?: ?[(\[][^)\]\n]{1,80}[)\]])?"
_ANYBODY = r"(?P<name>[^\s:<>\[\]-][^\n\t:<>\[\]]{0,58}?)"
_TITLED = r"(?:(?:M[rR][sS]?|D[rR]|S[tT]|MME|MLLE|REV)\. )?"
_ORDINAL = "(?:[1-9](?:st|nd|rd|th|ST|ND|RD|TH)? )?"
_NAME = rf"(?P<name>{_ORDINAL}{_TITLED}[^\W\d_](?:[\w '’.,&#-]{{0,46}}[\w.’])?)"
_NAME_BEFORE_PERIOD = rf"(?P<name>{_ORDINAL}{_TITLED}[^\W\d_][\w '’&-]{{0,46}}?)"
_ORNAMENT = r"(?P<before>[ \t]{0,40}(?:#{2,4} |>{1,2} |\*\*|__|[-–—•] |\[|[_*])?)"
_COLON = r"[ \u00a0\u202f]?\]?(?:\*\*|__|[_*])?[:：](?:\*\*|__|[_*])?"
_PERIOD = r"(?:_?\._?(?: ?[-–—]{1,2})?| ?—| --)"
_SPEECH_BELOW = r"[ \t]*\n(?=[ \t]*[^\s])"


@dataclass(frozen=True)
class Opening:
    """The opening of one speech: where it begins, its parts, and where the speech begins."""

    start: int
    before: str
    name: str
    after: str
    end: int


@dataclass(frozen=True)
class OpeningKind:
    """A kind of opening: which share of the lines that are not blank must be openings at least, and its pattern."""

    kind: Kind
    share: float
    pattern: re.Pattern[str]

    @property
    def sure(self) -> bool:
        """Whether nothing but a speech begins so: with a time stamp or a mark."""
        return "stamp" in self.kind or "mark" in self.kind

    def find(self, text: str) -> Iterator[Opening]:
        """All that has the form of such an opening, from the beginning of the text."""
        for match in self.pattern.finditer(text):
            if name := match["name"].strip(" \t\u00a0\u202f~" + MARKS):
                yield Opening(match.start(), match["before"], name, match["after"], match.end())


def _kind(kind: Kind, share: float, pattern: str) -> OpeningKind:
    return OpeningKind(kind, share, re.compile("^" + pattern, re.MULTILINE))


OPENINGS = (
    _kind(
        "stamp, name in brackets", 0.1,
        rf"(?P<before>{_MARKS}(?:{_BOXED}|{_DAY}{_STAMP}(?:{_B}[-–—])?){_B}{{0,4}}<{_QUALITY})(?P<name>[^\s<>]{{1,40}})"
        rf"(?P<after>>{_B}{{1,4}})",
    ),
    _kind(
        "stamp, name, colon", 0.1,
        rf"(?P<before>{_MARKS}(?:{_BOXED}{_B}{{0,4}}|{_STAMP}{_B}{{1,2}}[-–—]{_B}|{_STAMP}(?:{_B}|\t)){_MARKS}){_ANYBODY}"
        rf"(?P<after>:{_B}|:(?=\n)|\t)",
    ),
    _kind(
        "stamp, name, speech below", 0.05,
        rf"(?P<before>{_MARKS}{_BOXED}{_B}){_ANYBODY}(?P<after>:?{_SPEECH_BELOW})",
    ),
    _kind(
        "name, stamp, speech below", 0.05,
        rf"(?P<before>){_ANYBODY}(?P<after>,?(?:{_B}[-–—•])?{_B}{{1,2}}(?:{_BOXED}|{_STAMP}):?{_SPEECH_BELOW})",
    ),
    _kind("name, stamp, colon", 0.1, rf"(?P<before>){_ANYBODY}(?P<after>{_B}{{1,2}}{_BOXED}:{_B}{{1,4}})(?=\S)"),
    OpeningKind("mark of a turn", 0, re.compile(r"(?P<before><\|im_start\|>)(?P<name>[\w -]{1,40})(?P<after>\n)")),
    OpeningKind("mark", 0, re.compile(r"(?P<before><\|)(?P<name>[^|<>\n]{1,40})(?P<after>\|>\n?)(?!\s*(?:<\||\Z))")),
    _kind(
        "name in brackets", 0.1,
        rf"(?P<before><{_QUALITY})(?P<name>[^\s<>|/=\"]{{1,40}})(?P<after>>{_B}{{1,4}})(?=\S)",
    ),
    _kind("colon, speech below", 0.02, rf"{_ORNAMENT}{_NAME}{_ASIDE}(?P<after>{_COLON}{_ASIDE}[ \t]*\n)"),
    _kind("colon", 0.04, rf"{_ORNAMENT}{_NAME}{_ASIDE}(?P<after>{_COLON}(?:{_B}{{1,4}}|(?<=：)))(?=\S)"),
    _kind(
        "period, speech below", 0.03,
        rf"(?P<before>[ \t]{{0,40}}_?){_NAME_BEFORE_PERIOD}{_ASIDE}(?P<after>{_PERIOD}{_ASIDE}{_SPEECH_BELOW})",
    ),
    _kind(
        "period", 0.05,
        rf"(?P<before>[ \t]{{0,8}}_?){_NAME_BEFORE_PERIOD}{_ASIDE}(?P<after>{_PERIOD}{_B}{{1,4}})(?=\S)",
    ),
    _kind("tab", 0.05, rf"(?P<before>){_NAME}(?P<after>\t{{1,3}}| {{2,8}})(?=\S)"),
    _kind("name alone", 0.05, rf"(?P<before>[ \t]{{0,40}}){_NAME}{_ASIDE}(?P<after>{_SPEECH_BELOW})"),
)  # fmt: skip
"""Those that are surer stand first: of two kinds with as many openings the first counts."""
