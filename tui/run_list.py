"""The shelf of runs as rows: what a list shows about each, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.runs import Run, RunError, RunManifest, ShownState, list_runs


@dataclass(frozen=True)
class RunRow:
    """One run in a list. None stands for what is not known."""

    name: str
    state: ShownState
    step: int
    total_steps: int | None
    train_loss: float | None
    validation_loss: float | None
    preset: str
    corpus: str
    created: float | None


class RunList:
    """Reads the rows again and again; what is written once is read once."""

    def __init__(self) -> None:
        self._manifests: dict[Run, RunManifest] = {}
        self.runs: dict[str, Run] = {}

    def read(self) -> list[RunRow]:
        """All runs, the newest first."""
        runs = list_runs()
        self.runs = {run.name: run for run in runs}
        return [self._row(run) for run in runs]

    def _row(self, run: Run) -> RunRow:
        manifest, status = self._manifest(run), run.status()
        return RunRow(
            name=run.name,
            state=run.state(),
            step=status.step if status else 0,
            total_steps=status.total_steps if status else None,
            train_loss=status.train_loss if status else None,
            validation_loss=status.validation_loss if status else None,
            preset=manifest.preset if manifest else "",
            corpus=manifest.corpus.name if manifest else "unreadable run.json",
            created=manifest.created if manifest else None,
        )

    def _manifest(self, run: Run) -> RunManifest | None:
        if run not in self._manifests:
            try:
                self._manifests[run] = run.manifest()
            except RunError:
                return None
        return self._manifests[run]
