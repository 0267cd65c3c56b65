"""Replies that begin behind given tokens: where a reply stopped, or at another token in the place of one of its own."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from minigpt_tui.data.tokenizers import ByteTokenizer, CharTokenizer, ForeignTokenizer, Tokenizer
from minigpt_tui.data.tokenizers.tokenizer_json import bpe_model, document
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.prompt import Prompt
from minigpt_tui.engine.generation.reply import Reply
from minigpt_tui.engine.generation.responder import Responder
from minigpt_tui.engine.requests import (
    Ended,
    ExplainPlace,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Place,
    RequestError,
    SamplingSettings,
    Tokens,
)
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT

PENALTIES = {"repetition_penalty": 1.7, "frequency_penalty": 0.4, "presence_penalty": 0.3}


def settings(**options: object) -> SamplingSettings:
    return SamplingSettings(**{"temperature": 0, "max_tokens": 40} | options)  # type: ignore[arg-type]


def written(reply: Reply) -> tuple[str, list[int]]:
    """The text of a reply that explains its tokens, and their ids."""
    text = "".join(reply)
    return text, [detail.token for detail in reply.details]


@pytest.mark.parametrize("prompt", ["", "ab", "abcdefgh" * 2, "hgfedcba" * 5 + "a"], ids=len)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="plain"),
        pytest.param(PENALTIES, id="all", marks=pytest.mark.long),
        pytest.param(PENALTIES | {"penalty_window": 9}, id="window"),
    ],
)
def test_a_reply_that_goes_on_writes_what_it_would_have_written_without_a_stop(
    random_model, prompt: str, options: dict[str, object]
) -> None:
    """Greedily, with penalties, and wherever it stopped: within the context of 16 tokens and past it."""
    model, tokenizer = random_model()
    text, ids = written(Reply(Decoder(model, tokenizer), prompt, settings(**options), explain=True))
    for stop in (1, 7, 15, 16, 17, 24, 25, 26, 33):
        rest = settings(**options | {"max_tokens": 40 - stop})
        decoder = Decoder(model, tokenizer)
        reply = Reply(decoder, Prompt(decoder, prompt, then=ids[:stop]), rest, explain=True)
        assert written(reply) == (text[stop:], ids[stop:])
        assert len(reply.ids) <= 16


def test_a_character_whose_bytes_fall_on_both_sides_of_a_stop_is_written_whole_behind_it() -> None:
    smile = "🙂é".encode()
    model = GPT(ModelConfig(256, 32, n_layer=1, n_head=1, d_model=256, qk_norm=False))
    assert model.head is not None
    with torch.no_grad():
        model.embedding.copy_(torch.eye(256))
        model.head.zero_()
        for current, following in zip(smile, smile[1:] + smile[:1], strict=True):
            model.head[following, current] = 50
    decoder = Decoder(model, ByteTokenizer())
    shown = {stop: "".join(Reply(decoder, "é", settings(max_tokens=stop))) for stop in range(1, 7)}
    for stop, text in shown.items():
        reply = Reply(decoder, Prompt(decoder, "é", then=(smile * 2)[:stop]), settings(max_tokens=12 - stop))
        assert text + "".join(reply) == "🙂é🙂é"


def words_with_ends() -> ForeignTokenizer:
    """Tokens that end words, as those of the first GPT."""
    names = ["a", "b", "ab</w>", "c</w>", "!</w>", "é</w>", "a</w>", "b</w>", "c", "!", "é", "<unk>"]
    model = bpe_model({name: number for number, name in enumerate(names)}, [("a", "b</w>")])
    model |= {"unk_token": "<unk>", "end_of_word_suffix": "</w>"}
    content = document(model, {"type": "BertPreTokenizer"}, {"type": "BPEDecoder", "suffix": "</w>"})
    return ForeignTokenizer(content, None, {})


@pytest.mark.parametrize(
    "stop", [(), ("b c", "ﬀ", "\x05"), ("a b", "\ufffd\ufffd\ufffd")], ids=["none", "some", "others"]
)
@pytest.mark.parametrize("make", [ByteTokenizer, words_with_ends], ids=["bytes", "words"])
def test_the_text_of_a_reply_does_not_depend_on_where_it_paused(
    make: Callable[[], Tokenizer], stop: tuple[str, ...]
) -> None:
    """Of random bytes, most of them no characters, and of words; up to a stop text, wherever that begins."""
    tokenizer = make()
    model = GPT(ModelConfig(tokenizer.vocab_size, 512, n_layer=1, n_head=1, d_model=16))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    decoder = Decoder(model.eval(), tokenizer)
    wild = settings(temperature=3, seed=4, max_tokens=150)
    whole, ids = written(Reply(decoder, "a b", wild, explain=True))
    forced = Forced(decoder, ids)
    stopped = forced.text(Prompt(decoder, "a b"), 0, stop)
    assert whole.startswith(stopped)
    for pause in range(len(ids)):
        before = forced.text(Prompt(decoder, "a b"), 0, (), pause)
        if len(before) > len(stopped):
            break  # a stop text would have ended it there
        assert before + forced.text(Prompt(decoder, "a b", then=ids[:pause]), pause, stop) == stopped


class Forced:
    """Replies whose tokens are given."""

    def __init__(self, decoder: Decoder, ids: list[int]) -> None:
        self._decoder, self._ids = decoder, ids

    def text(self, prompt: Prompt, start: int, stop: tuple[str, ...], end: int | None = None) -> str:
        reply = Reply(self._decoder, prompt, settings(max_tokens=999, stop=stop))
        text = ""
        for token in self._ids[start:end]:
            text += reply.add(token)
            if reply.ended:
                return text
        return text + reply.finish()


def test_a_stop_text_that_began_before_the_stop_ends_the_reply(chain) -> None:
    decoder = Decoder(*chain("abcdefgh"))
    reply = Reply(decoder, Prompt(decoder, "a", then=(1, 2)), settings(stop=("cde",)))
    assert (written(reply)[0], reply.reason, reply.tokens) == ("", "stop", 2)
    reply = Reply(decoder, "abc", settings(stop=("cde",), max_tokens=2))  # a stop text lies within the reply alone
    assert "".join(reply) == "de"


def test_an_alternative_is_a_token_whatever_its_spelling(chain) -> None:
    decoder = Decoder(*chain("abcdefgh"))
    assert "".join(Reply(decoder, Prompt(decoder, "ab", then=(6,)), settings(max_tokens=3))) == "hab"
    assert "".join(Reply(decoder, Prompt(decoder, "", then=(2,)), settings(max_tokens=3, seed=5))) == "def"


@pytest.mark.parametrize("token", [-1, 8, 2**40])
def test_an_id_that_the_model_does_not_have_is_one_sentence(chain, token: int) -> None:
    with pytest.raises(RequestError, match=rf"goes on with the token {token}, but the model has those from 0 to 7"):
        Prompt(Decoder(*chain("abcdefgh")), "ab", then=(1, token))


def test_what_the_model_reads_of_a_long_text_is_told(random_model) -> None:
    prompt = Prompt(Decoder(*random_model()), "abcd", then=tuple(range(8)) * 3)
    assert (len(prompt.read_ids(1)), prompt.tokens) == (10, 10)  # it began anew twice, nine tokens later each time
    assert prompt.notices == ["the text so far has 28 tokens; the model reads its last 10"]
    tokenizer = CharTokenizer("abcdefgh\n")
    tokenizer.begin = (8,)
    prompt = Prompt(Decoder(random_model()[0], tokenizer), "abc", then=(1,) * 12)
    assert (len(prompt.read_ids(1)), prompt.tokens, prompt.notices) == (16, 15, [])


# ---------------------------------------------------------------------- what the cache keeps of a long text


class Read:
    """A decoder that counts what its model reads."""

    def __init__(self, model: GPT, tokenizer: CharTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoder, self.tokens, read = Decoder(model, tokenizer), 0, model.next_logits

        def counted(tokens: torch.Tensor, cache: object) -> torch.Tensor:
            self.tokens += tokens.shape[1]
            return read(tokens, cache)  # type: ignore[arg-type]

        monkeypatch.setattr(model, "next_logits", counted)

    def until_first(self, prompt: str, then: tuple[int, ...] = (), more: int = 1) -> int:
        """How many tokens are read until the first one comes; `more` are drawn."""
        self.tokens = 0
        pieces = iter(Reply(self.decoder, Prompt(self.decoder, prompt, then=then), settings(max_tokens=more)))
        next(pieces)
        first = self.tokens
        for _ in pieces:
            pass
        return first


@pytest.fixture
def read(random_model, monkeypatch: pytest.MonkeyPatch) -> Read:
    model, tokenizer = random_model(context_length=1024, n_layer=1)
    return Read(model, tokenizer, monkeypatch)


@pytest.fixture(scope="module")
def long_text() -> str:
    return "".join(random.Random(3).choices("abcdefgh\n", k=100_000))


def test_an_edit_before_the_window_of_a_long_text_reads_nothing_again(read: Read, long_text: str) -> None:
    assert 512 <= read.until_first(long_text) <= 1024
    for edited in (long_text[:50_000] + "new words" + long_text[50_000:], long_text[:40_000] + long_text[50_000:]):
        assert read.until_first(edited) == 1


def test_an_edit_within_the_window_reads_what_follows_it(read: Read, long_text: str) -> None:
    read.until_first(long_text)
    assert read.until_first(long_text[:-100] + "edited" + long_text[-100:]) <= 106
    assert read.until_first(long_text[:-100]) <= 1
    assert read.until_first(long_text + "abc") <= 109


def test_going_on_at_the_end_of_a_long_text_reads_the_new_tokens_until_the_window_moves(
    read: Read, long_text: str
) -> None:
    lengths = []
    for more in range(0, 600, 6):
        lengths.append(read.until_first(long_text + "abcdef" * (more // 6)))
    anew = [length for length in lengths if length > 6]
    assert 1 <= len(anew) <= 6
    assert max(anew) <= 1024


def test_a_long_reply_that_goes_on_reads_its_last_token_alone(read: Read, long_text: str) -> None:
    reply = Reply(read.decoder, long_text, settings(max_tokens=700), explain=True)
    _, ids = written(reply)
    assert read.until_first(long_text, tuple(ids)) == 1
    assert read.until_first(long_text, tuple(ids[:-3])) == 1


# ---------------------------------------------------------------------- as requests


@pytest.fixture
def answers(random_model, save, tmp_path):
    """Answer requests with a model on disk; returns the messages."""
    sent: list[GenerationMessage] = []
    responder = Responder(sent.append)
    responder.answer(Load(1, str(save(tmp_path / "checkpoint", random_model(), step=7)), device="cpu"), lambda: False)

    def answer(request) -> list[GenerationMessage]:
        sent.clear()
        responder.answer(request, lambda: False)
        return list(sent)

    return answer


def test_a_place_is_explained_as_its_token_would_be_drawn(answers) -> None:
    chosen = SamplingSettings(temperature=0.7, top_k=4, repetition_penalty=1.3, seed=3, max_tokens=6)
    *pieces, ended = answers(Generate(2, "abc", chosen, explain=True, alternatives=3))
    assert isinstance(ended, Ended)
    details = [detail for piece in pieces if isinstance(piece, Tokens) for detail in piece.details]
    assert [len(detail.alternatives) for detail in details] == [3] * 6
    ids = tuple(detail.token for detail in details)
    for at, detail in enumerate(details):
        (place,) = answers(ExplainPlace(3, "abc", ids[:at], chosen, 3))
        assert isinstance(place, Place)
        assert place.step == 7
        assert [other.token for other in place.alternatives] == [other.token for other in detail.alternatives]
        for one, other in zip(place.alternatives, detail.alternatives, strict=True):
            assert one.probability == pytest.approx(other.probability, rel=1e-4)
            assert one.drawn_probability == pytest.approx(other.drawn_probability, rel=1e-4, abs=1e-7)
        assert place.entropy == pytest.approx(detail.entropy, rel=1e-4)
        assert place.rest == pytest.approx(1 - sum(other.probability for other in place.alternatives), abs=1e-6)
        assert place.drawn_rest == pytest.approx(
            1 - sum(other.drawn_probability for other in place.alternatives), abs=1e-6
        )
        drawn = [other.drawn_probability for other in place.drawn_alternatives]
        assert drawn == sorted(drawn, reverse=True)
    (place,) = answers(ExplainPlace(3, "abc", ids, SamplingSettings(temperature=0), 50))
    assert isinstance(place, Place)
    assert (len(place.alternatives), place.rest, place.drawn_entropy) == (9, 0, 0)
    assert place.drawn_alternatives[0].drawn_probability == 1


def test_looking_at_places_of_a_text_leaves_the_cache_as_it_is(random_model, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = random_model(context_length=64)
    read = Read(model, tokenizer, monkeypatch)
    text = "abcdefgh" * 6
    read.until_first(text)
    for length in (40, 3, 17):
        read.tokens = 0
        before = read.decoder.logits_after(tokenizer.encode(text[:length]).tolist())
        assert read.tokens == 1
        alone = Decoder(model, tokenizer).prefill(tokenizer.encode(text[:length]).tolist())
        assert torch.allclose(before, alone, atol=1e-4)
    assert read.until_first(text + "a") == 1
    fresh = "".join(Reply(Decoder(model, tokenizer), text + "a", settings(max_tokens=12)))
    assert "".join(Reply(read.decoder, text + "a", settings(max_tokens=12))) == fresh


def test_probabilities_come_without_alternatives_and_each_token_knows_its_characters(answers) -> None:
    *pieces, _ = answers(Generate(2, "abc", settings(), explain=True, alternatives=0))
    details = [detail for piece in pieces if isinstance(piece, Tokens) for detail in piece.details]
    assert [(detail.alternatives, detail.characters) for detail in details] == [((), 1)] * 40


def test_what_cannot_be_explained_is_one_sentence(answers) -> None:
    for request in (
        ExplainPlace(2, "a", (99,)),
        Generate(2, "a", then=(99,)),
        ExplainPlace(2, "a", (), SamplingSettings(forbidden=tuple("abcdefgh\n"))),
    ):
        (failed,) = answers(request)
        assert isinstance(failed, Failed)
        assert (failed.kind, "\n" in failed.message) == ("prompt", False)


def test_numbers_of_alternatives_have_a_limit() -> None:
    for made in (lambda n: Generate(1, "", alternatives=n), lambda n: ExplainPlace(1, "", alternatives=n)):
        with pytest.raises(ValueError, match="alternatives must lie between 0 and 50, not 51"):
            made(51)
