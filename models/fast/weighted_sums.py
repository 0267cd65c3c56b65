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

PARTS = 4  # sums that threads share: of so many parts of the rows, or of so many blocks of columns
LARGEST_GROUP = 384  # sums that the kernel for eight bits keeps in registers

Operation = Callable[[Tensor], Tensor]


def partial_sums(table: Tensor) -> Operation:
    """For a float32 table [in, out], row after row: x [1, in] -> [out, PARTS], which add up to x times the table."""
    rows, begins = torch.arange(len(table)), torch.arange(PARTS) * len(table) // PARTS
    return lambda x: torch.embedding_bag(table, rows, begins, False, 0, False, x.view(-1))[0].t()


class RoundedTable:
    """A matrix [out, in] in eight bits: whole numbers, with a scale and an offset for each group of weights.

    A group is what one input gives to at most `LARGEST_GROUP` neighbouring outputs, a block of them. It is one row of
    the table [blocks * in, width + 8], uint8, the scale and the offset of which stand at its end as two float32.
    """

    def __init__(self, out: int, inner: int) -> None:
        blocks = -(-out // LARGEST_GROUP)
        self._out, self._inner = out, inner
        self._blocks = blocks if blocks == 1 else max(PARTS, blocks)
        self._width = -(-out // self._blocks)

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

    def partial_sums(self, table: Tensor) -> Operation | None:
        """As the function of that name, where one block has all outputs."""
        if self._blocks > 1:
            return None
        sum_up, indices, begins = self._bags(1, PARTS)
        return lambda x: sum_up(table, indices, begins, False, 0, False, x.view(-1)).t()

    def sums(self, table: Tensor, rows: int) -> Operation:
        """The product for few rows: a pass over the table for each."""
        sum_up, indices, begins = self._bags(rows)
        blocks, out = self._blocks, self._out

        def multiply(x: Tensor) -> Tensor:
            numbers = torch.cat((x,) * blocks, 1).view(-1)
            y = sum_up(table, indices, begins, False, 0, False, numbers).view(rows, -1)
            return y if y.shape[1] == out else y[:, :out]

        return multiply

    def _bags(self, rows: int, parts: int = 1) -> tuple[Callable[..., Tensor], Tensor, Tensor]:
        """Torch's operator, the table's rows that each bag sums up, and where the bags begin: for each of `rows` and
        each block so many.
        """
        indices = torch.arange(self._blocks * self._inner, dtype=torch.int32).repeat(rows)
        begins = torch.arange(rows * self._blocks * parts, dtype=torch.int32) * self._inner // parts
        return torch.ops.quantized.embedding_bag_byte_rowwise_offsets.default, indices, begins
