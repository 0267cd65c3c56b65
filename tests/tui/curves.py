"""Series of points for the tests of the charts."""

import math

from minigpt_tui.engine.events import Acknowledged, CheckpointSaved, Evaluation, Started, Step
from minigpt_tui.engine.history.run_history import RunHistory
from minigpt_tui.tui.charts.series import Series


def series(*points: tuple[float, float]) -> Series:
    result = Series()
    for x, y in points:
        result.append(x, y)
    return result


def falling(n: int = 200) -> Series:
    return series(*((i, 1.5 + 2.5 * math.exp(-i / 30)) for i in range(1, n + 1)))


def course(
    steps: int = 200, level: float = 1.5, *, every: int = 1, nan_at: int | None = None, floor: float | None = None
) -> RunHistory:
    """A run whose losses fall to `level`, is evaluated at each 50 steps, saved at 100 and paused at 150."""
    history = RunHistory()
    history.apply(Started(0, steps, 10, 62, 1000, 100, "cpu", "CPU", "float32", 1, "no GPU", 0.0, floor))
    for step in range(every, steps + 1, every):
        loss = level + 2.5 * math.exp(-step / 30)
        shown = math.nan if step == nan_at else loss
        rate = 1e-3 if step < 120 else 5e-4
        history.apply(Step(step, steps, step * 10, step / 2, 1.0, shown, rate, 0.5, 2e4, 310_000_000))
        if step % 50 == 0:
            history.apply(Evaluation(step, step / 2, loss + 0.1, math.exp(loss), loss, "full", True))
        if step == 100:
            history.apply(CheckpointSaved(step, "last"))
        if step == 150:
            history.apply(Acknowledged(step, "x", "pause", "paused", True, 0.0))
    return history
