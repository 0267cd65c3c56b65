"""Series of points for the tests of the charts."""

import math

from minigpt_tui.tui.charts.series import Series


def series(*points: tuple[float, float]) -> Series:
    result = Series()
    for x, y in points:
        result.append(x, y)
    return result


def falling(n: int = 200) -> Series:
    return series(*((i, 1.5 + 2.5 * math.exp(-i / 30)) for i in range(1, n + 1)))
