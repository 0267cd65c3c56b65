"""What the matrices of a model cost: each way in which torch multiplies rows by them, beside a plain read of them.

All matrices of the model are multiplied once for each measurement, one after the other, so that none of them waits in a
cache for its turn. The ways take turns; medians and the fastest are printed.

    python tests/benchmarks/decode_products.py [--preset nanogpt-char] [--rows 1] [--repeats 25]
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import torch
from minigpt_tui.models.cpu import physical_cores
from minigpt_tui.models.fast import onednn
from minigpt_tui.models.fast.matrix_vector import Int8Format, partial_sums
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.presets import preset
from torch import Tensor

Way = Callable[[], object]


def ways(matrices: list[Tensor], n: int) -> dict[str, Way]:
    """Each way to multiply n rows [n, in] by the matrices [out, in], by name."""
    rows = {matrix.shape[1]: torch.randn(n, matrix.shape[1]) for matrix in matrices}
    column_major = [matrix.t().contiguous().t() for matrix in matrices]

    def each(multiply: Callable[[Tensor, Tensor], object], among: list[Tensor]) -> Way:
        def way() -> None:
            for matrix in among:
                multiply(rows[matrix.shape[1]], matrix)

        return way

    def int8() -> Way:
        formats = [Int8Format(*matrix.shape) for matrix in matrices]
        tables = [format.quantize(matrix) for format, matrix in zip(formats, matrices, strict=True)]
        sums = [
            (format.partial_sums(table) if n == 1 else None) or format.matvec(table, n)
            for format, table in zip(formats, tables, strict=True)
        ]
        return lambda: [multiply(rows[matrix.shape[1]]) for multiply, matrix in zip(sums, matrices, strict=True)]

    def embedding_bags() -> Way:
        sums = [partial_sums(matrix.t()) for matrix in column_major]
        return lambda: [
            multiply(rows[matrix.shape[1]]).sum(1) for multiply, matrix in zip(sums, column_major, strict=True)
        ]

    return {
        "read": each(lambda x, matrix: matrix.sum(), matrices),
        "row-major": each(torch.nn.functional.linear, matrices),
        "column-major": each(torch.nn.functional.linear, column_major),
        "row-major, oneDNN": each(onednn.linear, matrices),
        "column-major, oneDNN": each(onednn.linear, column_major),
        "embedding bags, int8": int8(),
    } | ({"embedding bags": embedding_bags()} if n == 1 else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nanogpt-char")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=25)
    arguments = parser.parse_args()
    model = GPT(dataclasses.replace(preset(arguments.preset).model, vocab_size=65))
    matrices = [matrix.detach() for matrix in model.hidden_matrices()]
    print(f"{sum(matrix.nbytes for matrix in matrices) / 1e6:.1f} MB of float32 matrices, milliseconds for all of them")
    for threads in sorted({1, physical_cores()}):
        torch.set_num_threads(threads)
        candidates = ways(matrices, arguments.rows)
        seconds: dict[str, list[float]] = {name: [] for name in candidates}
        with torch.inference_mode():
            for _ in range(arguments.repeats + 1):
                for name, way in candidates.items():
                    start = time.perf_counter()
                    way()
                    seconds[name].append(time.perf_counter() - start)
        for name, times in seconds.items():  # the first of each sets things up
            print(
                f"{threads} threads  {name:26} {1e3 * statistics.median(times[1:]):6.2f}  {1e3 * min(times[1:]):6.2f}"
            )


if __name__ == "__main__":
    main()
