"""The partial sums of a matrix-vector product add up to it, for matrices of any shape, in float32 and in int8."""

from __future__ import annotations

import pytest
import torch
from minigpt_tui.models.fast.matrix_vector import MAX_GROUP_SIZE, PARTS, Int8Format, partial_sums

SHAPES = [(1, 1), (3, 40), (5, 7), (9, 384), (384, 65), (1536, 384)]  # [in, out]


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(("inner", "out"), SHAPES)
def test_partial_sums_add_up_to_the_product(inner: int, out: int) -> None:
    table, x = numbers(inner, out), numbers(1, inner)
    sums = partial_sums(table)(x)
    assert sums.shape == (out, PARTS)
    torch.testing.assert_close(sums.sum(1), (x @ table)[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("inner", "out"), SHAPES)
def test_partial_sums_of_an_int8_matrix_add_up_to_the_product(inner: int, out: int) -> None:
    stored, x = Int8Format(out, inner), numbers(1, inner)
    table = stored.quantize(numbers(out, inner))
    sums = stored.partial_sums(table)
    assert sums is not None
    assert sums(x).shape == (out, PARTS)
    torch.testing.assert_close(sums(x).sum(1), stored.matmul(x, table)[0], atol=1e-4, rtol=1e-4)


def test_an_int8_matrix_of_many_outputs_has_blocks_instead_of_partial_sums() -> None:
    stored = Int8Format(MAX_GROUP_SIZE + 1, 8)
    table, x = stored.quantize(numbers(MAX_GROUP_SIZE + 1, 8)), numbers(1, 8)
    assert stored.partial_sums(table) is None
    torch.testing.assert_close(stored.matvec(table, 1)(x), stored.matmul(x, table), atol=1e-4, rtol=1e-4)
