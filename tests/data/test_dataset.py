import pytest
import torch
from minigpt_tui.data.dataset import BatchStream, DataOrder, validation_windows

ORDERS: list[DataOrder] = ["shuffle", "random"]


def batches(stream: BatchStream, count: int) -> list[tuple[list[list[int]], list[list[int]]]]:
    return [(inputs.tolist(), targets.tolist()) for inputs, targets in (stream.next_batch() for _ in range(count))]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int32])
def test_tokens_of_every_width_become_int64(dtype: torch.dtype) -> None:
    tokens = (torch.arange(1000) % 251 + (65_000 if dtype == torch.uint16 else 0)).to(dtype)
    for order in ORDERS:
        inputs, targets = BatchStream(tokens, 16, 4, order=order).next_batch()
        assert inputs.dtype == targets.dtype == torch.int64
        assert torch.equal(inputs[:, 1:], targets[:, :-1])
        assert inputs.min() >= tokens.long().min()
    for inputs, targets in validation_windows(tokens, 16, 4):
        assert inputs.dtype == targets.dtype == torch.int64
        assert torch.equal(inputs[:, 1:], targets[:, :-1])


@pytest.mark.parametrize("order", ORDERS)
def test_a_batch_is_windows_with_their_next_tokens(order: DataOrder) -> None:
    stream = BatchStream(torch.arange(1000, dtype=torch.int32), 16, 8, order=order, seed=3)
    for _ in range(50):
        inputs, targets = stream.next_batch()
        assert inputs.shape == targets.shape == (8, 16)
        assert inputs.dtype == targets.dtype == torch.int64
        assert inputs.is_contiguous()
        assert targets.is_contiguous()
        assert torch.equal(inputs, inputs[:, :1] + torch.arange(16))
        assert torch.equal(targets, inputs + 1)


def test_shuffled_epochs_visit_each_window_once_from_an_offset_of_their_own() -> None:
    """1,003 tokens in windows of 10, three at a time: batches cross from one epoch into the next."""
    tokens, context = 1003, 10
    stream = BatchStream(torch.arange(tokens, dtype=torch.int32), context, 3, seed=5)
    visited = [row[0] for inputs, _ in batches(stream, 700) for row in inputs]
    offsets, orders = [], []
    while len(visited) > tokens // context:
        offset = visited[0] % context
        expected = list(range(offset, tokens - context, context))
        epoch, visited = visited[: len(expected)], visited[len(expected) :]
        assert sorted(epoch) == expected
        assert epoch != expected
        offsets.append(offset)
        orders.append([start - offset for start in epoch])
    assert len(offsets) > 15
    assert len(set(offsets)) > 5
    assert orders[0] != orders[1]


def test_random_order_reaches_every_place_evenly() -> None:
    stream = BatchStream(torch.arange(40, dtype=torch.int32), 8, 64, order="random", seed=1)
    starts = [row[0] for inputs, _ in batches(stream, 100) for row in inputs]
    counts = torch.bincount(torch.tensor(starts), minlength=32)
    assert len(counts) == 32
    assert counts.min() > 120  # 200 expected, with a deviation of 14
    assert counts.max() < 280


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("tokens", [17, 18, 31, 32, 33])
def test_texts_of_about_one_window_fill_any_batch(order: DataOrder, tokens: int) -> None:
    stream = BatchStream(torch.arange(tokens, dtype=torch.int32), 16, 5, order=order)
    starts = {row[0] for inputs, _ in batches(stream, 60) for row in inputs}
    assert starts == set(range(tokens - 16))


def test_tokens_too_few_for_one_window_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        BatchStream(torch.arange(16, dtype=torch.int32), 16, 1)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("before", [0, 7, 25])
def test_a_resumed_stream_gives_the_very_same_batches(order: DataOrder, before: int) -> None:
    tokens = torch.arange(500, dtype=torch.int32)
    stream, resumed = (BatchStream(tokens, 8, 7, order=order, seed=seed) for seed in (11, 12))
    batches(stream, before)
    resumed.load_state_dict(stream.state_dict())
    assert all(type(value) is int for value in stream.state_dict().values())
    assert resumed.epoch == stream.epoch
    assert batches(resumed, 40) == batches(stream, 40)


@pytest.mark.parametrize("order", ORDERS)
def test_the_seed_decides_the_batches(order: DataOrder) -> None:
    tokens = torch.arange(500, dtype=torch.int32)
    first, same, other, far = (
        batches(BatchStream(tokens, 8, 7, order=order, seed=seed), 5) for seed in (1, 1, 2, 1 + 2**32)
    )
    assert first == same
    assert first != other
    assert first != far


def test_the_stream_tells_how_far_it_is() -> None:
    stream = BatchStream(torch.arange(101, dtype=torch.int32), 10, 5, order="random")
    assert stream.windows_per_epoch == 10
    assert stream.epoch == 0
    batches(stream, 3)
    assert stream.epoch == 1.5


@pytest.mark.parametrize(
    ("tokens", "context", "batch_size", "shapes"),
    [
        (33, 8, 3, [(3, 8), (1, 8)]),
        (36, 8, 2, [(2, 8), (2, 8), (1, 3)]),
        (8, 8, 4, [(1, 7)]),
        (9, 8, 4, [(1, 8)]),
        (2, 8, 4, [(1, 1)]),
        (1, 8, 4, []),
    ],
)
def test_full_validation_predicts_every_token_but_the_first_once(
    tokens: int, context: int, batch_size: int, shapes: list[tuple[int, int]]
) -> None:
    windows = list(validation_windows(torch.arange(tokens, dtype=torch.uint8), context, batch_size))
    assert [tuple(inputs.shape) for inputs, _ in windows] == shapes
    assert [token for _, targets in windows for token in targets.flatten().tolist()] == list(range(1, tokens))
    for inputs, targets in windows:
        assert torch.equal(targets, inputs + 1)
        assert inputs.dtype == targets.dtype == torch.int64


def test_batches_stay_on_the_device_of_the_tokens() -> None:
    """The meta device holds no values: whatever needed one back from it would fail."""
    tokens = torch.empty(500, dtype=torch.uint8, device="meta")
    for order in ORDERS:
        inputs, targets = BatchStream(tokens, 8, 4, order=order).next_batch()
        assert inputs.device.type == targets.device.type == "meta"
