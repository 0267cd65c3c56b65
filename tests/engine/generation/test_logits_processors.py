from __future__ import annotations

import pytest
import torch
from minigpt_tui.engine.generation.logits_processors import ForbiddenSequences, Penalties
from minigpt_tui.engine.generation.sampling import Sampler
from minigpt_tui.engine.requests import SamplingSettings
from torch import Tensor

CPU = torch.device("cpu")


def penalties(settings: SamplingSettings, text: list[int], vocab_size: int = 65) -> Penalties:
    return Penalties(settings, vocab_size, [text], CPU)


def logits(seed: int, size: int = 65) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("penalty", [0.5, 1.0, 1.1, 2.0])
def test_repetition_gives_the_values_of_transformers(penalty: float) -> None:
    process = pytest.importorskip("transformers.generation.logits_process").RepetitionPenaltyLogitsProcessor(penalty)
    for seed in range(20):
        text = torch.randint(65, (30,), generator=torch.Generator().manual_seed(seed)).tolist()
        theirs = process(torch.tensor([text]), logits(seed)[None])[0]
        ours = penalties(SamplingSettings(repetition_penalty=penalty), text).apply(logits(seed)[None])[0]
        assert torch.equal(ours, theirs)


def test_presence_counts_once_and_frequency_each_time() -> None:
    settings = SamplingSettings(presence_penalty=0.5, frequency_penalty=0.25)
    ours = penalties(settings, [2, 2, 2, 0], 4).apply(torch.zeros(1, 4))
    assert ours.tolist() == [[-0.75, 0.0, -1.25, 0.0]]


def test_the_window_forgets_what_left_it() -> None:
    settings = SamplingSettings(frequency_penalty=1.0, penalty_window=3)
    text = [0, 1, 1, 2, 3, 3, 3, 0]
    for begun in range(len(text)):  # how much of the text is the prompt
        some = penalties(settings, text[:begun], 4)
        for end, token in enumerate(text[begun:], begun + 1):
            some.append(torch.tensor([token]))
            window = text[max(0, end - 3) : end]
            assert some.apply(torch.zeros(1, 4)).tolist() == [[-float(window.count(i)) for i in range(4)]]


def test_forbidden_sequences_are_those_of_transformers() -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    forbidden = [[7], [1, 2], [3, 1, 4], [3, 1, 5], [9, 9]]
    theirs_for = process.NoBadWordsLogitsProcessor(forbidden)
    ours, text = ForbiddenSequences(forbidden, [[]], CPU), []
    for token in (5, 3, 1, 9, 9, 1, 3, 3, 1):
        text.append(token)
        ours.append(torch.tensor([token]))
        theirs = theirs_for(torch.tensor([text]), logits(token)[None])
        assert torch.equal(ours.apply(logits(token)[None]), theirs)
        assert torch.equal(ForbiddenSequences(forbidden, [text], CPU).apply(logits(token)[None]), theirs)


def test_the_given_logits_stay_as_they_were() -> None:
    given = logits(1)[None]
    penalties(SamplingSettings(repetition_penalty=2.0), [1, 2, 3]).apply(given)
    ForbiddenSequences([[4]], [[1, 2, 3]], CPU).apply(given)
    assert torch.equal(given[0], logits(1))


def test_a_forbidden_token_is_never_drawn() -> None:
    for temperature in (0.0, 1.5):
        settings = SamplingSettings(temperature=temperature, seed=1)
        sampler = Sampler(settings, 5, CPU, forbidden=[[0], [1], [2]])
        assert all(int(sampler.draw(torch.tensor([[9.0, 8, 7, 1, 0]]))) > 2 for _ in range(200))


def test_where_everything_is_forbidden_no_token_is_drawn() -> None:
    for temperature in (0.0, 1.5):
        sampler = Sampler(SamplingSettings(temperature=temperature, seed=1), 2, CPU, forbidden=[[0], [1]])
        assert sampler.draw(torch.tensor([[9.0, 8]])).tolist() == [-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_p", -0.1), ("min_p", 1.1), ("typical_p", 0.0), ("typical_p", 1.5), ("repetition_penalty", 0.0),
        ("repetition_penalty", 101.0), ("presence_penalty", 101.0), ("frequency_penalty", float("nan")),
        ("penalty_window", -1), ("forbidden", ("",)), ("stop", ("",)),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        SamplingSettings(**{name: value})  # pyright: ignore[reportArgumentType]
