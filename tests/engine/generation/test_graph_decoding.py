"""Tokens drawn ahead are the tokens of a reply that is written one by one, whatever is asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from minigpt_tui.data.tokenizers import Tokenizer
from minigpt_tui.engine.generation.decode_graphs import DecodeGraphs, run_eagerly
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.reply import Reply, stream_replies
from minigpt_tui.engine.generation.sampling import sample_seed
from minigpt_tui.engine.requests import RequestError, SamplingSettings
from minigpt_tui.models import gpt
from minigpt_tui.models.fast.cuda_graph import Work
from minigpt_tui.models.gpt import GPT

BLOCKS = {
    "modern": {},
    "grouped": {"n_kv_head": 1, "n_head": 4, "head_dim": 6, "bias": True},
    "classic": {"position": "learned", "norm": "layer", "mlp": "gelu", "qk_norm": False, "tied": True},
    "post-norm": {"position": "sinusoidal", "norm": "layer", "norm_position": "post", "mlp": "relu", "qk_norm": False},
    "no positions": {"position": "none", "mlp": "none"},
    "stretched": {"rope_scaling": "linear", "rope_factor": 2.0},
}
SETTINGS = {
    "greedy": SamplingSettings(temperature=0, max_tokens=40),
    "plain": SamplingSettings(temperature=1.2, max_tokens=90),
    "filters": SamplingSettings(temperature=0.9, top_k=6, top_p=0.95, min_p=0.01, typical_p=0.9, max_tokens=40),
    "penalties": SamplingSettings(
        repetition_penalty=1.3, presence_penalty=0.2, frequency_penalty=0.1, penalty_window=5, max_tokens=40
    ),
    "forbidden": SamplingSettings(temperature=1.5, forbidden=("a", "bc", "def"), stop=("gg",), max_tokens=40),
}


def ahead(made: tuple[GPT, Tokenizer], tokens_per_replay: int) -> Decoder:
    """A decoder that draws ahead; its work is done again instead of being replayed."""
    decoder = Decoder(*made)
    decoder.graphs = DecodeGraphs(decoder.model, decoder.context_length, run_eagerly, tokens_per_replay)
    return decoder


def written(
    decoder: Decoder,
    prompt: str,
    settings: SamplingSettings,
    n: int = 1,
    explain: bool = False,
    changes: Callable[[int], SamplingSettings | None] = lambda drawn: None,
) -> list[Reply]:
    each = [replace(settings, seed=sample_seed(settings.seed or 3, i)) for i in range(n)]
    replies = [Reply(decoder, prompt, one, explain) for one in each]
    texts = [""] * n
    for sample, piece in stream_replies(decoder, replies, changes):
        texts[sample] += piece
    for reply, text in zip(replies, texts, strict=True):
        reply.text = text  # pyright: ignore[reportAttributeAccessIssue]
    return replies


def summary(replies: list[Reply]) -> list[tuple[object, ...]]:
    return [(reply.text, reply.reason, reply.tokens, reply.seed, reply.notices) for reply in replies]  # pyright: ignore


@pytest.mark.parametrize(
    "tokens_per_replay", [4, *(pytest.param(number, marks=pytest.mark.long) for number in (1, 16))]
)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_text_is_that_of_a_token_at_a_time(
    random_model, settings: SamplingSettings, tokens_per_replay: int
) -> None:
    """Past the context too, for prompts of any length, one after another by the same graphs."""
    made = random_model()
    drawn_ahead, plain = ahead(made, tokens_per_replay), Decoder(*made)
    for seed, prompt in enumerate(("abc", "abcdefgh" * 3, "", "abc"), 1):
        some = replace(settings, seed=seed)
        assert summary(written(drawn_ahead, prompt, some)) == summary(written(plain, prompt, some))


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings_that_change_act_on_the_next_token_whatever_was_drawn_ahead(
    random_model, settings: SamplingSettings, n: int
) -> None:
    """Before the context is full, when it is, and after."""
    made = random_model()
    wanted = {3: "filters", 13: "greedy", 14: "plain", 16: "penalties", 31: "filters", 32: "plain"}

    def changes(drawn: int) -> SamplingSettings | None:
        names = [name for at, name in wanted.items() if at <= drawn]
        return SETTINGS[names[-1]] if names else None

    for prompt in ("abc", "abcdefgh" * 3):
        plain = written(Decoder(*made), prompt, settings, n, changes=changes)
        assert summary(written(ahead(made, 4), prompt, settings, n, changes=changes)) == summary(plain)
        assert summary(written(Decoder(*made), prompt, settings, n, changes=changes)) == summary(plain)


@pytest.mark.parametrize("alternatives", [0, 3])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_tokens_that_are_drawn_ahead_are_explained_as_those_of_a_token_at_a_time(
    random_model, settings: SamplingSettings, alternatives: int
) -> None:
    """Of several rows too, which end at places of their own."""
    made = random_model()
    for n in (1, 3):
        both: list[list[Reply]] = []
        for decoder in (ahead(made, 16), Decoder(*made)):
            each = [replace(settings, seed=sample_seed(4, i), max_tokens=30) for i in range(n)]
            replies = [Reply(decoder, "abcdefgh", one, explain=True, alternatives=alternatives) for one in each]
            for _ in stream_replies(decoder, replies):
                pass
            both.append(replies)
        for ours, plain in zip(*both, strict=True):
            assert [detail.token for detail in ours.details] == [detail.token for detail in plain.details]
            for one, other in zip(ours.details, plain.details, strict=True):
                assert (one.text, one.rank, one.characters) == (other.text, other.rank, other.characters)
                assert one.probability == pytest.approx(other.probability, rel=1e-4)
                assert one.drawn_probability == pytest.approx(other.drawn_probability, rel=1e-4)
                assert one.entropy == pytest.approx(other.entropy, rel=1e-4)
                assert len(one.alternatives) == alternatives
                assert [a.token for a in one.alternatives] == [a.token for a in other.alternatives]


@pytest.mark.parametrize("options", BLOCKS.values(), ids=BLOCKS)
def test_every_block_draws_ahead(random_model, options: dict[str, object]) -> None:
    made = random_model(**options)
    settings = SamplingSettings(temperature=1.0, max_tokens=60)
    assert summary(written(ahead(made, 4), "abc", settings)) == summary(written(Decoder(*made), "abc", settings))


@pytest.mark.parametrize("context_length", [1, 2, 7])
def test_a_short_window_draws_ahead(random_model, context_length: int) -> None:
    made = random_model(context_length=context_length)
    settings = SamplingSettings(temperature=1.0, max_tokens=40)
    assert summary(written(ahead(made, 4), "abc", settings)) == summary(written(Decoder(*made), "abc", settings))


@pytest.mark.parametrize("prompt", ["abc", ""])
@pytest.mark.parametrize("name", ["plain", "forbidden", "penalties"])
def test_several_samples_end_each_at_its_own_place(random_model, prompt: str, name: str) -> None:
    made = random_model("abcdefghijk")
    settings = replace(SETTINGS[name], stop=("g",))
    several = written(ahead(made, 4), prompt, settings, 6)
    assert summary(several) == summary(written(Decoder(*made), prompt, settings, 6))
    assert len({reply.tokens for reply in several}) > 2


def test_explaining_changes_no_text_and_says_the_same(random_model) -> None:
    made, settings = random_model(), replace(SETTINGS["filters"], max_tokens=30)
    decoder = ahead(made, 4)
    explained, plain = (written(one, "abc", settings, 3, explain=True) for one in (decoder, Decoder(*made)))
    assert summary(explained) == summary(plain) == summary(written(decoder, "abc", settings, 3))
    for one, other in zip(explained, plain, strict=True):
        assert [detail.token for detail in one.details] == [detail.token for detail in other.details]
        for mine, theirs in zip(one.details, other.details, strict=True):
            assert mine.probability == pytest.approx(theirs.probability, rel=1e-3)
            assert mine.drawn_probability == pytest.approx(theirs.drawn_probability, rel=1e-3)


@pytest.mark.parametrize("cancels", [4, pytest.param(40, marks=pytest.mark.long)])
def test_a_reply_that_is_cancelled_anywhere_leaves_the_next_one_as_it_was(random_model, cancels: int) -> None:
    made, chance = random_model(), random.Random(1)
    decoder, plain = ahead(made, 16), Decoder(*made)
    endless = replace(SETTINGS["plain"], max_tokens=1_000_000, seed=4)
    for _ in range(cancels):
        wanted = chance.randint(0, 60)
        texts = []
        for one in (decoder, plain):
            reply = Reply(one, "abc", endless)
            pieces = iter(reply)
            text = "".join(next(pieces) for _ in range(wanted))
            reply.cancel()
            texts.append((text + "".join(pieces), reply.tokens, reply.reason))
        assert texts[0] == texts[1]
        assert summary(written(decoder, "de", SETTINGS["filters"])) == summary(
            written(plain, "de", SETTINGS["filters"])
        )


def test_forbidding_everything_is_refused_and_the_next_prompt_is_answered(random_model) -> None:
    made = random_model("abc")
    decoder = ahead(made, 4)
    for forbidden in (("a", "b", "c"), ("ca", "cb", "cc")):
        with pytest.raises(RequestError, match="forbid fewer"):
            written(decoder, "abc", SamplingSettings(max_tokens=40, forbidden=forbidden))
    assert summary(written(decoder, "abc", SETTINGS["plain"])) == summary(
        written(Decoder(*made), "abc", SETTINGS["plain"])
    )


def test_one_graph_serves_settings_that_differ_in_numbers_and_draws_several_tokens_at_once(random_model) -> None:
    captured, replayed = [], []

    def capture(work: Work, rewind: Work, device: torch.device) -> Work:
        """As a graph does: the work is done before, and undone."""
        for _ in range(2):
            work()
            rewind()
        number = len(captured)
        captured.append(work)

        def replay() -> None:
            replayed.append(number)
            work()

        return replay

    made = random_model(context_length=64)
    decoder, plain = Decoder(*made), Decoder(*made)
    decoder.graphs = DecodeGraphs(decoder.model, decoder.context_length, capture, 16)
    for temperature, top_k, top_p, seed in ((0.7, 5, 0.9, 1), (1.1, 7, 0.8, 2), (1.4, 6, 0.99, 3)):
        settings = SamplingSettings(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, max_tokens=48)
        assert summary(written(decoder, "abcdefgh", settings)) == summary(written(plain, "abcdefgh", settings))
    assert len(captured) == 2  # of one token and of sixteen
    assert replayed == [1, 1, 1, 0] * 3  # thrice sixteen tokens, and one ahead of the reader
    written(decoder, "abc", replace(SETTINGS["plain"], seed=1))
    assert len(captured) == 4


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("plain", 1),
        ("penalties", 3),
        *(pytest.param(name, rows, marks=pytest.mark.long) for name in ("filters", "forbidden") for rows in (1, 3)),
    ],
)
def test_a_text_that_outgrows_a_window_goes_on_in_the_next(random_model, name: str, rows: int) -> None:
    made, captured = random_model(context_length=64), []

    def capture(work: Work, rewind: Work, device: torch.device) -> Work:
        """As a graph does: the work is done before, and undone."""
        for _ in range(2):
            work()
            rewind()
        captured.append(work)
        return work

    decoder, plain = Decoder(*made), Decoder(*made)
    decoder.graphs = DecodeGraphs(decoder.model, decoder.context_length, capture, 4, windows=(8, 24))
    for seed, prompt in enumerate(("abc", "abcdefgh" * 2, "abcdefgh" * 5, "abc"), 1):
        some = replace(SETTINGS[name], seed=seed)
        assert summary(written(decoder, prompt, some, rows)) == summary(written(plain, prompt, some, rows))
    assert len(captured) == 6  # of one token and of four, for each window
    read: list[int] = []
    with patch.object(gpt, "fused_attention", spy(read)):
        written(decoder, "abc", replace(SETTINGS[name], max_tokens=4), rows)
    windows = set(read) - {len("abc")}  # the prompt is read without a graph
    assert windows == {8, 24}  # a replay is under way while the tokens of one before are taken


def spy(read: list[int]) -> Callable[..., torch.Tensor]:
    """The attention, and how many positions it reads."""
    original = gpt.fused_attention

    def attend(q: torch.Tensor, k: torch.Tensor, *others: object) -> torch.Tensor:
        read.append(k.shape[2])
        return original(q, k, *others)  # type: ignore[arg-type]

    return attend


def test_new_weights_are_those_of_the_next_reply(random_model) -> None:
    made, other = random_model(), random_model()[0]
    with torch.no_grad():
        for matrix in other.hidden_matrices():
            matrix.neg_()
    decoder = ahead(made, 4)
    written(decoder, "abc", SETTINGS["plain"])
    decoder.load_weights(other, made[1])
    expected = summary(written(Decoder(other, made[1]), "abc", SETTINGS["plain"]))
    assert summary(written(decoder, "abc", SETTINGS["plain"])) == expected


def test_where_no_graph_can_be_captured_the_same_is_written_and_the_reason_told(random_model) -> None:
    def fail(work: Work, rewind: Work, device: torch.device) -> Work:
        work()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    made = random_model()
    decoder = Decoder(*made)
    decoder.graphs = DecodeGraphs(decoder.model, decoder.context_length, fail)
    assert summary(written(decoder, "abc", SETTINGS["plain"])) == summary(
        written(Decoder(*made), "abc", SETTINGS["plain"])
    )
    (told,) = decoder.take_notices()
    assert "(operation not permitted when stream is capturing)" in told
    written(decoder, "abc", SETTINGS["filters"])
    assert decoder.take_notices() == ()


def test_rows_whose_cache_takes_too_much_memory_are_decoded_without_a_graph(random_model) -> None:
    made = random_model()
    decoder, position = Decoder(*made), 2 * 2 * 16 * 4
    decoder.graphs = DecodeGraphs(decoder.model, decoder.context_length, run_eagerly, 4, max_cache=3 * 16 * position)
    assert [decoder.graphs.has_room(rows) for rows in (1, 3, 4)] == [True, True, False]
    several = written(decoder, "abc", SETTINGS["plain"], 4)
    assert summary(several) == summary(written(Decoder(*made), "abc", SETTINGS["plain"], 4))
