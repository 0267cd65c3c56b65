"""A model that transformers wrote says here what it says there, from the same prompt to the same end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.loaded_model import CheckpointSource
from minigpt_tui.engine.generation.reply import Reply
from minigpt_tui.engine.generation.scored_text import scored_text
from minigpt_tui.engine.generation.scoring import TextScorer
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.models.devices import choose_device
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = ["the cat sat on the mat, and the dog sat on the cat. Grüße aus Köln, 🙂🙂! " * 30]
PROMPTS = ("the cat", " sat 🙂", "dog, Köln", "a")


def put_tokenizer(folder: Path, *, begins: bool) -> Any:
    """A byte-level BPE, as transformers saves it; it may put <s> before each text."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXT, trainer)
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)
    return fast


def put_model(folder: Path, kind: str, vocab_size: int) -> Any:
    """A random model with the ends of a text in its configuration."""
    from transformers import GPT2Config, GPT2LMHeadModel, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(4)
    common: dict[str, Any] = {"vocab_size": vocab_size, "bos_token_id": 0, "eos_token_id": 1, "initializer_range": 0.3}
    if kind == "gpt2":
        model: Any = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=32, n_positions=128, **common))
    else:
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
                 "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 40_000}  # fmt: skip
        model = Qwen3ForCausalLM(Qwen3Config(**shape, **common))
    model.eval().save_pretrained(folder)
    return model


@pytest.mark.parametrize(("kind", "begins"), [("gpt2", False), ("qwen3", True)])
def test_the_greedy_text_is_transformers_text(kind: str, begins: bool, tmp_path: Path) -> None:
    theirs = put_tokenizer(tmp_path, begins=begins)
    model = put_model(tmp_path, kind, len(theirs))
    opened = CheckpointSource(tmp_path).read(choose_device("cpu", "float32", training=False))
    assert opened.file.kind == "huggingface"
    decoder = Decoder(opened.checkpoint.model, opened.tokenizer, end_token_starts_text=True)
    for prompt in PROMPTS:
        inputs = theirs(prompt, return_tensors="pt", return_token_type_ids=False)
        new = model.generate(**inputs, do_sample=False, max_new_tokens=40, pad_token_id=1)[
            0, inputs.input_ids.shape[1] :
        ]
        reply = Reply(decoder, prompt, SamplingSettings(temperature=0, max_tokens=40))
        text = "".join(reply)
        ended = int(new[-1]) == 1
        assert (reply.tokens, reply.reason) == (len(new) - ended, "stop" if ended else "length")
        expected = theirs.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert text == expected or expected.removeprefix(text) == "\ufffd"  # a character that was cut is not shown


def test_a_reply_ends_where_the_models_own_settings_say(tmp_path: Path) -> None:
    theirs = put_tokenizer(tmp_path, begins=True)
    model = put_model(tmp_path, "qwen3", len(theirs))
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[[1, 7]] = torch.randn(2, 32) * 9  # mostly one of these two
    model.save_pretrained(tmp_path)
    opened = CheckpointSource(tmp_path).read(choose_device("cpu", "float32", training=False))
    decoder = Decoder(opened.checkpoint.model, opened.tokenizer)
    endings = [Reply(decoder, "the cat", SamplingSettings(seed=seed, max_tokens=500)) for seed in range(6)]
    texts = ["".join(reply) for reply in endings]
    assert "stop" in {reply.reason for reply in endings}
    assert not [text for text in texts if "</s>" in text]


