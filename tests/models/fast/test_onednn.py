from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from minigpt_tui.models.fast import onednn

pytestmark = pytest.mark.skipif(not onednn.is_available(), reason="this build of torch has no oneDNN")


@pytest.mark.parametrize("shape", [(1, 24), (16, 24), (17, 24), (100, 24), (3, 7, 24), (2, 129, 24), (0, 24)])
@pytest.mark.parametrize("bias", [None, torch.linspace(-1, 1, 10)])
@pytest.mark.parametrize("column_major", [False, True])
def test_a_product_is_torchs_own(shape: tuple[int, ...], bias: torch.Tensor | None, column_major: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(shape, generator=generator), torch.randn(10, 24, generator=generator)
    weight = weight.t().contiguous().t() if column_major else weight
    with torch.inference_mode():
        torch.testing.assert_close(onednn.linear(x, weight, bias), F.linear(x, weight, bias), atol=1e-5, rtol=1e-5)


def test_prompts_of_all_lengths_share_a_few_kernels() -> None:
    numbers = {rows: onednn.padded_rows(rows) for rows in range(1, 2049)}
    assert all(rows <= number <= rows * 1.125 for rows, number in numbers.items())
    assert all(numbers[rows] == rows for rows in range(1, 17))
    assert len(set(numbers.values())) < 80
