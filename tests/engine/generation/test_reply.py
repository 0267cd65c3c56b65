from __future__ import annotations

import pytest
import torch
from minigpt_tui.data.speakers.form import SpeechForm
from minigpt_tui.data.tokenizers import CharTokenizer, Tokenizer, UnknownCharacterError, build_tokenizer
from minigpt_tui.data.tokenizers.foreign import ForeignTokenizer
from minigpt_tui.data.tokenizers.tokenizer_json import document
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.reply import Reply
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT


def settings(**options: object) -> SamplingSettings:
    return SamplingSettings(**{"temperature": 0, "max_tokens": 6} | options)  # type: ignore[arg-type]


def test_continues_the_prompt_up_to_max_tokens(chain) -> None:
    reply = Reply(Decoder(*chain("abcdefgh")), "ab", settings())
    assert "".join(reply) == "cdefgh"
    assert (reply.reason, reply.tokens, reply.prompt_tokens, reply.notices) == ("length", 6, 2, ())


def test_stops_before_a_stop_string(chain) -> None:
    pieces = list(reply := Reply(Decoder(*chain("abcdefgh")), "ab", settings(stop=("x", "fg"))))
    assert pieces == ["c", "d", "e", "", ""]
    assert (reply.reason, reply.tokens) == ("stop", 5)


def test_a_speech_ends_before_the_line_of_the_next_speaker(chain) -> None:
    """Of the tokens that wrote his name the details are known, as those of a stop string are."""
    form, decoder = SpeechForm(after=": ", names=("KB",)), Decoder(*chain("B: hey\nK"))
    pieces = list(reply := Reply(decoder, "KB:", settings(max_tokens=40), explain=True, speech=form))
    assert pieces == [" ", "h", "e", "y", "", "", "", ""]
    assert (reply.reason, reply.tokens, len(reply.details)) == ("stop", 8, 8)
    assert sum(detail.characters for detail in reply.details) == 8
    cut_off = Reply(decoder, "KB:", settings(max_tokens=6), speech=form)
    assert ("".join(cut_off), cut_off.reason, cut_off.tokens) == (" hey", "length", 6)
    without = Reply(decoder, "KB:", settings(max_tokens=8))
    assert "".join(without) == " hey\nKB:"


def test_a_mark_that_is_a_token_of_the_model_ends_a_speech() -> None:
    tokenizer = CharTokenizer("abcdefgh")
    tokenizer.special_tokens = {"<|bo|>": 4, "<unk>": 2}
    decoder = spelling(tokenizer, [*range(8)])
    reply = Reply(decoder, "a", settings(), speech=SpeechForm("<|", "|>", "<|end|>", "mark"))
    assert ("".join(reply), reply.reason) == ("bcd", "stop")
    assert "".join(Reply(decoder, "a", settings())) == "bcdefg"


def test_cancelling_keeps_the_text_also_what_waited_for_a_stop_string(chain) -> None:
    reply = Reply(Decoder(*chain("abcdefgh")), "ab", settings(stop=("dex",)))
    pieces = iter(reply)
    assert [next(pieces) for _ in range(3)] == ["c", "", ""]
    reply.cancel()
    assert list(pieces) == ["de"]
    assert (reply.reason, reply.tokens) == ("cancelled", 3)


def test_unknown_characters_are_left_out_and_named(chain) -> None:
    reply = Reply(Decoder(*chain("abcdefgh")), "é€abé", settings())
    assert "".join(reply) == "cdefgh"
    assert reply.prompt_tokens == 2
    assert reply.notices == ("the model has never seen 'é', '€'; left out of the prompt",)


def test_a_notice_does_not_name_a_whole_alphabet(chain) -> None:
    reply = Reply(Decoder(*chain("abc")), "a" + "".join(map(chr, range(0x4E00, 0x4E20))), settings())
    assert reply.notices[0].endswith("'万' and 24 more; left out of the prompt")


