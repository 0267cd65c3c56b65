"""A row times a matrix in parts: for matrices of any shape the parts add up to the product."""

from __future__ import annotations

import pytest
import torch
from minigpt_tui.models.fast.weighted_sums import LARGEST_GROUP, PARTS, RoundedTable, partial_sums

SHAPES = [(1, 1), (3, 40), (5, 7), (9, 384), (384, 65), (1536, 384)]  # [in, out]


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(("inner", "out"), SHAPES)
def test_parts_of_a_table_add_up_to_the_product(inner: int, out: int) -> None:
    table, x = numbers(inner, out), numbers(1, inner)
    sums = partial_sums(table)(x)
    assert sums.shape == (out, PARTS)
    torch.testing.assert_close(sums.sum(1), (x @ table)[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("inner", "out"), SHAPES)
def test_parts_of_a_rounded_table_add_up_to_its_product(inner: int, out: int) -> None:
    rounding, x = RoundedTable(out, inner), numbers(1, inner)
    table = rounding.rounded(numbers(out, inner))
    sums = rounding.partial_sums(table)
    assert sums is not None
    assert sums(x).shape == (out, PARTS)
    torch.testing.assert_close(sums(x).sum(1), rounding.product(x, table)[0], atol=1e-4, rtol=1e-4)


def test_a_rounded_table_of_many_outputs_is_shared_out_by_blocks_instead() -> None:
    rounding = RoundedTable(LARGEST_GROUP + 1, 8)
    table, x = rounding.rounded(numbers(LARGEST_GROUP + 1, 8)), numbers(1, 8)
    assert rounding.partial_sums(table) is None
    torch.testing.assert_close(rounding.sums(table, 1)(x), rounding.product(x, table), atol=1e-4, rtol=1e-4)
