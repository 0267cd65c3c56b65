"""Where a speech ends while it is written: whatever the pieces are in which it comes, the answer is the same."""

from __future__ import annotations

import re
from functools import cached_property

from . import names
from .form import LONGEST_NAME, SpeechForm

_BLANKS = "[ \t\u00a0\u202f]"
_MARKS = "[\u200e\u200f\ufeff]*"  # of text direction and byte order, which some exports write before a time stamp
_ASIDE = (" ?", r"[(\[]", r"[^)\]\n]{0,80}", r"[)\]]")  # behind a name: to whom, or how it is said
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_VOID = re.compile(r"\n\s{1000}")  # a model that writes nothing else any more
_MARK = re.compile(r"<\|[^|<>\n]{1,60}\|>")
_MARK_BEGUN = re.compile(r"<(?:\|(?:[^|<>\n]{1,60}\|?)?)?\Z")
_RUN = re.compile(r"\d+|[^\W\d_]+|[ \t\u00a0\u202f]+|.", re.DOTALL)


class SpeechEnd:
    """Finds the end of a speech that a model writes in the given form.

    It ends before the next speaker's line, whoever speaks there, and with its line, paragraph or mark where the form
    says so. `find` and `begun` are told of the text what may still matter: `reach` characters before what is new are
    enough. The patterns are made of the form's parts, each of a bounded length.
    """

    reach = 4 * LONGEST_NAME

    def __init__(self, form: SpeechForm) -> None:
        self._form = form
        self._stamps = [before for before in (form.before, *form.others) if any(map(str.isdigit, before))]
        self._known = set(form.names)
        # of somebody unknown; within a paragraph many a line ends with a colon
        self._case_of_new: names.NameCase = "upper" if form.end == "paragraph" else form.case
        self._beginnings = {name[:length] for name in form.names for length in range(len(name) + 1)}

    def find(self, text: str, since: int, begins_line: bool = False) -> tuple[int, int] | None:
        """The first end that is complete behind the position `since`: where it is, and where the speech ends before it.

        None where there is none yet. `begins_line` says whether a new line begins at the start of `text`.
        """
        found = [self._find_opening(text, since, begins_line), _first_match(_VOID, text, 0, since)]
        if self._form.end == "line" and (at := text.find("\n", since)) >= 0:
            found.append((at + 1, at))
        if self._form.end == "paragraph":
            line = text.rfind("\n", 0, since) + 1
            found.append(_first_match(_PARAGRAPH, text, len(text[:line].rstrip(" \t\n")), since))
        if self._form.end == "mark":
            found.append(_first_match(_MARK, text, max(0, since - self.reach), since))
        end = min(filter(None, found), default=None)
        return None if end is None else (end[0], self.without_breaks(text[: end[1]]))

    def without_breaks(self, text: str) -> int:
        """The length of `text` without the line breaks at its end: what stands between speeches is in none of them."""
        at = text.find("\n", len(text.rstrip()))
        return len(text) if at < 0 else at

    def begun(self, text: str, begins_line: bool = False) -> int:
        """How many characters at the end of `text` may be the beginning of an end, or the line breaks before one."""
        at, end = text.rfind("\n") + 1, len(text)
        blank = at > 0 and not text[at:].strip(" \t\u200e\u200f\ufeff")
        if blank or ((at or begins_line) and self._may_open(text[at:])):
            end = self.without_breaks(text[:at])
        if self._form.end == "mark" and (mark := _MARK_BEGUN.search(text, max(0, len(text) - self.reach))):
            end = min(end, self.without_breaks(text[: mark.start()]))
        return len(text) - end

    def _find_opening(self, text: str, since: int, begins_line: bool) -> tuple[int, int] | None:
        at = text.rfind("\n", 0, since) + 1
        while True:
            if at or begins_line:
                end = self._opens(text[at : at + self.reach])
                if end is not None and at + end > since:
                    return at + end, max(0, at - 1)
            at = text.find("\n", at) + 1
            if not at:
                return None

    def _opens(self, line: str) -> int | None:
        """The length of the beginning of `line` that shows that somebody else speaks there; None where nobody does."""
        for stamp in self._whole_stamps:
            if found := stamp.match(line):
                return found.end()
        if self._stamps:
            return None
        for found in filter(None, (pattern.match(line) for pattern in self._whole)):
            if found["name"] in self._known:
                return found.end()
            # "half past 10:30" names nobody: behind who was never heard of there must be a blank, where one stands
            blank = int(self._form.after.strip(" ") != "" and self._form.after.endswith(" "))
            if (not blank or line[found.end() :][:1].isspace()) and names.may_be(found["name"], self._case_of_new):
                return found.end() + blank
        return None

    def _may_open(self, line: str) -> bool:
        """Whether the whole `line` may be the beginning of a next speech."""
        if any(pattern.match(line) for pattern in self._begun_stamps):
            return True
        if self._stamps:
            return False
        for found in filter(None, (pattern.match(line) for pattern in self._begun)):
            name = found["name"] or ""
            if name in self._beginnings or names.may_become(name, self._case_of_new):
                return True
        return False

    @cached_property
    def _frames(self) -> list[tuple[list[str], str, list[str]]]:
        """What may stand before a name, the name, and what stands after it, as patterns."""
        after = self._form.after
        delimiter = next((character for character in after if not character.isalnum() and character != " "), "\n")
        name = rf"(?P<name>[^\n{re.escape(delimiter)}]{{1,{LONGEST_NAME}}}?)"
        behind = _shape(after.rstrip(" ") or after)
        return [(_shape(before, indent=True), name, behind) for before in (self._form.before, *self._form.others)]

    @cached_property
    def _whole(self) -> list[re.Pattern[str]]:
        aside = f"(?:{''.join(_ASIDE)})?"
        return [re.compile("".join((*before, name, aside, *after))) for before, name, after in self._frames]

    @cached_property
    def _begun(self) -> list[re.Pattern[str]]:
        asides = ((), _ASIDE)
        return [_beginning([*before, name, *aside, *after]) for before, name, after in self._frames for aside in asides]

    @cached_property
    def _whole_stamps(self) -> list[re.Pattern[str]]:
        return [re.compile(_MARKS + "".join(_shape(stamp.rstrip(" <")))) for stamp in self._stamps]

    @cached_property
    def _begun_stamps(self) -> list[re.Pattern[str]]:
        return [_beginning([_MARKS, *_shape(stamp.rstrip(" <"))]) for stamp in self._stamps]


def _shape(example: str, indent: bool = False) -> list[str]:
    """Patterns of what looks as the example does: other numbers, other words, as many blanks as there are."""
    if indent and not example.strip():
        return [f"{_BLANKS}{{0,40}}"]
    parts: list[str] = []
    for run in _RUN.findall(example):
        if run.isdigit():
            parts.append(r"\d{1,6}")
        elif run[0].isalpha():
            parts.append(r"[^\W\d_]{1,20}")
        elif run == "\n":
            parts += f"{_BLANKS}{{0,40}}", "\n"
        else:
            parts.append(f"{_BLANKS}{{1,40}}" if run.isspace() else re.escape(run))
    return parts


def _beginning(parts: list[str]) -> re.Pattern[str]:
    """A pattern that matches what is a beginning of a text of those parts, up to the end."""
    pattern = ""
    for part in reversed(parts):
        pattern = f"(?:{part}{pattern})?"
    return re.compile(pattern + r"\Z")


def _first_match(pattern: re.Pattern[str], text: str, start: int, since: int) -> tuple[int, int] | None:
    """Where the first match ends that ends behind `since`, and where it begins."""
    return next(((m.end(), m.start()) for m in pattern.finditer(text, start) if m.end() > since), None)
