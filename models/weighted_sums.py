"""A row of numbers times a matrix, at the rate at which the matrix can be read.

Such a product is a sum of the rows of the transposed matrix, each times one of the numbers, and that is what torch's
embedding bags compute: by kernels made for recommendation models (FBGEMM), which read a table from top to bottom and
keep the sum in registers. For a single row of numbers they are up to twice as fast as a math library's matrix product,
and the rows of the table may have eight bits a number.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from . import onednn

PARTS = 4  # sums that threads share
LARGEST_GROUP = 384  # sums that the kernel for eight bits keeps in registers

Operation = Callable[[Tensor], Tensor]


def partial_sums(table: Tensor) -> Operation:
    """For a float32 table [in, out], row after row: x [in] -> [parts, out], which add up to x times the table."""
    rows = torch.arange(len(table))
    begins = torch.arange(0, len(table), -(-len(table) // PARTS))
    sum_up = torch.ops.aten._embedding_bag_forward_only.default
    return lambda x: sum_up(table, rows, begins, False, 0, False, x)[0]


class RoundedTable:
    """A matrix [out, in] in eight bits: whole numbers, with a scale and an offset for each group of weights.

    A group is what one input gives to at most `LARGEST_GROUP` neighbouring outputs. It is one row of the table
    [blocks * in, width + 8], uint8, the scale and the offset of which stand at its end as two float32.
    """

    def __init__(self, out: int, inner: int) -> None:
        self._out, self._inner = out, inner
        self._blocks = max(PARTS, -(-out // LARGEST_GROUP))
        self._width = -(-out // self._blocks)
        self._rows = torch.arange(self._blocks * inner, dtype=torch.int32)
        self._begins = torch.arange(0, self._blocks * inner, inner, dtype=torch.int32)

    def rounded(self, matrix: Tensor) -> Tensor:
        """The table of a matrix [out, in]."""
        padded = matrix.new_zeros(self._blocks * self._width, self._inner, dtype=torch.float32)
        padded[: self._out] = matrix
        columns = padded.unflatten(0, (self._blocks, self._width)).mT.flatten(0, 1)
        return torch.ops.quantized.embedding_bag_byte_prepack(columns)

    def product(self, x: Tensor, table: Tensor) -> Tensor:
        """From x [rows, in] to x times the matrix, [rows, out], both float32: for many rows, which share the cost to
        write the matrix out.
        """
        columns = torch.ops.quantized.embedding_bag_byte_unpack(table).unflatten(0, (self._blocks, self._inner))
        multiply = onednn.linear if onednn.is_available() else F.linear
        return torch.cat([multiply(x, block.t()) for block in columns], 1)[:, : self._out]

    def sums(self, table: Tensor, rows: int) -> Operation:
        """The same for few rows: a pass over the table for each."""
        sum_up = torch.ops.quantized.embedding_bag_byte_rowwise_offsets.default
        indices, blocks, out = self._rows.repeat(rows), self._blocks, self._out
        begins = torch.arange(0, len(indices), self._inner, dtype=torch.int32)

        def multiply(x: Tensor) -> Tensor:
            numbers = torch.cat((x,) * blocks, 1).view(-1)
            y = sum_up(table, indices, begins, False, 0, False, numbers).view(rows, -1)
            return y if y.shape[1] == out else y[:, :out]

        return multiply