def test_a_long_prompt_keeps_its_last_part(chain) -> None:
    reply = Reply(Decoder(*chain("abcdefgh", context_length=4)), "abcdefghab", settings(max_tokens=1))
    assert "".join(reply) == "c"
    assert reply.prompt_tokens == 4
    assert reply.notices == ("the prompt has 10 tokens; the model reads its last 4",)


def test_passing_the_context_is_a_notice_from_the_first_token_that_was_drawn_past_it(chain) -> None:
    decoder = Decoder(*chain("abcdefgh", context_length=4))
    notices = []
    for n in (3, 4):
        reply = Reply(decoder, "ab", settings(max_tokens=n))
        assert "".join(reply) == "cdef"[:n]
        notices.append(reply.notices)
    assert notices == [(), ("context 4 passed, last 2 re-read",)]


def test_an_empty_prompt_starts_from_a_new_line(chain) -> None:
    reply = Reply(Decoder(*chain("\nabc")), "", settings(max_tokens=3))
    assert "".join(reply) == "abc"
    assert (reply.prompt_tokens, reply.notices) == (0, ())


def test_without_a_new_line_an_empty_prompt_starts_anywhere_but_the_seed_decides(chain) -> None:
    decoder = Decoder(*chain("abcdefgh"))
    texts = {seed: "".join(Reply(decoder, "", settings(seed=seed))) for seed in range(30)}
    assert len(set(texts.values())) > 4
    assert all("".join(Reply(decoder, "", settings(seed=seed))) == text for seed, text in texts.items())


def test_the_same_seed_writes_the_same_text(chain) -> None:
    decoder, loose = Decoder(*chain("abcdefgh", loose=True)), settings(temperature=1.0, max_tokens=60, seed=7)
    texts = ["".join(Reply(decoder, "ab", loose)) for _ in range(3)]
    assert texts == texts[:1] * 3
    reply = Reply(decoder, "ab", settings(temperature=1.0, max_tokens=60))
    text = "".join(reply)
    assert text != texts[0]
    assert "".join(Reply(decoder, "ab", settings(temperature=1.0, max_tokens=60, seed=reply.seed))) == text


def test_a_byte_model_never_shows_half_a_character() -> None:
    """A byte chain that spells 🙂 again and again; the last one is cut by max_tokens."""
    tokenizer, smile = build_tokenizer("byte", alphabet="", pieces=list), "🙂".encode()
    model = GPT(ModelConfig(256, 32, n_layer=1, n_head=1, d_model=256, qk_norm=False))
    assert model.head is not None
    with torch.no_grad():
        model.embedding.copy_(torch.eye(256))
        model.head.zero_()
        for current, following in zip(smile, smile[1:] + smile[:1], strict=True):
            model.head[following, current] = 50
    reply = Reply(Decoder(model, tokenizer), "🙂", settings(max_tokens=10))
    assert list(reply) == ["", "", "", "🙂", "", "", "", "🙂", "", "", ""]
    assert reply.prompt_tokens == 4


# ---------------------------------------------------------------------- tokenizers with words, beginnings and endings


