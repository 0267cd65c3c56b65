"""What looks like the opening of a speech and is none: headings, notes, keys of records, tables, code, quotations."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

from . import names
from .openings import Opening, OpeningKind

_SHARE_APART = 0.8  # of openings behind a blank line, from which on all others are taken for something else
_SHARE_IN_RECORDS = 0.9  # of keys, that are followed by one and the same other key
_SHARE_IN_CHATS = 0.6  # of lines that begin with names, where names are small words like others
_MANY = 50  # openings; in a text of so many a name that never returns is likely none

_QUOTATION = tuple('"“„«「『‘')
_CODE_ENDS = tuple("{}\\")
_SENTENCE_ENDS = tuple(".!?…,;:-—。！？)]'’")
_IDENTIFIER = re.compile("[a-z][A-Z]|_|[.][^ ]")
_INDENTED_KEY = re.compile(r"^[ \t-]+[\w-]+:", re.MULTILINE)
_NOBODY = ("endoftext", "startoftext", "eos", "bos", "pad", "sep", "unk", "im_start", "im_end")


def is_no_speech(kind: OpeningKind, text: str, opening: Opening) -> bool:
    """Whether it is a label, or what follows is code, a row of a table, or a quotation: the line tells who says it."""
    if names.is_label(opening.name):
        return True
    line = "" if kind.sure else first_line(text, opening)
    of_code = line.endswith(_CODE_ENDS) or (line.endswith(";") and names.case_of(opening.name) == "any")
    return of_code or line.startswith(_QUOTATION) or (len(line) > 3 and not any(map(str.isalnum, line)))


def may_speak(kind: OpeningKind, opening: Opening) -> bool:
    """Whether a name of that kind has the look of one."""
    name = opening.name
    if kind.kind.startswith("mark"):
        return name.casefold() not in _NOBODY
    if kind.sure or kind.kind == "name in brackets":
        return names.may_become(name, "any")
    if kind.kind == "name alone":
        return names.may_be(name, "upper")
    if (kind.kind.startswith("period") and "." not in opening.after) or opening.after.startswith(
        (" ", "\u00a0", "\u202f")
    ):
        return len(name) > 1 and names.may_be(name, "upper")
    if names.may_be(name, "title"):
        return True
    if kind.kind == "colon, speech below":  # where it never returns it is none
        return name[0] == name[0].upper() and name.count(" ") < 2 and not names.is_heading(name)
    few = name.count(" ") < 2 and not opening.before.strip()
    return kind.kind == "colon" and few and names.may_become(name, "any") and not names.is_heading(name)


def in_their_place(kind: OpeningKind, text: str, openings: Sequence[Opening]) -> list[Opening]:
    """The openings without those that stand elsewhere than nearly all, and without names that never return.

    A line within a speech may look like an opening.
    """
    apart = [opening for opening in openings if is_apart(text, opening)]
    placed = apart if len(apart) >= _SHARE_APART * len(openings) else list(openings)
    counts = Counter(opening.name for opening in placed)
    once = kind.kind == "colon, speech below" or len(placed) < _MANY
    return [opening for opening in placed if counts[opening.name] > 1 or (once and names.may_be(opening.name, "title"))]


def are_records(kind: OpeningKind, text: str, openings: Sequence[Opening]) -> bool:
    """Whether the openings are keys with their values, rows of a table, headings, or beginnings of sentences."""
    if kind.kind == "tab":
        return _are_rows(text, openings)
    if kind.kind == "name alone":
        return _share_apart(text, openings) < _SHARE_APART
    if kind.kind == "period":
        large = all(names.case_of(opening.name) == "upper" for opening in openings[:_MANY])
        return not large and not openings[0].before and _share_apart(text, openings) < _SHARE_APART
    if kind.kind == "name in brackets":
        return any(f"</{opening.name}>" in text for opening in openings[:20])
    if sum(bool(_IDENTIFIER.search(opening.name)) for opening in openings) > 0.5 * len(openings):
        return True
    if kind.kind != "colon":
        return False
    if sum(first_line(text, opening)[:1].isdigit() for opening in openings) > 0.5 * len(openings):
        return True
    return _are_keys_in_turn(text, openings) or _are_keys_of_values(text, openings)


def is_apart(text: str, opening: Opening) -> bool:
    """Whether a blank line, or the beginning of the text, stands before it."""
    before = text[max(0, opening.start - 80) : opening.start]
    return opening.start == 0 or before.replace(" ", "").replace("\t", "").endswith("\n\n")


def first_line(text: str, opening: Opening) -> str:
    """The first line of what follows an opening, as far as it matters."""
    return text[opening.end : opening.end + 2000].partition("\n")[0].strip()


def _share_apart(text: str, openings: Sequence[Opening]) -> float:
    return sum(is_apart(text, opening) for opening in openings) / len(openings)


def _are_rows(text: str, openings: Sequence[Opening]) -> bool:
    """Whether the line behind most is no further line of a speech, and no blank one."""
    if "\t" not in openings[0].after:
        return _share_apart(text, openings) < _SHARE_APART
    ends = [end for opening in openings if (end := text.find("\n", opening.end)) >= 0]
    return sum(text[end + 1 : end + 2] not in ("\t", " ", "\n", "") for end in ends) > 0.5 * len(ends)


def _are_keys_in_turn(text: str, openings: Sequence[Opening]) -> bool:
    """Whether more than two names follow each other in one order, and what they have is not a sentence."""
    followers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one, other in pairwise(openings):
        followers[one.name][other.name] += 1
    surest = sum(max(counts.values()) for counts in followers.values())
    sentences = sum(first_line(text, opening).endswith(_SENTENCE_ENDS) for opening in openings)
    in_turn = len(followers) > 2 and surest > _SHARE_IN_RECORDS * (len(openings) - 1)
    return in_turn and sentences < 0.5 * len(openings)


def _are_keys_of_values(text: str, openings: Sequence[Opening]) -> bool:
    """Whether most are small words before one word alone, or there are keys within keys."""
    if sum(names.case_of(opening.name) == "any" for opening in openings) <= 0.5 * len(openings):
        return False
    spoken = sum(" " in first_line(text, opening) for opening in openings)
    several = any(" " in opening.name and names.case_of(opening.name) == "any" for opening in openings)
    if several and len(openings) < _SHARE_IN_CHATS * (1 + text.count("\n")):
        return True
    return spoken < 0.3 * len(openings) or len(_INDENTED_KEY.findall(text)) > 0.2 * len(openings)
