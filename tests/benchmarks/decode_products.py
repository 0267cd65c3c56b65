"""What the matrices of a decode step cost: each way in which torch multiplies one row, beside a plain read of them.

All matrices of the model are multiplied once for each measurement, one after the other, so that none of them waits in a
cache for its turn. The ways take turns; medians and the fastest are printed.

    python tests/benchmarks/decode_products.py [--preset nanogpt-char] [--repeats 25]
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import torch
from minigpt_tui.models.devices import physical_cores
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.presets import preset
from torch import Tensor

Way = Callable[[], None]


def ways(matrices: list[Tensor]) -> dict[str, Way]:
    """Each way to multiply one row [1, in] by the matrices [out, in], by name."""
    rows = {matrix.shape[1]: torch.randn(1, matrix.shape[1]) for matrix in matrices}
    by_columns = [matrix.t().contiguous().t() for matrix in matrices]

    def each(multiply: Callable[[Tensor, Tensor], object], among: list[Tensor]) -> Way:
        def way() -> None:
            for matrix in among:
                multiply(rows[matrix.shape[1]], matrix)

        return way

    def sliced(slices: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x, matrix: torch.bmm(
            x.expand(slices, -1, -1), matrix.t().unflatten(1, (slices, -1)).movedim(1, 0)
        )

    return {
        "read": each(lambda x, matrix: matrix.sum(), matrices),
        "rows": each(torch.nn.functional.linear, matrices),
        "columns": each(torch.nn.functional.linear, by_columns),
        "slices of rows, 2": each(sliced(2), matrices),
        "slices of rows, 4": each(sliced(4), matrices),
        "slices of columns, 2": each(sliced(2), by_columns),
        "slices of columns, 4": each(sliced(4), by_columns),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nanogpt-char")
    parser.add_argument("--repeats", type=int, default=25)
    arguments = parser.parse_args()
    model = GPT(dataclasses.replace(preset(arguments.preset).model, vocab_size=65))
    matrices = [matrix.detach() for matrix in model.hidden_matrices()]
    print(f"{sum(matrix.nbytes for matrix in matrices) / 1e6:.1f} MB of float32 matrices, milliseconds for all of them")
    for threads in sorted({1, physical_cores()}):
        torch.set_num_threads(threads)
        seconds: dict[str, list[float]] = {name: [] for name in ways([])}
        candidates = ways(matrices)
        with torch.inference_mode():
            for _ in range(arguments.repeats + 1):
                for name, way in candidates.items():
                    start = time.perf_counter()
                    way()
                    seconds[name].append(time.perf_counter() - start)
        for name, times in seconds.items():  # the first of each sets things up
            print(
                f"{threads} threads  {name:22} {1e3 * statistics.median(times[1:]):6.2f}  {1e3 * min(times[1:]):6.2f}"
            )


if __name__ == "__main__":
    main()
