"""The order of an epoch that is too long to be kept whole."""

import pytest
import torch
from minigpt_tui.data.dataset import BatchStream, DataOrder
from minigpt_tui.data.epoch_order import BLOCK, EpochOrder, permuted

KEYS = [5, 1 << 61, 0, 123_456_789]
WINDOWS = (1 << 20) + 1000  # a little more than the longest order that is kept whole


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 1000, 1024, 70_001])
def test_a_permutation_without_a_table_has_each_number_once(n: int) -> None:
    assert torch.equal(permuted(torch.arange(n), n, KEYS).sort().values, torch.arange(n))


def test_a_permutation_without_a_table_looks_like_chance() -> None:
    n = 50_000
    sent = permuted(torch.arange(n), n, KEYS).double()
    steps = sent.diff().abs().mean().item() / n
    rising = (sent.diff() > 0).double().mean().item()
    assert steps == pytest.approx(1 / 3, abs=0.01)  # the mean distance of two places drawn evenly
    assert rising == pytest.approx(1 / 2, abs=0.01)
    assert abs(torch.corrcoef(torch.stack([sent, torch.arange(n).double()]))[0, 1].item()) < 0.02
    assert not torch.equal(sent, permuted(torch.arange(n), n, [6, *KEYS[1:]]).double())


@pytest.mark.parametrize("n_tokens", [2 * WINDOWS + 3, 2 * WINDOWS + 2])
def test_shuffled_epochs_in_blocks_visit_each_window_once(n_tokens: int) -> None:
    """Windows of two, many at a time: batches cross from block to block, and from epoch to epoch."""
    stream = BatchStream(torch.arange(n_tokens, dtype=torch.int32), 2, 50_021, seed=5)
    visited = torch.cat([stream.next_batch()[0][:, 0] for _ in range(45)])
    orders = []
    while len(visited) > WINDOWS:
        offset = int(visited[0]) % 2
        expected = torch.arange(offset, n_tokens - 2, 2)
        epoch, visited = visited[: len(expected)], visited[len(expected) :]
        assert torch.equal(epoch.sort().values, expected)
        orders.append(epoch - offset)
    assert len(orders) == 2
    assert not torch.equal(orders[0][:1000], orders[1][:1000])
    assert (orders[0].diff() > 0).double().mean().item() == pytest.approx(1 / 2, abs=0.01)


def test_random_order_in_blocks_reaches_every_place_evenly() -> None:
    n_tokens = 2 * WINDOWS + 3
    stream = BatchStream(torch.arange(n_tokens, dtype=torch.int32), 2, 50_021, order="random", seed=1)
    starts = torch.cat([stream.next_batch()[0][:, 0] for _ in range(20)])
    counts = torch.bincount(starts * 100 // (n_tokens - 2), minlength=100)
    assert len(counts) == 100
    assert counts.min() > 9_500  # 10,004 expected, with a deviation of 100
    assert counts.max() < 10_500


@pytest.mark.parametrize("order", ["shuffle", "random"])
@pytest.mark.parametrize("before", [0, 1, 3, 34])
def test_a_stream_resumed_within_a_block_gives_the_very_same_batches(order: DataOrder, before: int) -> None:
    tokens = torch.arange(2 * WINDOWS + 3, dtype=torch.int32)
    stream, resumed = (BatchStream(tokens, 2, 30_000, order=order, seed=seed) for seed in (11, 12))
    for _ in range(before):
        stream.next_batch()
    resumed.load_state_dict(stream.state_dict())
    for _ in range(3):
        assert torch.equal(resumed.next_batch()[0], stream.next_batch()[0])
    assert resumed.epoch == stream.epoch


@pytest.mark.parametrize("order", ["shuffle", "random"])
def test_the_order_of_a_billion_windows_is_never_held(order: DataOrder) -> None:
    """What an epoch keeps does not grow with the text: four numbers, and the block that was asked for."""
    windows = EpochOrder(10**12, 1000, order, "1:0")
    assert len(windows) >= 10**9 - 1
    for number in (0, len(windows) // BLOCK):
        block = windows.block(number)
        assert len(block) == min(BLOCK, len(windows) - number * BLOCK)
        assert 0 <= int(block.min()) < int(block.max()) < 10**12 - 1000
    assert len(windows.block(len(windows) // BLOCK + 1)) == 0
    assert not any(isinstance(value, torch.Tensor) for value in vars(windows).values())
