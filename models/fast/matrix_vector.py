"""Matrix-vector products at the rate at which the matrix can be read from memory, in float32 and in int8.

Such a product is a weighted sum of the rows of the transposed matrix, and that is what torch's embedding bags compute,
by FBGEMM's kernels for recommendation models: they read a table from top to bottom and keep the sum in registers. For
a single vector they are up to twice as fast as the matrix product of a math library, and the table may be in int8.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from . import onednn

PARTS = 4  # of a product, for threads to share: partial sums over the inputs, or blocks of outputs
MAX_GROUP_SIZE = 384  # outputs whose sums the int8 kernel keeps in registers

Operation = Callable[[Tensor], Tensor]


def partial_sums(table: Tensor) -> Operation:
    """For a row-major float32 table [in, out]: x [1, in] -> [out, PARTS], the sum of which is x times the table."""
    rows, offsets = torch.arange(len(table)), torch.arange(PARTS) * len(table) // PARTS
    return lambda x: torch.embedding_bag(table, rows, offsets, False, 0, False, x.view(-1))[0].t()


class Int8Format:
    """How a matrix [out, in] is stored in int8: groups of weights, each with a scale and a zero point.

    A group holds the weights from one input to a block of at most `MAX_GROUP_SIZE` neighbouring outputs. It is one row
    of the packed table [blocks * in, width + 8], uint8, at the end of which stand the scale and the zero point, which
    is the group's minimum, as two float32.
    """

    def __init__(self, out: int, inner: int) -> None:
        blocks = -(-out // MAX_GROUP_SIZE)
        self._out, self._inner = out, inner
        self._blocks = blocks if blocks == 1 else max(PARTS, blocks)
        self._width = -(-out // self._blocks)

    def quantize(self, matrix: Tensor) -> Tensor:
        """The packed table of a matrix [out, in]."""
        padded = matrix.new_zeros(self._blocks * self._width, self._inner, dtype=torch.float32)
        padded[: self._out] = matrix
        columns = padded.unflatten(0, (self._blocks, self._width)).mT.flatten(0, 1)
        return torch.ops.quantized.embedding_bag_byte_prepack(columns)

    def matmul(self, x: Tensor, table: Tensor) -> Tensor:
        """float32 [rows, in] -> [rows, out]: dequantizes the matrix first, which pays for many rows."""
        columns = torch.ops.quantized.embedding_bag_byte_unpack(table).unflatten(0, (self._blocks, self._inner))
        multiply = onednn.linear if onednn.is_available() else F.linear
        return torch.cat([multiply(x, block.t()) for block in columns], 1)[:, : self._out]

    def partial_sums(self, table: Tensor) -> Operation | None:
        """As the function of that name; None where the outputs are several blocks, which threads share instead."""
        if self._blocks > 1:
            return None
        sum_bags, indices, offsets = self._bags(1, PARTS)
        return lambda x: sum_bags(table, indices, offsets, False, 0, False, x.view(-1)).t()

    def matvec(self, table: Tensor, rows: int) -> Operation:
        """float32 [rows, in] -> [rows, out], for few rows: reads the int8 table once for each."""
        sum_bags, indices, offsets = self._bags(rows)
        blocks, out = self._blocks, self._out

        def multiply(x: Tensor) -> Tensor:
            weights = torch.cat((x,) * blocks, 1).view(-1)
            y = sum_bags(table, indices, offsets, False, 0, False, weights).view(rows, -1)
            return y if y.shape[1] == out else y[:, :out]

        return multiply

    def _bags(self, rows: int, parts: int = 1) -> tuple[Callable[..., Tensor], Tensor, Tensor]:
        """The int8 operator, the rows of the table that its bags sum, and the offsets at which the bags begin.

        There are `parts` bags for each block and each of the `rows`.
        """
        indices = torch.arange(self._blocks * self._inner, dtype=torch.int32).repeat(rows)
        offsets = torch.arange(rows * self._blocks * parts, dtype=torch.int32) * self._inner // parts
        return torch.ops.quantized.embedding_bag_byte_rowwise_offsets.default, indices, offsets
