"""Errors that a user can put right, each in one sentence: what was wrong, where, and what to do."""

from __future__ import annotations

import errno

_REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
}


class UserError(Exception):
    """Something that the user can put right; its text is the sentence that they read.

    Code that carries out a request catches EXPECTED and shows `sentence_of`. Every other exception is a bug of the
    program and keeps its traceback, in a log. A subclass exists only where a caller catches that one specifically.
    """


EXPECTED = (UserError, OSError)
"""What may go wrong although the program is right."""


def sentence_of(error: BaseException) -> str:
    """An expected error in one sentence."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        remedy = _REMEDIES.get(error.errno or 0)
        return f"{where}{error.strerror}" + (f"; {remedy}" if remedy else "")
    return str(error)
