"""Corpora that are known by name."""

from __future__ import annotations


class CorpusError(Exception):
    """A text cannot be had or cannot be learned from; the message is one sentence with what to do."""
