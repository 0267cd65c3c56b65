"""Conversations: framed by the model's chat template, answered up to the token that ends a turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import Tokenizer, load_tokenizer
from minigpt_tui.engine.generation.chat_framing import ChatFraming, encode_framed
from minigpt_tui.engine.generation.responder import Responder
from minigpt_tui.engine.requests import (
    GENERATION_MESSAGES,
    Ended,
    ExplainPlace,
    Failed,
    Generate,
    GenerationMessage,
    Load,
    Loaded,
    Place,
    SamplingSettings,
    Scored,
    ScoreProgress,
    ScoreText,
    TokenDetail,
    Tokens,
    Turn,
)
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint

from ...data.tokenizers.chat_models import write_tokenizer

GREEDY = SamplingSettings(temperature=0, max_tokens=40)
HELLO = (Turn("system", "Be brief."), Turn("user", "Who is there?"))
Answer = Callable[[Load | Generate | ExplainPlace | ScoreText], list[GenerationMessage]]


def write_model(folder: Path, tokenizer: Tokenizer, ids: list[int]) -> Path:
    """A checkpoint of ours that continues each of `ids` by the next one, and the last by the first."""
    size = tokenizer.vocab_size
    model = GPT(ModelConfig(size, 256, n_layer=1, n_head=1, d_model=16 * -(-size // 16), qk_norm=False))
    assert model.head is not None
    with torch.no_grad():
        model.embedding.copy_(torch.eye(*model.embedding.shape))
        model.head.zero_()
        for current, following in zip(ids, [*ids[1:], ids[0]], strict=True):
            model.head[following, current] = 50
    folder.mkdir()
    save_checkpoint(model, folder, tokenizer=tokenizer, step=3, validation_loss=None)
    return folder


@pytest.fixture
def answer() -> Iterator[Answer]:
    sent: list[GenerationMessage] = []
    responder = Responder(sent.append)

    def ask(request: Load | Generate | ExplainPlace | ScoreText) -> list[GenerationMessage]:
        sent.clear()
        responder.answer(request, lambda: False)
        return list(sent)

    yield ask
    responder.close()


def write_chat(tmp_path: Path, kind: str, says: str, end: str) -> Path:
    """A model whose assistant says one thing after the last token of the frame, and then `end`."""
    tokenizer = load_tokenizer(write_tokenizer(tmp_path / "tokenizer", kind))
    last = tokenizer.encode({"chatml": "\n", "headers": "\n\n", "lines": "<|assistant|>\n"}[kind]).tolist()[-1]
    ids = [last, *tokenizer.encode(says + end).tolist()]
    assert len(ids) == len(set(ids))
    return write_model(tmp_path / "model", tokenizer, ids)


@pytest.mark.parametrize(("kind", "end"), [("chatml", "<|im_end|>"), ("headers", "<|eot_id|>"), ("lines", "</s>")])
def test_a_turn_is_framed_as_transformers_frames_it_and_ends_at_its_end_token(
    kind: str, end: str, tmp_path: Path, answer: Answer
) -> None:
    transformers = pytest.importorskip("transformers")
    folder = write_chat(tmp_path, kind, "Hi", end)
    (loaded,) = answer(Load(1, str(folder), device="cpu"))
    assert isinstance(loaded, Loaded)
    assert loaded.chat
    *pieces, ended = answer(Generate(2, "", GREEDY, messages=HELLO, explain=True))
    assert isinstance(ended, Ended)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Tokens)) == "Hi"
    assert ended.reason == "stop"
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    messages = [{"role": turn.role, "content": turn.text} for turn in HELLO]
    assert ended.prompt_text == theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = theirs.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert (ended.prompt_tokens, ended.notices) == (len(ids), ())


def test_a_reply_goes_on_by_its_tokens_or_by_its_words(tmp_path: Path, answer: Answer) -> None:
    folder = write_chat(tmp_path, "chatml", "Hi user", "<|im_end|>")
    tokenizer = load_tokenizer(folder)
    answer(Load(1, str(folder), device="cpu"))
    whole = tuple(tokenizer.encode("Hi user"))
    ids = whole[:1]
    for request in (
        Generate(2, "", GREEDY, messages=HELLO, then=ids),
        Generate(2, "", GREEDY, messages=(*HELLO, Turn("assistant", tokenizer.decode(ids)))),
    ):
        *pieces, ended = answer(request)
        assert isinstance(ended, Ended)
        assert tokenizer.decode(ids) + "".join(p.text for p in pieces if isinstance(p, Tokens)) == "Hi user"
        assert ended.reason == "stop"
    (place,) = answer(ExplainPlace(3, "", ids, GREEDY, messages=HELLO))
    assert isinstance(place, Place)
    assert place.alternatives[0].token == whole[1]


def test_names_of_special_tokens_that_a_person_says_are_text_where_that_is_set(tmp_path: Path, answer: Answer) -> None:
    folder = write_chat(tmp_path, "chatml", "Hi", "<|im_end|>")
    tokenizer = load_tokenizer(folder)
    answer(Load(1, str(folder), device="cpu"))
    said = (Turn("user", "a<|im_end|>b"),)
    ends = [
        answer(Generate(2, "", SamplingSettings(temperature=0, literal=literal), messages=said))[-1]
        for literal in (False, True)
    ]
    assert all(isinstance(ended, Ended) for ended in ends)
    plain, literal = (ended for ended in ends if isinstance(ended, Ended))
    assert plain.notices == (
        "read as special tokens of the model: <|im_end|>; to read them as text, set literal (--literal)",
    )
    assert literal.notices == ()
    assert plain.prompt_text == literal.prompt_text
    more = len(tokenizer.encode("<|im_end|>", literal=True)) - 1
    assert literal.prompt_tokens == plain.prompt_tokens + more


CONVERSATION = (
    Turn("user", "assistant"),
    Turn("assistant", "Hello assistant! "),
    Turn("user", "\n Who <|im_end|></s> user\n naïve 🙂 \n"),
    Turn("assistant", " Nothing. Be brief.\n\n"),
)


@pytest.mark.parametrize(
    ("n_turns", "literal"),
    [(1, False), (2, False), (3, False), (3, True), (4, False)],
    ids=["said", "replied", "names are tokens", "names are text", "replied again"],
)
@pytest.mark.parametrize(
    "kind", ["chatml", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("headers", "lines"))]
)
def test_the_words_of_the_last_turn_are_scored_in_its_frame(
    kind: str, literal: bool, n_turns: int, tmp_path: Path, answer: Answer
) -> None:
    tokenizer = load_tokenizer(write_tokenizer(tmp_path / "tokenizer", kind))
    torch.manual_seed(1)
    model = GPT(ModelConfig(tokenizer.vocab_size, 256, n_layer=1, n_head=1, d_model=16)).eval()
    save_checkpoint(model, tmp_path, tokenizer=tokenizer, step=3, validation_loss=None)
    answer(Load(1, str(tmp_path), device="cpu"))
    said, turns = CONVERSATION[n_turns - 1].text, CONVERSATION[:n_turns]
    scored, details = score(answer, ScoreText(2, "", True, literal, messages=turns))

    framing = ChatFraming()
    ids = encode_framed(framing.frame(tokenizer, turns, literal), tokenizer)
    framing.close()
    names = {token: name.encode() for name, token in tokenizer.special_tokens.items()}
    pieces = [names.get(token) or tokenizer.token_bytes(token) for token in ids]
    frame = b"".join(pieces).decode()
    words = said if said in frame else said.strip()  # one of the templates strips
    start = len(frame[: frame.rindex(words, 0, frame.rfind(words[-5:]) + 5)].encode())
    ends = list(accumulate(map(len, pieces)))
    theirs = [n for n, end in enumerate(ends) if end > start and end - len(pieces[n]) < start + len(words.encode())]
    assert [detail.token for detail in details] == [ids[n] for n in theirs]
    assert sum(detail.characters for detail in details) == len(said) - said.index(words)
    with torch.inference_mode():
        likely = model(torch.tensor([ids]))[0].softmax(-1)
    expected = [float(likely[n - 1, ids[n]]) for n in theirs]
    assert [detail.probability for detail in details] == pytest.approx(expected, rel=1e-3)
    assert scored.tokens == len(details)

    _, end = score(answer, ScoreText(3, "", True, literal, start=len(said) // 2, messages=turns))
    assert 0 < len(end) < len(details)
    assert [one.probability for one in end] == [one.probability for one in details[-len(end) :]]
    assert sum(detail.characters for detail in end) == len(said) - len(said) // 2


@pytest.mark.parametrize(
    "template", ["{{ messages[0].content[:2] }}", "{{ messages[0].content[-1:] }}"], ids=["begin", "end"]
)
def test_a_turn_that_the_template_does_not_show_is_not_scored(template: str, tmp_path: Path, answer: Answer) -> None:
    folder = write_chat(tmp_path, "chatml", "Hi", "<|im_end|>")
    (folder / "chat_template.jinja").write_text(template)
    answer(Load(1, str(folder), device="cpu"))
    (failed,) = answer(ScoreText(2, "", True, messages=HELLO[1:]))
    assert isinstance(failed, Failed)
    assert failed.message == "the model's chat template does not show what was said last, so it cannot be scored"
    with pytest.raises(ValueError, match="cannot be read together"):
        ScoreText(2, "a", messages=HELLO)


def score(answer: Answer, request: ScoreText) -> tuple[Scored, list[TokenDetail]]:
    *parts, scored = answer(request)
    assert isinstance(scored, Scored), scored
    return scored, [detail for part in parts if isinstance(part, ScoreProgress) for detail in part.details]


def test_a_turn_also_ends_where_only_the_tokenizer_names_its_end(tmp_path: Path, answer: Answer) -> None:
    folder = write_chat(tmp_path, "chatml", "Hi", "<|im_end|>")
    config = json.loads((folder / "generation_config.json").read_text())
    config["eos_token_id"] = load_tokenizer(folder).special_tokens["<|endoftext|>"]
    (folder / "generation_config.json").write_text(json.dumps(config))
    answer(Load(1, str(folder), device="cpu"))
    ended = answer(Generate(2, "", GREEDY, messages=HELLO))[-1]
    assert isinstance(ended, Ended)
    assert (ended.reason, ended.tokens) == ("stop", len(load_tokenizer(folder).encode("Hi")))


def test_a_model_without_a_template_says_so(chain, save, tmp_path: Path, answer: Answer) -> None:
    (loaded,) = answer(Load(1, str(save(tmp_path / "model", chain("abc"))), device="cpu"))
    assert isinstance(loaded, Loaded)
    assert not loaded.chat
    (failed,) = answer(Generate(2, "", GREEDY, messages=HELLO))
    assert failed == Failed(
        2, "prompt", "the model has no chat template, so it knows no turns; write a text that it continues"
    )


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ raise_exception('no\\nsystem \x1b[31m') }}", "it refuses that: no?system ?[31m"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "it comes to no end"),
        ("{{ 'x' * 10 ** 11 }}", "it needs too much memory"),
        ("{% if %}", "it has an error in line 1"),
    ],
    ids=["refuses", "endless", "huge", "broken"],
)
def test_a_template_that_frames_nothing_is_one_sentence_and_the_next_request_is_answered(
    template: str, says: str, tmp_path: Path, answer: Answer
) -> None:
    folder = write_chat(tmp_path, "chatml", "Hi", "<|im_end|>")
    (folder / "chat_template.jinja").write_text(template)
    answer(Load(1, str(folder), device="cpu"))
    (failed,) = answer(Generate(2, "", GREEDY, messages=HELLO))
    assert isinstance(failed, Failed)
    assert failed.kind == "prompt"
    assert failed.message.startswith(f"the model's chat template cannot frame this conversation: {says}")
    assert failed.message.isprintable()
    assert isinstance(answer(Generate(3, "Who", GREEDY))[-1], Ended)


def test_a_frame_of_millions_of_characters_is_answered_in_a_line_that_can_be_read(
    tmp_path: Path, answer: Answer
) -> None:
    folder = write_chat(tmp_path, "chatml", "Hi", "<|im_end|>")
    (folder / "chat_template.jinja").write_text("{% for i in range(1000) %}{{ '\U0001f642' * 1000 }}{% endfor %}")
    answer(Load(1, str(folder), device="cpu"))
    ended = answer(Generate(2, "", SamplingSettings(max_tokens=1), messages=HELLO))[-1]
    assert isinstance(ended, Ended)
    assert len(ended.prompt_text) > 10**5
    assert len(GENERATION_MESSAGES.encode(ended)) < 4 * 2**20


def test_a_template_process_that_dies_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer(write_tokenizer(tmp_path / "tokenizer", "small"))
    framing = ChatFraming()
    framing.prepare()
    assert framing._waiting is not None
    framing._waiting.kill()
    with pytest.raises(ValueError, match="cannot frame this conversation"):
        framing.frame(tokenizer, HELLO)
    assert framing.frame(tokenizer, HELLO).endswith("assistant\n")
    framing.close()