def put_words(folder: Path) -> Any:
    """The tokenizer of openai-gpt: tokens that end a word bring the blank that stands before the next one."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>", "</s>"], end_of_word_suffix="</w>")
    tokenizer.train_from_iterator(TEXT, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")
    fast.save_pretrained(folder)
    return fast


@pytest.mark.parametrize("prompt", ["the cat", "The cat ", "the cat sat,", "th", "", "the cat</s>"])
def test_the_blank_between_the_words_of_a_prompt_and_those_of_a_reply_is_kept(prompt: str, tmp_path: Path) -> None:
    theirs = put_words(tmp_path)
    model = put_model(tmp_path, "gpt2", len(theirs))
    opened = CheckpointSource(tmp_path).read(choose_device("cpu", "float32", training=False))
    decoder = Decoder(opened.checkpoint.model, opened.tokenizer, end_token_starts_text=True)
    for length in (1, 2, 20):
        reply = Reply(decoder, prompt, SamplingSettings(temperature=0, max_tokens=length))
        read = torch.tensor([reply.ids])
        whole = model.generate(read, do_sample=False, max_new_tokens=length, pad_token_id=1)[0]
        before, after = (theirs.decode(ids, skip_special_tokens=True) for ids in (read[0], whole))
        expected = after.removeprefix(before)
        assert "".join(reply) == (expected.removeprefix(" ") if prompt.endswith(" ") else expected)


def test_a_stop_text_of_one_blank_ends_a_reply_after_its_first_word(tmp_path: Path) -> None:
    theirs = put_words(tmp_path)
    put_model(tmp_path, "gpt2", len(theirs))
    opened = CheckpointSource(tmp_path).read(choose_device("cpu", "float32", training=False))
    decoder = Decoder(opened.checkpoint.model, opened.tokenizer)
    whole = "".join(Reply(decoder, "the cat", SamplingSettings(temperature=0, max_tokens=30)))
    first = "".join(Reply(decoder, "the cat", SamplingSettings(temperature=0, max_tokens=30, stop=(" ",))))
    assert whole.startswith(" ")
    assert first == " " + whole.split()[0]


NAMED = "<s>the cat</s> sat<s>"


def opened_decoder(folder: Path, **options: Any) -> tuple[Decoder, Any]:
    theirs = put_tokenizer(folder, begins=False)
    put_model(folder, "gpt2", len(theirs))
    opened = CheckpointSource(folder).read(choose_device("cpu", "float32", training=False))
    return Decoder(opened.checkpoint.model, opened.tokenizer, **options), theirs


@pytest.mark.parametrize("learned_literally", [False, True])
def test_a_prompt_that_names_special_tokens_is_read_as_transformers_reads_it(
    learned_literally: bool, tmp_path: Path
) -> None:
    decoder, theirs = opened_decoder(tmp_path, literal=learned_literally)
    for literal in (False, True):
        reply = Reply(
            decoder, NAMED, SamplingSettings(temperature=0, max_tokens=3, literal=literal, forbidden=("</s>",))
        )
        ids = theirs(NAMED, add_special_tokens=False, split_special_tokens=literal or learned_literally)["input_ids"]
        assert list(reply.ids) == ids
        told = [notice for notice in reply.notices if "special tokens of the model: <s>, </s>;" in notice]
        assert len(told) == (not (literal or learned_literally))
        assert all("--literal" in notice for notice in told)
        assert (1 in ids) == (not literal and not learned_literally)
        assert (reply.forbidden == [[1]]) == (1 in ids)


def test_the_tokens_of_a_text_that_names_special_ones_are_shown_by_name(tmp_path: Path) -> None:
    decoder, theirs = opened_decoder(tmp_path)
    for literal in (False, True):
        scorer = TextScorer(decoder, scored_text(decoder, NAMED, literal=literal), explain=True)
        details = [detail for _, some in scorer for detail in some]
        ids = theirs(NAMED, add_special_tokens=False, split_special_tokens=literal)["input_ids"]
        assert [detail.token for detail in details] == ids[1:]
        assert ("</s>" in [detail.text for detail in details]) == (not literal)
        assert "".join(detail.text for detail in details) == NAMED.removeprefix("<" if literal else "<s>")
        result = scorer.result
        n_bytes = len(NAMED.encode()) * (len(ids) - 1) / len(ids)  # the first token is not predicted
        assert result.bits_per_byte == pytest.approx(result.loss * result.tokens / n_bytes / 0.6931472, rel=1e-4)
