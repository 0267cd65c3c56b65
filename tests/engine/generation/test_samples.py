"""Several samples of one prompt, and what is said of their tokens: neither changes a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.logits_processors import Filters
from minigpt_tui.engine.generation.reply import Reply, stream_replies
from minigpt_tui.engine.generation.responder import Responder
from minigpt_tui.engine.generation.sampling import GumbelNoise, sample_seed
from minigpt_tui.engine.requests import (
    Ended,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Loaded,
    SamplingSettings,
    TokenDetail,
    Tokens,
)

WILD = SamplingSettings(temperature=1.0, top_k=6, max_tokens=40, seed=3)


def seeded(settings: SamplingSettings, sample: int) -> SamplingSettings:
    return replace(settings, seed=sample_seed(settings.seed or 0, sample))


def alone(decoder: Decoder, prompt: str, settings: SamplingSettings) -> str:
    return "".join(Reply(decoder, prompt, settings))


def side_by_side(decoder: Decoder, prompt: str, each: list[SamplingSettings]) -> list[Reply]:
    replies = [Reply(decoder, prompt, settings) for settings in each]
    texts = [""] * len(replies)
    for sample, piece in stream_replies(decoder, replies):
        texts[sample] += piece
    for reply, text in zip(replies, texts, strict=True):
        reply.text = text  # pyright: ignore[reportAttributeAccessIssue]
    return replies


@pytest.mark.parametrize("position", ["rope", "learned"])
@pytest.mark.parametrize("prompt", ["abc", "", "abcdefgh" * 3])
def test_each_sample_is_the_text_that_its_seed_writes_alone(random_model, position: str, prompt: str) -> None:
    """Also past the context length, and also where the prompt is empty."""
    decoder = Decoder(*random_model(position=position))
    for n in (2, 5):
        each = [seeded(WILD, sample) for sample in range(n)]
        texts = [reply.text for reply in side_by_side(decoder, prompt, each)]  # pyright: ignore
        assert texts == [alone(decoder, prompt, settings) for settings in each]
        assert len(set(texts)) == n
        assert texts[0] == alone(decoder, prompt, WILD)


def filtered(logits: torch.Tensor, settings: SamplingSettings) -> torch.Tensor:
    return Filters(settings, logits.shape[-1], logits.device).apply(logits)


def scores(decoder: Decoder, prompt: str, text: str, settings: SamplingSettings) -> torch.Tensor:
    """What the token after prompt and text is drawn from, noise included: the largest wins. [V]."""
    ids = decoder.tokenizer.encode(prompt + text).tolist()
    with torch.no_grad():
        logits = decoder.model(torch.tensor([ids]))[0, -1, : decoder.tokenizer.vocab_size]
    noise = GumbelNoise([settings.seed or 0], len(logits), decoder.device)
    for _ in range(len(text)):
        noise.prepare(1)
        noise.next()
    noise.prepare(1)
    return filtered(logits, settings) + noise.next()[0]


@pytest.mark.parametrize("samples", [8, pytest.param(64, marks=pytest.mark.long)])
def test_where_a_sample_is_not_the_text_that_its_seed_writes_alone_two_tokens_were_as_near_as_rounding(
    random_model, samples: int
) -> None:
    """A product over more rows adds up in another order; nothing else may tell a sample from a text alone."""
    decoder = Decoder(*random_model(context_length=64, d_model=64, n_layer=3))
    settings = SamplingSettings(temperature=1.0, max_tokens=60)
    each = [seeded(replace(settings, seed=9), sample) for sample in range(samples)]
    same = 0
    for one, reply in zip(each, side_by_side(decoder, "abc", each), strict=True):
        text, expected = reply.text, alone(decoder, "abc", one)  # pyright: ignore
        same += text == expected
        if text != expected:
            at = next(i for i in range(60) if text[i] != expected[i])
            won, lost = decoder.tokenizer.encode(text[at] + expected[at]).tolist()
            drawn_from = scores(decoder, "abc", text[:at], one)
            assert abs(drawn_from[won] - drawn_from[lost]) < 1e-3
    assert same > 0.9 * samples


def test_samples_of_a_prompt_that_starts_anywhere_start_each_where_its_seed_says(random_model) -> None:
    decoder = Decoder(*random_model("abcdefghijklm"))
    each = [seeded(WILD, sample) for sample in range(6)]
    replies = side_by_side(decoder, "", each)
    assert len({reply.ids[0] for reply in replies}) > 1
    assert [reply.text for reply in replies] == [alone(decoder, "", settings) for settings in each]  # pyright: ignore


def test_samples_end_each_at_its_own_place_and_penalties_keep_apart(random_model) -> None:
    decoder = Decoder(*random_model())
    settings = SamplingSettings(
        temperature=1.0, max_tokens=30, seed=1, stop=("a",), repetition_penalty=1.3, frequency_penalty=0.2,
        forbidden=("bc", "h"),
    )  # fmt: skip
    each = [seeded(settings, sample) for sample in range(8)]
    replies = side_by_side(decoder, "de", each)
    assert [reply.text for reply in replies] == [alone(decoder, "de", one) for one in each]  # pyright: ignore
    assert len({reply.tokens for reply in replies}) > 2
    for reply in replies:
        assert not {"a", "h"}.intersection(reply.text)  # pyright: ignore
        assert "bc" not in reply.text  # pyright: ignore
        assert reply.reason == ("length" if reply.tokens == 30 else "stop")


def test_the_prompt_is_read_once_for_all_samples(random_model, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(*random_model(context_length=64))
    read: list[tuple[int, ...]] = []
    real = decoder.model.next_logits

    def counted(tokens: torch.Tensor, cache: object) -> torch.Tensor:
        read.append(tuple(tokens.shape))
        return real(tokens, cache)  # pyright: ignore

    monkeypatch.setattr(decoder.model, "next_logits", counted)
    each = [seeded(WILD, sample) for sample in range(4)]
    side_by_side(decoder, "abcdefgh", [replace(one, max_tokens=4) for one in each])
    assert read == [(1, 8), (4, 1), (4, 1), (4, 1)]
    read.clear()
    alone(decoder, "abcdefgh", SamplingSettings(max_tokens=1))
    assert read == [(1, 1)]  # the prompt stays in the decoder's own cache


def test_a_seed_has_its_own_generators() -> None:
    seeds = [sample_seed(seed, sample) for seed in range(20) for sample in range(20)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert sample_seed(2**63 - 1, 0) == 2**63 - 1


# ------------------------------------------------------------------------------------------------- through the process


@pytest.fixture
def ask(random_model, save, tmp_path: Path) -> Callable[..., list[GenerationMessage]]:
    sent: list[GenerationMessage] = []
    responder = Responder(sent.append)
    path = save(tmp_path / "checkpoint", random_model(context_length=64))
    responder.answer(Load(1, str(path), device="cpu", threads=1), lambda: False)
    assert isinstance(sent.pop(), Loaded)

    def ask(*, stop_after: int | None = None, **options: object) -> list[GenerationMessage]:
        sent.clear()
        request = Generate(2, "abc", **{"settings": WILD} | options)  # pyright: ignore[reportArgumentType]
        responder.answer(request, lambda: stop_after is not None and len(sent) >= stop_after)
        return list(sent)

    return ask


def texts(messages: list[GenerationMessage]) -> list[str]:
    ends = [message for message in messages if isinstance(message, Ended)]
    parts = [message for message in messages if isinstance(message, Tokens)]
    for ended in ends:
        assert sum(part.count for part in parts if part.sample == ended.sample) == ended.tokens
    assert {part.sample for part in parts} <= {ended.sample for ended in ends}
    return ["".join(part.text for part in parts if part.sample == n) for n in sorted(ended.sample for ended in ends)]


def details(messages: list[GenerationMessage], sample: int = 0) -> list[TokenDetail]:
    parts = [message for message in messages if isinstance(message, Tokens) and message.sample == sample]
    assert all(len(part.details) == part.count for part in parts)
    return [detail for part in parts for detail in part.details]


def test_the_same_seed_writes_the_same_text_whatever_else_is_asked(ask) -> None:
    (text,) = texts(ask())
    assert texts(ask(explain=True)) == [text]
    three = texts(ask(samples=3))
    assert three[0] == text
    assert texts(ask(samples=7, explain=True))[:3] == three
    for sample, ended in enumerate(m for m in ask(samples=3) if isinstance(m, Ended)):
        again = replace(WILD, seed=ended.seed)
        assert texts(ask(settings=again)) == [three[sample]]


def test_without_a_seed_the_seeds_that_were_drawn_are_told(ask) -> None:
    free = SamplingSettings(temperature=1.0, max_tokens=20)
    messages = ask(settings=free, samples=3)
    seeds = [message.seed for message in messages if isinstance(message, Ended)]
    assert len(set(seeds)) == 3
    again = ask(settings=SamplingSettings(temperature=1.0, max_tokens=20, seed=seeds[0]), samples=3)
    assert texts(again) == texts(messages)


def test_a_sample_that_stops_at_its_last_token_ends_once(ask) -> None:
    once = SamplingSettings(temperature=0, max_tokens=1)
    (text,) = texts(ask(settings=once))
    for limit in (1, 2):
        messages = ask(settings=SamplingSettings(temperature=0, max_tokens=limit, stop=(text,)), samples=3)
        ends = [message for message in messages if isinstance(message, Ended)]
        assert [(end.sample, end.reason, end.tokens) for end in ends] == [(n, "stop", 1) for n in range(3)]


def test_cancelling_ends_every_sample(ask) -> None:
    messages = ask(settings=SamplingSettings(max_tokens=1_000_000), samples=4, stop_after=2)
    assert [m.reason for m in messages if isinstance(m, Ended)] == ["cancelled"] * 4
    assert len(texts(messages)) == 4


def test_explaining_changes_no_other_field(ask) -> None:
    plain, explained = ask(), ask(explain=True)
    assert not [message for message in plain if isinstance(message, Tokens) and message.details]
    assert len(details(explained)) == 40
    ends = [message for message in (*plain, *explained) if isinstance(message, Ended)]
    assert len({(end.reason, end.tokens, end.prompt_tokens, end.seed, end.notices) for end in ends}) == 1


def test_what_is_said_of_a_token_is_what_the_model_and_the_filters_make_of_it(random_model) -> None:
    model, tokenizer = random_model(context_length=64)
    settings = SamplingSettings(temperature=0.7, top_k=5, top_p=0.9, max_tokens=20, seed=4)
    reply = Reply(Decoder(model, tokenizer), "abc", settings, explain=True)
    text = "".join(reply)
    ids = tokenizer.encode("abc" + text).tolist()
    assert [detail.token for detail in reply.details] == ids[3:]
    with torch.no_grad():
        logits = model(torch.tensor([ids]))[0, 2:-1, : tokenizer.vocab_size]
    for row, detail in zip(logits, reply.details, strict=True):
        before, after = row.softmax(-1), filtered(row, settings).softmax(-1)
        assert detail.text == tokenizer.decode([detail.token])
        assert detail.probability == pytest.approx(float(before[detail.token]), rel=1e-4)
        assert detail.drawn_probability == pytest.approx(float(after[detail.token]), rel=1e-4)
        assert detail.rank == 1 + int((before > before[detail.token]).sum())
        assert detail.entropy == pytest.approx(float(torch.distributions.Categorical(logits=row).entropy()), rel=1e-4)
        order = before.argsort(descending=True)[:10].tolist()
        assert [other.token for other in detail.alternatives] == order
        assert [other.probability for other in detail.alternatives] == pytest.approx(before[order].tolist(), rel=1e-4)
        assert [o.drawn_probability for o in detail.alternatives] == pytest.approx(after[order].tolist(), rel=1e-4)


def test_greedy_text_is_drawn_from_one_token(random_model) -> None:
    reply = Reply(Decoder(*random_model()), "abc", SamplingSettings(temperature=0, max_tokens=9), explain=True)
    assert "".join(reply)
    assert [(detail.rank, detail.drawn_probability) for detail in reply.details] == [(1, 1.0)] * 9
    assert all(other.drawn_probability == 0 for detail in reply.details for other in detail.alternatives[1:])


def test_tokens_that_are_no_text_are_named() -> None:
    from minigpt_tui.engine.generation.token_details import token_text

    tokenizer = build_tokenizer("bpe", alphabet="", pieces=lambda: ["the cat "] * 50, bpe_vocab_size=260)
    (end,) = tokenizer.end_tokens
    assert token_text(end, tokenizer) in tokenizer.special_tokens
    assert [token_text(token, tokenizer) for token in tokenizer.encode("é")] == ["<C3>", "<A9>"]


def test_a_prompt_with_decomposed_letters_is_composed_where_the_model_knows_those(chain) -> None:
    settings = SamplingSettings(temperature=0, max_tokens=3)
    decomposed = unicodedata.normalize("NFD", "aé")
    reply = Reply(Decoder(*chain("aéñu")), decomposed, settings)
    assert "".join(reply) == "ñua"
    assert reply.notices == (
        "the prompt is read with its letters and marks composed (NFC), as the model has learned them",
    )
    assert reply.prompt_tokens == 2
    as_learned = Reply(Decoder(*chain("ae\u0301u")), "ae\u0301", settings)
    assert "".join(as_learned) == "uae"
    assert as_learned.notices == ()


@pytest.mark.parametrize("stop", ["é", "e\u0301"])
def test_a_stop_text_is_composed_as_the_prompt_is(chain, stop: str) -> None:
    reply = Reply(Decoder(*chain("abcéd")), "a", SamplingSettings(temperature=0, max_tokens=9, stop=(stop,)))
    assert ("".join(reply), reply.reason, reply.notices) == ("bc", "stop", ())


def test_a_stop_text_that_the_model_cannot_write_is_a_notice(chain) -> None:
    settings = SamplingSettings(temperature=0, max_tokens=4, stop=("d\u2028", "c"))
    reply = Reply(Decoder(*chain("abcdefgh")), "a", settings)
    assert "".join(reply) == "b"
    assert reply.notices == ("stop text 'd\\u2028' never ends a reply: the model has never seen '\\u2028'",)


# ----------------------------------------------------------------------------------------------------- forbidden texts


def test_a_forbidden_text_is_not_written_and_one_that_cannot_be_is_a_notice(chain) -> None:
    settings = SamplingSettings(temperature=0, max_tokens=6, forbidden=("€d", "cd"))
    reply = Reply(Decoder(*chain("abcdefgh")), "ab", settings)
    text = "".join(reply)
    assert text[0] == "c"
    assert text[1] != "d"
    assert reply.notices == ("forbidden text '€d' ignored: the model has never seen '€'",)


def test_the_prompt_counts_for_what_is_forbidden_and_for_penalties(chain) -> None:
    model, tokenizer = chain("abcdefgh", loose=True)
    assert alone(Decoder(model, tokenizer), "cab", SamplingSettings(temperature=0, max_tokens=1)) == "c"
    reply = Reply(Decoder(model, tokenizer), "ab", SamplingSettings(temperature=0, max_tokens=1, forbidden=("bc",)))
    assert "".join(reply) != "c"
    reply = Reply(Decoder(model, tokenizer), "cab", SamplingSettings(temperature=0, max_tokens=1, presence_penalty=99))
    assert "".join(reply) != "c"


@pytest.mark.parametrize("forbidden", [tuple("abcdefgh\n"), tuple(f"c{letter}" for letter in "abcdefgh\n")])
def test_forbidding_everything_is_refused_in_a_sentence_and_the_next_prompt_is_answered(ask, forbidden) -> None:
    failed = ask(settings=SamplingSettings(temperature=0, forbidden=forbidden))[-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.message.split(";")[1]) == ("prompt", " forbid fewer")
    assert len(texts(ask(samples=2))) == 2
