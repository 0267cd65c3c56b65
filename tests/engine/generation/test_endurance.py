"""Many requests of every kind, ended at any moment: nothing is left behind, and the next is answered as the first."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.logits_processors import Filters
from minigpt_tui.engine.generation.reply import Reply, stream_replies
from minigpt_tui.engine.generation.responder import Responder
from minigpt_tui.engine.generation.sampling import sample_seed
from minigpt_tui.engine.requests import (
    Ended,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    SamplingSettings,
    Scored,
    ScoreText,
    Tokens,
)
from minigpt_tui.models.gpt import GPT

ENDLESS = SamplingSettings(seed=1, max_tokens=1_000_000, repetition_penalty=1.2, penalty_window=20, forbidden=("ab",))
TEXT = "abcdefgh\nhgfedcba\n" * 5


class Engine:
    """A responder with a model in memory, and the messages of the last request."""

    def __init__(self, checkpoint: Path) -> None:
        self.sent: list[GenerationMessage] = []
        self._responder = Responder(self.sent.append)
        self.ask(Load(1, str(checkpoint), device="cpu", threads=1))

    def ask(
        self, request: Load | Generate | ScoreText, cancelled: Callable[[], bool] = lambda: False
    ) -> GenerationMessage:
        self.sent.clear()
        self._responder.answer(request, cancelled)
        return self.sent[-1]

    def text(self) -> str:
        assert isinstance(self.ask(Generate(2, "abc", SamplingSettings(seed=5, max_tokens=30))), Ended)
        return "".join(message.text for message in self.sent if isinstance(message, Tokens))


@pytest.fixture
def engine(random_model, save, tmp_path: Path) -> Engine:
    return Engine(save(tmp_path / "checkpoint", random_model(n_layer=1, n_head=1, d_model=8)))


def requests(chance: random.Random) -> Iterator[Generate | ScoreText]:
    """One of each kind after the other, with prompts of any length."""
    for number in count(10):
        prompt = TEXT[: chance.randint(0, 40)]
        yield Generate(number, prompt, ENDLESS)
        yield Generate(number, prompt, ENDLESS, samples=chance.randint(2, 4))
        yield Generate(number, prompt, ENDLESS, explain=True)
        yield ScoreText(number, TEXT, explain=True)


def after(n: int) -> Callable[[], bool]:
    """Cancel at the n-th look."""
    looks = count()
    return lambda: next(looks) >= n


@pytest.mark.parametrize("stops", [100, pytest.param(10_000, marks=pytest.mark.long)])
def test_stops_at_random_moments_leave_it_ready(engine: Engine, stops: int) -> None:
    first, chance = engine.text(), random.Random(2)
    for _, request in zip(range(stops), requests(chance), strict=False):
        # mostly at once, sometimes past the context length
        end = engine.ask(request, after(chance.choice((0, 0, 1, 2, chance.randint(0, 24)))))
        assert isinstance(end, (Ended, Failed, Scored))
        if isinstance(request, Generate):
            assert isinstance(end, Ended)
            assert end.reason == "cancelled"
    assert engine.text() == first


@pytest.mark.parametrize("n_prompts", [40, pytest.param(720, marks=pytest.mark.long)])
def test_nothing_is_kept_of_prompts_that_were_answered(engine: Engine, n_prompts: int) -> None:
    """720 prompts are an hour at one each five seconds."""

    def held() -> tuple[int, int]:
        """How many tensors there are, and how many objects of any kind."""
        gc.collect()
        everything = gc.get_objects()
        return sum(issubclass(type(thing), torch.Tensor) for thing in everything), len(everything)

    def prompts(n: int) -> None:
        for _, request in zip(range(n), requests(random.Random(3)), strict=False):
            engine.ask(request, after(12))
        engine.text()

    prompts(40)
    tensors, objects = held()
    prompts(n_prompts)
    tensors_then, objects_then = held()
    assert tensors_then == tensors > 10
    assert objects_then - objects < 200  # less than one for three prompts


@pytest.mark.parametrize(
    "settings",
    [
        SamplingSettings(temperature=1.0, max_tokens=1),
        SamplingSettings(temperature=1.3, top_k=7, min_p=0.05, typical_p=0.95, max_tokens=1),
    ],
)
def test_the_samples_of_many_seeds_follow_the_filtered_distribution(random_model, settings: SamplingSettings) -> None:
    """The generators of the samples of one seed, and those of neighbouring seeds, are strangers to each other."""
    model, tokenizer = random_model()
    assert isinstance(model, GPT)
    assert model.head is not None
    with torch.no_grad():
        model.head.mul_(0.3)
        logits = model(torch.tensor([tokenizer.encode("abc").tolist()]))[0, -1, : tokenizer.vocab_size]
    decoder, drawn, n = Decoder(model, tokenizer), torch.zeros(tokenizer.vocab_size), 12 * 250
    for seed in range(12):
        replies = [Reply(decoder, "abc", replace(settings, seed=sample_seed(seed, i))) for i in range(250)]
        for _, piece in stream_replies(decoder, replies):
            if piece:
                drawn[tokenizer.encode(piece)[0]] += 1
    expected = Filters(settings, tokenizer.vocab_size, logits.device).apply(logits).softmax(-1) * n
    kept = expected > 0
    assert drawn.sum() == n
    assert drawn[~kept].sum() == 0
    assert kept.sum() > 3
    chi_square = ((drawn - expected)[kept] ** 2 / expected[kept]).sum().item()
    assert chi_square < 28  # 8 degrees of freedom at most: less than once in 2,000 times, and the seeds are fixed
