"""Keystrokes that follow each other at one place: one change of the text, and one step of undo."""

from __future__ import annotations

from dataclasses import dataclass

_PAUSE = 1.0  # seconds after which a keystroke begins another change
_MOST_AT_ONCE = 16  # characters; more of them are no keystroke but a paste, a change of its own


@dataclass(frozen=True)
class TypedEdit:
    """Characters `start` to `end` of the text before were replaced by `text`, the last of it at time `when`."""

    start: int
    end: int
    text: str
    when: float  # seconds of any clock

    @staticmethod
    def begun(start: int, end: int, text: str, now: float) -> TypedEdit | None:
        """A keystroke; None for what is a change of its own."""
        return TypedEdit(start, end, text, now) if len(text) <= _MOST_AT_ONCE else None

    def continued(self, start: int, end: int, text: str, now: float) -> TypedEdit | None:
        """With another keystroke, which replaces `start` to `end` of the text as it is now; None if it is none."""
        cursor = self.start + len(self.text)
        if now - self.when > _PAUSE or len(text) > _MOST_AT_ONCE:
            return None
        if start == end == cursor:
            return TypedEdit(self.start, self.end, self.text + text, now)
        if end == cursor and not text:  # Backspace
            if start >= self.start:
                return TypedEdit(self.start, self.end, self.text[: start - self.start], now)
            return TypedEdit(start, self.end, "", now)
        if start == cursor and not text:  # Delete
            return TypedEdit(self.start, self.end + end - start, self.text, now)
        return None
