"""Writes the checkpoints of a run while it trains, and says where the disk does not take one."""

from __future__ import annotations

from ....data.tokenizers import Tokenizer
from ...events import CheckpointSaved
from ...runs import Run
from .. import checkpoints
from ..checkpoints import Counters, Kind
from ..errors import FolderGoneError
from ..update.learner import Learner
from .event_log import EventLog


class CheckpointWriter:
    """Writes `last`, `best` and at most `history_limit` checkpoints of the run's history.

    `step` is that of the latest complete `last`, None while there is none.
    """

    def __init__(self, run: Run, tokenizer: Tokenizer, event_log: EventLog, history_limit: int) -> None:
        self._run, self._folder, self._tokenizer = run, run.checkpoints, tokenizer
        self._event_log, self._limit = event_log, history_limit
        self._room_for_history = True
        self.step: int | None = None

    @property
    def kept(self) -> str:
        """Which checkpoint the run can be resumed from, for the end of a sentence."""
        return "none is kept yet" if self.step is None else f"the checkpoint of step {self.step} is kept"

    def save(self, kind: Kind, learner: Learner, counters: Counters) -> None:
        """Write a checkpoint. Raises OSError, and FolderGoneError rather than write into another run's folder."""
        state = learner.state_dict() if kind == "last" else None
        with learner.averaged() as model:
            if self._event_log.is_gone():  # right before a folder is made
                raise FolderGoneError(self._run.name)
            checkpoints.save(
                self._folder, kind, model, self._tokenizer, counters,
                validation_loss=counters.validation_loss, state=state, full_tensor=learner.full_tensor,
                write_shards=learner.write_shards,
            )  # fmt: skip
        if kind == "last":
            self.step = counters.step
        self._event_log.emit(CheckpointSaved(counters.step, kind, counters.validation_loss))

    def save_or_warn(self, kind: Kind, learner: Learner, counters: Counters) -> bool:
        """Write a checkpoint; where that fails, emit a note. Whether it was written."""
        try:
            self.save(kind, learner, counters)
            return True
        except OSError as error:
            self._event_log.note(
                f"the checkpoint of step {counters.step} could not be saved ({error.strerror or error}); free some "
                f"space: the training goes on, and {self.kept}",
                "error",
            )
            return False

    def save_history(self, learner: Learner, counters: Counters) -> None:
        """Keep the weights of this step, unless that leaves the run too little disk to go on."""
        weights = 4 * sum(parameter.numel() for parameter in learner.model.parameters())
        if checkpoints.has_room_for_history(self._folder, weights):
            self._room_for_history = True
            self.save_or_warn("history", learner, counters)
            checkpoints.thin(self._folder, self._limit)
        elif self._room_for_history:
            self._room_for_history = False
            self._event_log.warn(
                f"the disk is too full to keep step {counters.step} to look back to; the last and the best checkpoint "
                "are still saved"
            )
