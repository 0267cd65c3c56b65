from __future__ import annotations

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.generation.logits_processors import Filters, ForbiddenSequences, Penalties
from minigpt_tui.engine.generation.sampling import GumbelNoise, Sampler, draws_at_once, first_token, sample_seed
from minigpt_tui.engine.requests import SamplingSettings

CPU = torch.device("cpu")


def logits(seed: int, size: int = 65) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * 3


def filtered(logits: torch.Tensor, settings: SamplingSettings) -> torch.Tensor:
    return Filters(settings, logits.shape[-1], CPU).apply(logits)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("top_k", [0, 1, 5, 64, 65, 1000])
@pytest.mark.parametrize("top_p", [1e-6, 0.3, 0.9, 0.999, 1.0])
def test_keeps_the_set_that_transformers_keeps(temperature: float, top_k: int, top_p: float) -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    chain = [process.TemperatureLogitsWarper(temperature)]
    chain += [process.TopKLogitsWarper(top_k)] if top_k else []
    chain += [process.TopPLogitsWarper(top_p)] if top_p < 1 else []
    for seed in range(20):
        theirs = logits(seed)[None]
        for warper in chain:
            theirs = warper(torch.zeros(1, 1, dtype=torch.long), theirs)
        ours = filtered(logits(seed), SamplingSettings(temperature=temperature, top_k=top_k, top_p=top_p))
        assert torch.equal(ours, theirs[0])


@pytest.mark.parametrize("temperature", [0.4, 1.0])
@pytest.mark.parametrize("top_p", [0.7, 1.0])
@pytest.mark.parametrize("min_p", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("typical_p", [0.01, 0.2, 0.9, 1.0])
def test_keeps_the_set_of_the_whole_chain(temperature: float, top_p: float, min_p: float, typical_p: float) -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    chain = [process.TemperatureLogitsWarper(temperature), process.TopKLogitsWarper(40)]
    chain += [process.TopPLogitsWarper(top_p)] if top_p < 1 else []
    chain += [process.MinPLogitsWarper(min_p)] if min_p else []
    chain += [process.TypicalLogitsWarper(typical_p)] if typical_p < 1 else []
    settings = SamplingSettings(temperature=temperature, top_k=40, top_p=top_p, min_p=min_p, typical_p=typical_p)
    for seed in range(20):
        theirs = logits(seed)[None]
        for warper in chain:
            theirs = warper(torch.zeros(1, 1, dtype=torch.long), theirs)
        assert torch.equal(filtered(logits(seed), settings), theirs[0])


def test_the_chain_is_in_the_order_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GenerationConfig(
        do_sample=True, temperature=0.7, top_k=9, top_p=0.8, min_p=0.1, typical_p=0.9, repetition_penalty=1.3,
        bad_words_ids=[[3], [1, 2]],
    )  # fmt: skip
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=65, n_embd=4, n_layer=1, n_head=1))
    text = [5, 9, 9, 1]
    model._prepare_special_tokens(config)
    processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=len(text), device="cpu")
    settings = SamplingSettings(temperature=0.7, top_k=9, top_p=0.8, min_p=0.1, typical_p=0.9, repetition_penalty=1.3)
    for seed in range(50):
        theirs = processors(torch.tensor([text]), logits(seed)[None])[0]
        weighed = Penalties(settings, 65, [text], CPU).apply(logits(seed)[None])
        weighed = ForbiddenSequences([[3], [1, 2]], [text], CPU).apply(weighed)
        ours = filtered(weighed, settings)[0]
        assert torch.equal(ours, theirs)


def test_the_token_that_crosses_top_p_is_kept() -> None:
    ours = filtered(torch.tensor([0.5, 0.3, 0.15, 0.05]).log(), SamplingSettings(temperature=1, top_p=0.6))
    assert ours.isfinite().tolist() == [True, True, False, False]


def test_equal_logits_at_the_edge_of_top_k_all_stay() -> None:
    ours = filtered(torch.tensor([2.0, 1.0, 1.0, 0.0]), SamplingSettings(temperature=1, top_k=2))
    assert ours.isfinite().tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    "settings",
    [
        SamplingSettings(temperature=1.0, seed=3),
        SamplingSettings(temperature=0.5, top_k=4, seed=4),
        SamplingSettings(temperature=1.5, top_k=6, top_p=0.8, seed=5),
        SamplingSettings(temperature=1.5, min_p=0.1, seed=6),
        SamplingSettings(temperature=1.5, typical_p=0.8, seed=7),
    ],
)
def test_draws_follow_the_filtered_distribution(settings: SamplingSettings) -> None:
    expected = filtered(logits(1, 8), settings).softmax(-1)
    sampler, n = Sampler(settings, 8, CPU), 6000
    drawn = torch.bincount(torch.cat([sampler.draw(logits(1, 8)[None]) for _ in range(n)]), minlength=8)
    kept = expected > 0
    assert drawn[~kept].sum() == 0
    chi_square = ((drawn - n * expected)[kept] ** 2 / (n * expected)[kept]).sum().item()
    assert chi_square < 26  # 7 degrees of freedom at most: less than once in 2,000 seeds, and the seed is fixed


