"""What a seed brings depends on the seed alone."""

from __future__ import annotations

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.generation.sampling import GumbelNoise, Sampler, draws_at_once, first_token, sample_seed
from minigpt_tui.engine.requests import SamplingSettings

CPU = torch.device("cpu")
SETTINGS = {
    "greedy": SamplingSettings(temperature=0, repetition_penalty=1.3),
    "plain": SamplingSettings(temperature=1.3),
    "filters": SamplingSettings(temperature=0.9, top_k=40, top_p=0.95, min_p=0.01, typical_p=0.9),
    "penalties": SamplingSettings(
        top_k=9, repetition_penalty=1.2, presence_penalty=0.3, frequency_penalty=0.1, penalty_window=7
    ),
}


def draws(noise: GumbelNoise, n: int, at_once: int = 1) -> torch.Tensor:
    """The noise of the next n draws, [n, B, V]."""
    out: list[torch.Tensor] = []
    while len(out) < n:
        noise.prepare(at_once)
        out += [noise.next() for _ in range(at_once)]
    return torch.stack(out)


@pytest.mark.parametrize("rows", [1, 2, 8, 64])
def test_a_row_gets_the_same_noise_whatever_stands_beside_it(rows: int) -> None:
    seeds = [sample_seed(7, row) for row in range(rows)]
    together, n = draws(GumbelNoise(seeds, 65, CPU), 2 * draws_at_once(65, CPU) + 3), 2 * draws_at_once(65, CPU) + 3
    for row in (0, rows - 1):
        assert torch.equal(together[:, row : row + 1], draws(GumbelNoise(seeds[row : row + 1], 65, CPU), n))


def test_preparing_several_draws_at_once_changes_none() -> None:
    length = draws_at_once(65, CPU)
    for at_once in (2, 16, length):
        assert torch.equal(
            draws(GumbelNoise([3], 65, CPU), 2 * length, at_once), draws(GumbelNoise([3], 65, CPU), 2 * length)
        )


def test_no_block_of_noise_repeats_another() -> None:
    some = draws(GumbelNoise([1, 2], 65, CPU), 4 * draws_at_once(65, CPU)).flatten()
    assert some.unique().numel() > 0.99 * some.numel()
    assert some.isfinite().all()


def test_noise_is_prepared_ahead_as_far_as_memory_allows() -> None:
    sizes = (1, 65, 2048, 50_257, 300_000, 2**30)
    assert [draws_at_once(size, CPU) for size in sizes] == [64, 64, 32, 1, 1, 1]
    assert [draws_at_once(size, torch.device("cuda")) for size in sizes] == [64, 64, 64, 16, 2, 1]


def test_rows_that_stay_keep_their_noise() -> None:
    noise, other = GumbelNoise([1, 2, 3, 4], 5, CPU), GumbelNoise([4, 2], 5, CPU)
    assert not torch.equal(draws(noise, 70)[:, 1:3], draws(other, 70))
    noise.keep([3, 1])
    assert torch.equal(draws(noise, 70), draws(other, 70))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("rows", [2, 8, 64])
def test_from_the_same_logits_a_row_draws_the_same_tokens_whatever_stands_beside_it(
    settings: SamplingSettings, rows: int
) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(80, rows, 65, generator=generator) * 3
    seeds, texts, forbidden = (
        [sample_seed(5, row) for row in range(rows)],
        [[row] for row in range(rows)],
        [[1], [2, 3]],
    )
    sampler = Sampler(settings, 65, CPU, seeds, texts, forbidden)
    tokens = torch.stack([sampler.draw(some) for some in logits])
    for row in {0, 1, rows - 1}:
        alone = Sampler(settings, 65, CPU, seeds[row : row + 1], texts[row : row + 1], forbidden)
        assert [int(alone.draw(some[row : row + 1])) for some in logits] == tokens[:, row].tolist()


def test_rows_that_stay_draw_as_before() -> None:
    settings = SETTINGS["penalties"]
    logits = torch.randn(60, 65, generator=torch.Generator().manual_seed(2)) * 3
    sampler = Sampler(settings, 65, CPU, [1, 2, 3, 4], [[0]] * 4, [[5, 6], [7]])
    four = torch.stack([sampler.draw(some.expand(4, -1)) for some in logits[:20]])
    sampler.keep([3, 1])
    two = torch.stack([sampler.draw(some.expand(2, -1)) for some in logits[20:]])
    for place, row in enumerate([3, 1]):
        alone = Sampler(settings, 65, CPU, [row + 1], [[0]], [[5, 6], [7]])
        expected = [int(alone.draw(some[None])) for some in logits]
        assert [*four[:, row].tolist(), *two[:, place].tolist()] == expected


def test_a_start_is_drawn_uniformly_and_apart_from_the_tokens_after_it() -> None:
    tokenizer = CharTokenizer("abcdefgh")
    starts = torch.tensor([first_token(tokenizer, seed) for seed in range(4000)])
    counts = torch.bincount(starts, minlength=8)
    assert ((counts - 500.0) ** 2 / 500).sum() < 26  # 7 degrees of freedom: less than once in 2,000 times
    firsts = torch.tensor([int(draws(GumbelNoise([seed], 8, CPU), 1).argmax()) for seed in range(4000)])
    table = torch.bincount(starts * 8 + firsts, minlength=64).view(8, 8).double()
    expected = table.sum(1, keepdim=True) * table.sum(0) / 4000
    assert ((table - expected) ** 2 / expected).sum() < 90  # 49 degrees of freedom
