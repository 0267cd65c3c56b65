r"""How a text writes a speech: what stands before and after the speaker's name, and where the speech ends.

ROMEO:\nBut soft!\n\n            after ":\n", between "\n\n"
[01/03/24, 1:00 PM] Bo: ok\n     before "[01/03/24, 1:00 PM] ", after ": ", between "\n"
<|bo|>hello<|end|>               before "<|", after "|>", between "<|end|>"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

NameCase = Literal["upper", "title", "any"]

MOST_NAMES = 1000  # that a form knows
LONGEST_NAME = 60  # characters
LONGEST_PART = 100  # characters of what stands before or after a name, or between two speeches

_LINE_BREAKS = re.compile(r"\s*\n\s*")
_BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Speech:
    """What one speaker says, without its frame."""

    name: str
    text: str


@dataclass(frozen=True)
class SpeechForm:
    """The frame of a speech, as plain data. Digits and words of a time stamp are an example: others fit as well.

    A speech ends with its `line`, its `paragraph`, before the next `opening`, or at a `mark` such as <|end|>; whatever
    of them is said, it ends before the next opening too. Raises ValueError for parts that are too long.
    """

    before: str = ""  # the name: an indent, "<", or a time stamp
    after: str = ": "  # the name; with \n at its end the speech stands below
    between: str = "\n"  # from the end of a speech to what stands before the next name
    end: Literal["line", "paragraph", "opening", "mark"] = "opening"
    indent: str = ""  # of the lines of a speech that do not begin with a name
    case: NameCase = "any"  # of a name that is not among `names`
    names: tuple[str, ...] = ()  # the speakers that are known
    others: tuple[str, ...] = ()  # other things that stand before names in the same text

    def __post_init__(self) -> None:
        if any(len(part) > LONGEST_PART for part in (self.before, self.after, self.between, self.indent, *self.others)):
            raise ValueError(f"what frames a name can have at most {LONGEST_PART} characters")
        if len(self.names) > MOST_NAMES or len(self.others) > MOST_NAMES:
            raise ValueError(f"a form can know at most {MOST_NAMES:,} names")
        if any(not 0 < len(name) <= LONGEST_NAME for name in self.names):
            raise ValueError(f"a name must have 1 to {LONGEST_NAME} characters")
        if not self.after:
            raise ValueError("a form needs something after the name")

    @property
    def below(self) -> bool:
        """Whether a speech begins on the line below the name."""
        return self.after.endswith("\n")

    def opening(self, name: str) -> str:
        """What stands before the first word of a speech."""
        return f"{self.before}{' '.join(name.split())}{self.after}"

    def speech(self, speech: Speech) -> str:
        """A whole speech, without what stands between it and the next. It keeps no line break that would end it."""
        text = speech.text.strip("\n")
        if self.end == "line":
            text = _LINE_BREAKS.sub(" ", text)
        elif self.end == "paragraph":
            text = _BLANK_LINES.sub("\n", text)
        return self.opening(speech.name) + self.indent * self.below + text.replace("\n", "\n" + self.indent)

    def frame(self, speeches: Sequence[Speech], answering: str) -> str:
        """The prompt to which `answering` replies: the speeches so far, one's own the last, and the reply's opening.

        A blank at its end is left to the reply, because in most tokenizers it belongs to the first word.
        """
        said = "".join(self.speech(speech) + self.between for speech in speeches)
        return said + self.opening(answering).rstrip(" ")