def spelling(tokenizer: Tokenizer, ids: list[int], context_length: int = 64) -> Decoder:
    """A decoder that continues each of `ids` by the next one, and the last by the first."""
    size = tokenizer.vocab_size
    model = GPT(ModelConfig(size, context_length, n_layer=1, n_head=1, d_model=16 * -(-size // 16), qk_norm=False))
    assert model.head is not None
    with torch.no_grad():
        model.embedding.copy_(torch.eye(*model.embedding.shape))
        model.head.zero_()
        for current, following in zip(ids, [*ids[1:], ids[0]], strict=True):
            model.head[following, current] = 50
    return Decoder(model, tokenizer)


@pytest.fixture(scope="module")
def bpe() -> Tokenizer:
    text = "the cat sat on the mat, the cat. " * 50
    return build_tokenizer("bpe", alphabet="", pieces=lambda: [text], bpe_vocab_size=280)


def test_words_of_byte_pairs_arrive_whole_and_parts_of_characters_wait(bpe: Tokenizer) -> None:
    ids = bpe.encode(" cat🙂 sat né").tolist()
    assert len(ids) == len(set(ids))
    pieces = list(reply := Reply(spelling(bpe, ids), " cat", settings(max_tokens=len(ids))))
    assert "".join(pieces) == "🙂 sat né cat"
    assert not [piece for piece in pieces if "\ufffd" in piece]
    assert pieces[:4] == ["", "", "", "🙂"]
    assert reply.prompt_tokens == 1


def test_a_reply_ends_at_the_token_that_ends_a_text(bpe: Tokenizer) -> None:
    (end,) = bpe.end_tokens
    ids = [*bpe.encode(" cat sat").tolist(), end]
    reply = Reply(spelling(bpe, ids), " cat", settings(max_tokens=50))
    assert "".join(reply) == " sat"
    assert (reply.reason, reply.tokens, reply.notices) == ("stop", 1, ())


def test_what_waits_for_a_stop_string_is_shown_where_the_text_ends(bpe: Tokenizer) -> None:
    ids = [*bpe.encode(" cat sat").tolist(), *bpe.end_tokens]
    reply = Reply(spelling(bpe, ids), " cat", settings(stop=(" sat on",)))
    assert "".join(reply) == " sat"


def test_a_stop_string_across_the_borders_of_tokens_is_never_shown_half(bpe: Tokenizer) -> None:
    ids = bpe.encode(" cat sat").tolist()
    assert len(ids) == 2
    pieces = list(reply := Reply(spelling(bpe, ids), " cat", settings(stop=("t sa",), max_tokens=9)))
    assert pieces == [" sa", "t ca", ""]
    assert reply.reason == "stop"


def test_what_a_model_expects_before_a_text_stands_there_unless_its_beginning_is_cut_off() -> None:
    tokenizer = CharTokenizer("abcdefgh")
    tokenizer.begin = (7,)
    decoder = spelling(tokenizer, [*range(8)], context_length=4)
    for prompt, read in (("", [7]), ("ab", [7, 0, 1]), ("abc", [7, 0, 1, 2]), ("abcd", [0, 1, 2, 3])):
        reply = Reply(decoder, prompt, settings(max_tokens=1))
        assert len(list(reply)) == 2
        assert [*reply.ids] == read
        assert reply.prompt_tokens == len(prompt)
        assert reply.notices == ()
    reply = Reply(decoder, "", settings(max_tokens=3))
    assert "".join(reply) == "abc"


def test_an_empty_prompt_starts_where_another_text_ended_if_the_model_has_learned_what_comes_then(
    bpe: Tokenizer,
) -> None:
    (end,) = bpe.end_tokens
    ids = [*bpe.encode("\n cat").tolist(), end, *bpe.encode(" sat").tolist()]
    decoder = spelling(bpe, ids)
    assert next(iter(Reply(decoder, "", settings()))) == " cat"
    decoder.end_token_starts_text = True
    assert next(iter(Reply(decoder, "", settings()))) == " sat"


def test_a_tokenizer_that_passes_over_line_breaks_lets_an_empty_prompt_start_anywhere() -> None:
    words = {"type": "WordLevel", "vocab": {"<unk>": 0, "one": 1, "two": 2}, "unk_token": "<unk>"}
    tokenizer = ForeignTokenizer(document(words, {"type": "WhitespaceSplit"}, None), None, {})
    assert tokenizer.new_line is None
    for prompt in ("", "\n"):
        reply = Reply(spelling(tokenizer, [0, 1, 2]), prompt, settings(max_tokens=4, seed=3))
        assert "one" in "".join(reply)


def test_the_tokenizers_policy_decides_about_unknown_characters(chain) -> None:
    model, _ = chain("abcdefgh")
    refusing = Decoder(model, CharTokenizer("abcdefgh", "refuse"))
    with pytest.raises(UnknownCharacterError, match="no token for 'é'"):
        Reply(refusing, "éa", settings())
    knowing = spelling(CharTokenizer("abcdefg", "token"), [7, *range(7)])
    reply = Reply(knowing, "abé", settings(max_tokens=3))
    assert "".join(reply) == "abc"
    assert (reply.prompt_tokens, reply.notices) == (3, ())