def test_greedy_takes_the_likeliest_and_a_tiny_temperature_does_too() -> None:
    for temperature in (0.0, 1e-40, 1e-4):
        sampler = Sampler(SamplingSettings(temperature=temperature, seed=0), 65, CPU)
        assert all(sampler.draw(logits(seed)[None]) == logits(seed).argmax() for seed in range(50))


def test_top_k_of_one_is_greedy() -> None:
    sampler = Sampler(SamplingSettings(temperature=5.0, top_k=1, seed=0), 65, CPU)
    assert all(sampler.draw(logits(seed)[None]) == logits(seed).argmax() for seed in range(50))


def test_the_seed_decides() -> None:
    def draws(seed: int | None) -> list[int]:
        sampler = Sampler(SamplingSettings(temperature=2.0, seed=seed), 65, CPU)
        return [int(sampler.draw(logits(i)[None])) for i in range(150)]

    assert draws(5) == draws(5) != draws(6)
    assert draws(None) != draws(None)
    assert draws(2**63 - 1) == draws(2**63 - 1)


def test_draws_leave_the_global_random_state_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Sampler(SamplingSettings(seed=1), 65, CPU).draw(logits(0)[None])
    assert torch.equal(torch.get_rng_state(), before)


# --- a draw depends on its seed alone, not on the rows beside it ----------------------------------

SETTINGS = {
    "greedy": SamplingSettings(temperature=0, repetition_penalty=1.3),
    "plain": SamplingSettings(temperature=1.3),
    "filters": SamplingSettings(temperature=0.9, top_k=40, top_p=0.95, min_p=0.01, typical_p=0.9),
    "penalties": SamplingSettings(
        top_k=9, repetition_penalty=1.2, presence_penalty=0.3, frequency_penalty=0.1, penalty_window=7
    ),
}


def noise_of(noise: GumbelNoise, n: int, at_once: int = 1) -> torch.Tensor:
    """The noise of the next n draws, [n, B, V]."""
    out: list[torch.Tensor] = []
    while len(out) < n:
        noise.prepare(at_once)
        out += [noise.next() for _ in range(at_once)]
    return torch.stack(out)


@pytest.mark.parametrize("rows", [1, 2, 8, 64])
def test_a_row_gets_the_same_noise_whatever_stands_beside_it(rows: int) -> None:
    seeds = [sample_seed(7, row) for row in range(rows)]
    together, n = noise_of(GumbelNoise(seeds, 65, CPU), 2 * draws_at_once(65, CPU) + 3), 2 * draws_at_once(65, CPU) + 3
    for row in (0, rows - 1):
        assert torch.equal(together[:, row : row + 1], noise_of(GumbelNoise(seeds[row : row + 1], 65, CPU), n))


def test_preparing_several_draws_at_once_changes_none() -> None:
    length = draws_at_once(65, CPU)
    for at_once in (2, 16, length):
        assert torch.equal(
            noise_of(GumbelNoise([3], 65, CPU), 2 * length, at_once), noise_of(GumbelNoise([3], 65, CPU), 2 * length)
        )


def test_no_block_of_noise_repeats_another() -> None:
    some = noise_of(GumbelNoise([1, 2], 65, CPU), 4 * draws_at_once(65, CPU)).flatten()
    assert some.unique().numel() > 0.99 * some.numel()
    assert some.isfinite().all()


def test_noise_is_prepared_ahead_as_far_as_memory_allows() -> None:
    sizes = (1, 65, 2048, 50_257, 300_000, 2**30)
    assert [draws_at_once(size, CPU) for size in sizes] == [64, 64, 32, 1, 1, 1]
    assert [draws_at_once(size, torch.device("cuda")) for size in sizes] == [64, 64, 64, 16, 2, 1]


def test_rows_that_stay_keep_their_noise() -> None:
    noise, other = GumbelNoise([1, 2, 3, 4], 5, CPU), GumbelNoise([4, 2], 5, CPU)
    assert not torch.equal(noise_of(noise, 70)[:, 1:3], noise_of(other, 70))
    noise.keep([3, 1])
    assert torch.equal(noise_of(noise, 70), noise_of(other, 70))


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
    firsts = torch.tensor([int(noise_of(GumbelNoise([seed], 8, CPU), 1).argmax()) for seed in range(4000)])
    table = torch.bincount(starts * 8 + firsts, minlength=64).view(8, 8).double()
    expected = table.sum(1, keepdim=True) * table.sum(0) / 4000
    assert ((table - expected) ** 2 / expected).sum() < 90  # 49 degrees of freedom
