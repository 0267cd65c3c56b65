"""The order of an epoch that is too long to be kept whole."""

import pytest
import torch
from minigpt_tui.data import dataset, epoch_order
from minigpt_tui.data.dataset import BatchStream, DataOrder
from minigpt_tui.data.epoch_order import EpochOrder, permuted

KEYS = [5, 1 << 61, 0, 123_456_789]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen windows a block, and no order short enough to be kept."""
    monkeypatch.setattr(epoch_order, "_TABLE", 0)
    for module in (epoch_order, dataset):
        monkeypatch.setattr(module, "BLOCK", 16)


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


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("tokens", [1003, 1601, 161])
def test_shuffled_epochs_in_blocks_visit_each_window_once(tokens: int) -> None:
    """Windows of 10, three at a time: batches cross from block to block, and from epoch to epoch."""
    context = 10
    stream = BatchStream(torch.arange(tokens, dtype=torch.int32), context, 3, seed=5)
    visited = [int(row[0]) for _ in range(400) for row in stream.next_batch()[0]]
    orders = []
    while len(visited) > tokens // context:
        offset = visited[0] % context
        expected = list(range(offset, tokens - context, context))
        epoch, visited = visited[: len(expected)], visited[len(expected) :]
        assert sorted(epoch) == expected
        assert epoch != expected
        orders.append([start - offset for start in epoch])
    assert len(orders) > 6
    assert orders[0] != orders[1]


@pytest.mark.usefixtures("small_blocks")
def test_random_order_in_blocks_reaches_every_place_evenly() -> None:
    stream = BatchStream(torch.arange(40 * 8, dtype=torch.int32), 8, 64, order="random", seed=1)
    starts = torch.cat([stream.next_batch()[0][:, 0] for _ in range(1000)])
    counts = torch.bincount(starts, minlength=312)
    assert len(counts) == 312
    assert counts.min() > 120  # 205 expected, with a deviation of 14
    assert counts.max() < 290


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("order", ["shuffle", "random"])
@pytest.mark.parametrize("before", [0, 3, 16, 25])
def test_a_stream_resumed_within_a_block_gives_the_very_same_batches(order: DataOrder, before: int) -> None:
    tokens = torch.arange(900, dtype=torch.int32)
    stream, resumed = (BatchStream(tokens, 8, 7, order=order, seed=seed) for seed in (11, 12))
    for _ in range(before):
        stream.next_batch()
    resumed.load_state_dict(stream.state_dict())
    for _ in range(40):
        assert torch.equal(resumed.next_batch()[0], stream.next_batch()[0])
    assert resumed.epoch == stream.epoch


@pytest.mark.parametrize("order", ["shuffle", "random"])
def test_the_order_of_a_billion_windows_is_never_held(order: DataOrder) -> None:
    """What an epoch keeps does not grow with the text: four numbers, and the block that was asked for."""
    windows = EpochOrder(10**12, 1000, order, "1:0")
    assert len(windows) >= 10**9 - 1
    for number in (0, len(windows) // epoch_order.BLOCK):
        block = windows.block(number)
        assert len(block) == min(epoch_order.BLOCK, len(windows) - number * epoch_order.BLOCK)
        assert 0 <= int(block.min()) < int(block.max()) < 10**12 - 1000
    assert len(windows.block(len(windows) // epoch_order.BLOCK + 1)) == 0
    assert not any(isinstance(value, torch.Tensor) for value in vars(windows).values())
