"""From when on a silence of a run means that it has stalled: for the line below its curves and for notices alike."""

from __future__ import annotations

from ..run_summary import RunSummary

_FLOOR = 60.0  # seconds
_LONGER = 10  # times what a run may be silent for


def stall_seconds(validation_tokens: float, tokens_per_step: float, tokens_per_second: float) -> float:
    """The seconds without an event after which a run has stalled.

    A run reports several times a second, or after each update where that takes longer; an evaluation, which reports
    nothing, takes about a third of what training on as many tokens does.
    """
    return _FLOOR + _LONGER * (validation_tokens / 3 + tokens_per_step) / tokens_per_second


def stall_seconds_of(summary: RunSummary) -> float | None:
    """The same from what a list shows of a run; None where its speed is not known.

    A token has at least a byte, so the bytes of the validation text are no fewer than its tokens.
    """
    status, manifest = summary.status, summary.manifest
    if status is None or manifest is None or not status.tokens_per_second or not status.tokens or not status.step:
        return None
    corpus = manifest.corpus
    return stall_seconds(
        corpus.n_bytes * corpus.validation_fraction, status.tokens / status.step, status.tokens_per_second
    )
