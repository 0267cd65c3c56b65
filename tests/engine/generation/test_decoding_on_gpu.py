"""What only a GPU can show of decoding: captured graphs, its own attention kernels and its own noise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from minigpt_tui.data.tokenizers import Tokenizer
from minigpt_tui.engine.generation.decode_graphs import DecodeGraphs, run_eagerly
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.reply import Reply, stream_replies
from minigpt_tui.engine.generation.sampling import sample_seed
from minigpt_tui.engine.generation.scored_text import scored_text
from minigpt_tui.engine.generation.scoring import TextScorer
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.models.devices import varying_lengths
from minigpt_tui.models.gpt import GPT

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine")

BLOCKS = {
    "modern": {},
    "grouped": {"n_kv_head": 1, "n_head": 4, "bias": True},
    "classic": {"position": "learned", "norm": "layer", "mlp": "gelu", "qk_norm": False, "tied": True},
    "post-norm": {"position": "sinusoidal", "norm": "layer", "norm_position": "post", "mlp": "relu", "qk_norm": False},
}
SETTINGS = {
    "greedy": SamplingSettings(temperature=0, max_tokens=100),
    "plain": SamplingSettings(temperature=1.2, max_tokens=200),
    "filters": SamplingSettings(temperature=0.9, top_k=6, top_p=0.95, min_p=0.01, typical_p=0.9, max_tokens=100),
    "penalties": SamplingSettings(
        repetition_penalty=1.3, presence_penalty=0.2, frequency_penalty=0.1, penalty_window=5, max_tokens=100
    ),
    "forbidden": SamplingSettings(temperature=1.5, forbidden=("a", "bc", "def"), stop=("gg",), max_tokens=100),
}


@pytest.fixture(autouse=True)
def any_length():
    """As in the generate process."""
    with varying_lengths():
        yield


@pytest.fixture
def made(random_model):
    """A model and its tokenizer on the GPU, in a type."""

    def make(dtype: torch.dtype, **options: object) -> tuple[GPT, Tokenizer]:
        model, tokenizer = random_model(**{"context_length": 64, "d_model": 64, **options})
        here = GPT(model.config, "cuda:0", dtype)
        here.load_state_dict(model.state_dict())
        for parameter in here.parameters():
            parameter.data = parameter.data.to(dtype)
        return here, tokenizer

    return make


def written(decoder: Decoder, settings: SamplingSettings, n: int = 1, prompt: str = "abc") -> list[tuple[str, str]]:
    each = [replace(settings, seed=sample_seed(settings.seed or 3, i)) for i in range(n)]
    replies, texts = [Reply(decoder, prompt, one) for one in each], [""] * n
    for sample, piece in stream_replies(decoder, replies):
        texts[sample] += piece
    return [(text, reply.reason) for text, reply in zip(texts, replies, strict=True)]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_replayed_steps_write_what_their_kernels_write_one_by_one(made, settings: SamplingSettings) -> None:
    replayed, plain = (Decoder(*made(torch.bfloat16)) for _ in range(2))
    plain.graphs = DecodeGraphs(plain.model, plain.context_length, run_eagerly)
    for rows in (1, 3):
        assert written(replayed, settings, rows) == written(plain, settings, rows)
        assert written(replayed, settings, rows) == written(plain, settings, rows)
    assert replayed.take_notices() == ()


@pytest.mark.parametrize("options", BLOCKS.values(), ids=BLOCKS)
def test_every_block_writes_in_float32_what_a_token_at_a_time_does(made, options: dict[str, object]) -> None:
    replayed, plain = (Decoder(*made(torch.float32, **options)) for _ in range(2))
    plain.graphs = None
    for settings in (SETTINGS["greedy"], SETTINGS["plain"]):
        assert written(replayed, settings) == written(plain, settings)
    assert replayed.take_notices() == ()


def test_a_seed_writes_the_same_again_and_after_other_replies(made) -> None:
    decoder, other = (Decoder(*made(torch.bfloat16)) for _ in range(2))
    first = written(decoder, SETTINGS["plain"])
    written(decoder, SETTINGS["filters"], 2, "dcba" * 30)
    assert written(decoder, SETTINGS["plain"]) == written(other, SETTINGS["plain"]) == first


def test_a_gpu_and_a_cpu_give_a_text_the_same_loss(made, random_model) -> None:
    text = "abcdefgh\n" * 30
    losses = []
    for model, tokenizer in (random_model(context_length=64, d_model=64), made(torch.float32)):
        decoder = Decoder(model, tokenizer)
        scorer = TextScorer(decoder, scored_text(decoder, text))
        assert [done for done, _ in scorer][-1] == 1.0
        losses.append(scorer.result.loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
