"""What a person can put right when a training cannot go on: each message is the sentence they read."""

from __future__ import annotations

from ...data.storage.errors import UserError


class TrainingError(UserError):
    """The run cannot begin or go on; the message says what happened and what to do."""


class OutOfMemoryError(TrainingError):
    """Not even one sequence at a time fits into the memory; the message says what to change."""


class LostProcessError(TrainingError):
    """A process of a distributed training has ended or hangs."""


class FolderGoneError(TrainingError):
    """The run's folder was deleted or renamed while the run was trained."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the folder of '{name}' was deleted or renamed while it was trained; the training has ended")
