from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from unittest.mock import patch

import pytest
import torch
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.generation.cpu_threads import MANY, PrefillThreads
from minigpt_tui.engine.generation.cpu_tuning import DecodeThreads, tune_for_cpu
from minigpt_tui.engine.generation.decoder import Decoder, window_length
from minigpt_tui.engine.generation.sampling import Sampler
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.native import library as native
from torch import Tensor

GREEDY = SamplingSettings(temperature=0)
POSITIONS = ("learned", "sinusoidal", "rope", "none")


def take(decoder: Decoder, ids: Sequence[int], n: int, settings: SamplingSettings = GREEDY) -> list[int]:
    return list(islice(decoder.tokens(ids, Sampler(settings, decoder.tokenizer.vocab_size, decoder.device)), n))


def without_cache(model: GPT, ids: Sequence[int], n: int) -> list[int]:
    """Greedy tokens with the window that the decoder promises: all so far, but half of it past the context."""
    window, out, context = list(ids), [], model.config.context_length
    with torch.no_grad():
        for _ in range(n):
            if len(window) > context:
                window = window[-max(1, context // 2) :]
            out.append(int(model(torch.tensor([window]))[0, -1].argmax()))
            window.append(out[-1])
    return out


def read_lengths(decoder: Decoder, ids: Sequence[int], n: int) -> list[int]:
    """How many tokens each pass of the model reads."""
    lengths: list[int] = []
    read = decoder.model.next_logits

    def counted(tokens: torch.Tensor, cache: KVCache) -> torch.Tensor:
        lengths.append(tokens.shape[1])
        return read(tokens, cache)

    with patch.object(decoder.model, "next_logits", counted):
        take(decoder, ids, n)
    return lengths


@pytest.mark.parametrize("position", POSITIONS)
def test_equals_the_model_without_a_cache_also_past_the_context(random_model, position: str) -> None:
    model, tokenizer = random_model(position=position)
    assert take(Decoder(model, tokenizer), [1, 2, 3], 60) == without_cache(model, [1, 2, 3], 60)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("position", value) for value in POSITIONS), *(("rope_scaling", value) for value in ("linear", "llama3")),
        *(("mlp", value) for value in ("gelu", "gelu_tanh", "relu", "relu2", "swiglu", "none")), ("norm", "layer"),
        ("norm_position", "post"), ("n_kv_head", 1), ("head_dim", 6), ("qk_norm", False), ("tied", True),
        ("bias", True), ("qkv_bias", True), ("d_ff", 20), ("n_layer", 3),
    ],
)  # fmt: skip
def test_every_block_gives_the_logits_of_the_model_without_a_cache_on_both_sides_of_the_windows_edge(
    random_model, option: str, value: object
) -> None:
    stretched = {"rope_factor": 4.0, "rope_original_context": 8} if option == "rope_scaling" else {}
    model, tokenizer = random_model(**{option: value} | stretched)
    decoder = Decoder(model, tokenizer)
    settings, context = SamplingSettings(temperature=1.0, seed=1), model.config.context_length
    sampler = Sampler(settings, tokenizer.vocab_size, decoder.device, explains=True)
    window = [1, 2, 3]
    with torch.no_grad():
        for token in islice(decoder.tokens(window, sampler), 3 * context):
            if len(window) > context:
                window = window[-(context // 2) :]
            given = sampler.drawn_from[0]
            assert torch.allclose(given, model(torch.tensor([window]))[:, -1], rtol=1e-4, atol=1e-4)
            window.append(token)


def test_a_context_of_one_token_works(random_model) -> None:
    model, tokenizer = random_model(context_length=1)
    assert take(Decoder(model, tokenizer), [1], 10) == without_cache(model, [1], 10)


def test_past_the_context_the_last_half_is_read_again(random_model) -> None:
    decoder = Decoder(*random_model(context_length=8))
    assert read_lengths(decoder, [1, 2, 3], 12) == [3, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 4]


def test_what_the_cache_holds_is_not_computed_again(random_model) -> None:
    model, tokenizer = random_model()
    decoder = Decoder(model, tokenizer)
    reply = take(decoder, [1, 2, 3], 5)
    assert read_lengths(decoder, [1, 2, 3, *reply, 4, 5], 2) == [3, 1]  # the last token of the reply was never read
    assert read_lengths(decoder, [1, 2, 3], 1) == [1]
    assert read_lengths(decoder, [1, 2, 7, 8], 1) == [2]
    assert take(decoder, [1, 2, 3, *reply, 4, 5], 8) == without_cache(model, [1, 2, 3, *reply, 4, 5], 8)


def test_in_bfloat16_the_prompt_is_read_anew_so_that_the_seed_decides_alone(random_model) -> None:
    model, tokenizer = random_model()
    model.compute_dtype = torch.bfloat16
    decoder = Decoder(model, tokenizer)
    assert read_lengths(decoder, [1, 2, 3], 2) == read_lengths(decoder, [1, 2, 3], 2) == [3, 1]


def test_new_weights_answer_as_if_they_had_been_loaded_first(random_model, chain) -> None:
    model, tokenizer = random_model("abcd")
    other = random_model("abcd")[0]
    with torch.no_grad():
        for matrix in other.hidden_matrices():
            matrix.neg_()
    decoder = Decoder(model, tokenizer)
    take(decoder, [1, 2, 3], 5)
    decoder.load_weights(other, tokenizer)
    assert decoder.model is model
    assert take(decoder, [1, 2, 3], 12) == without_cache(other, [1, 2, 3], 12)


def test_ids_beyond_the_tokenizer_are_never_drawn(random_model) -> None:
    model, _ = random_model("abcdefgh")
    _, smaller = random_model("abc")
    decoder = Decoder(model, smaller)
    assert max(take(decoder, [0], 200, SamplingSettings(temperature=100, seed=1))) == 2


def test_the_cache_begins_small_and_grows_with_the_text(random_model) -> None:
    model, tokenizer = random_model(context_length=3000)
    decoder = Decoder(model, tokenizer)
    sizes = []
    for length in (3, 1020, 2040):
        ids = [1, 2, 3, 4, 5] * 408
        assert take(decoder, ids[:length], 16) == without_cache(model, ids[:length], 16)
        sizes.append(decoder.cache.max_length)
    assert sizes == [1024, 2048, 3000]


def test_a_long_prompt_is_read_in_parts(random_model) -> None:
    model, tokenizer = random_model(context_length=4600)
    ids = [1, 2, 3, 4, 5, 6, 7, 0] * 570
    assert read_lengths(Decoder(model, tokenizer), ids, 2) == [2048, 2048, 464, 1]
    assert take(Decoder(model, tokenizer), ids, 3) == without_cache(model, ids, 3)


def test_the_window_is_the_context_as_far_as_memory_reaches(random_model) -> None:
    small = ModelConfig(100, 1024, n_layer=12, n_head=12, d_model=768)
    assert window_length(small, torch.float32) == 1024
    long = replace(small, context_length=131_072, n_layer=2, n_head=4, n_kv_head=1)
    assert window_length(long, torch.float32) == 16_384
    wide = replace(long, n_layer=32, d_model=4096, n_head=32, n_kv_head=0)
    assert window_length(wide, torch.float32) == 2**30 // (2 * 32 * 4096 * 4)
    assert window_length(wide, torch.bfloat16) == 2 * window_length(wide, torch.float32)
    # a window shorter than the context is passed as a context is
    decoder = Decoder(*random_model(position="rope", context_length=1000), longest_window=8)
    assert (decoder.context_length, decoder.reread_length) == (8, 4)
    assert read_lengths(decoder, [1, 2, 3], 12) == [3, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 4]


def test_a_model_of_a_very_long_context_takes_no_memory_for_it() -> None:
    config = ModelConfig(9, 131_072, n_layer=2, n_head=2, d_model=16)
    decoder = Decoder(GPT(config), CharTokenizer("abcdefgh\n"))
    take(decoder, [1, 2, 3], 5)
    assert decoder.cache.memory == 2 * 2 * 1024 * 16 * 4


def test_ids_that_the_model_has_no_row_for_are_refused_in_one_sentence(random_model) -> None:
    model, _ = random_model("abc")
    with pytest.raises(UserError, match=r"the text has the token .e. \(id 4\), but the model has 3 rows"):
        take(Decoder(model, CharTokenizer("abcdefgh")), [1, 4], 1)


def test_a_diverged_model_is_refused_in_one_sentence(random_model) -> None:
    model, tokenizer = random_model()
    with torch.no_grad():
        model.embedding.fill_(torch.nan)
    with pytest.raises(UserError, match="NaN instead of probabilities"):
        take(Decoder(model, tokenizer), [1], 1)


def test_the_trial_for_speed_changes_no_token(random_model) -> None:
    model, tokenizer = random_model()
    decoder = Decoder(model, tokenizer)
    tune_for_cpu(decoder)
    assert torch.get_num_threads() == 1  # a small model
    assert take(decoder, [1, 2, 3], 40) == without_cache(model, [1, 2, 3], 40)
    tune_for_cpu(decoder, requested_threads=2)
    assert torch.get_num_threads() == min(2, os.cpu_count() or 1)
    torch.set_num_threads(1)  # beside other tests two would wait for each other
    assert take(decoder, [1, 2, 3], 40) == without_cache(model, [1, 2, 3], 40)


@pytest.mark.skipif(native.library() is None, reason="nothing is compiled here")
@pytest.mark.parametrize("temperature", [0.0, 1.0], ids=["greedy", "drawn"])
def test_a_seed_writes_the_same_where_nothing_is_compiled(random_model, monkeypatch, temperature: float) -> None:
    model, tokenizer = random_model()
    settings, written = SamplingSettings(temperature=temperature, seed=3), []
    for variable in ("", "0"):
        monkeypatch.setenv("MINIGPT_NATIVE", variable)
        written.append(take(Decoder(model, tokenizer), [1, 2, 3], 60, settings))
    assert written[0] == written[1]


def test_threads_that_only_wait_for_each_other_are_given_up_for_the_rest_of_the_reply() -> None:
    decode_threads = DecodeThreads(threads=2, single_seconds=0.01)

    def threads(*seconds: float) -> int:
        decode_threads.begin_reply(while_training=False)
        for time in seconds:
            decode_threads.observe(10, time)
        return torch.get_num_threads()

    assert threads() == 2
    assert threads(0.05, 0.5, 0.05, 0.5, 0.05) == 2  # now and then a window is read again
    assert threads(0.05, 0.5, 0.5) == 1
    assert threads(0.05, 0.5, 0.5, 1.0) == 2  # the machine has become slower, and alone it is slower still
    assert threads(1.0, 1.0, 1.0) == 2
    assert threads(5.0, 5.0, 0.1, 9.0, 9.0, 9.0) == 1
    assert threads(0.05) == 2
    decode_threads.begin_reply(while_training=True)
    for time in (0.1, 0.5, 0.5, 9.0):  # a trainer makes them slow, and threads would only take its cores
        decode_threads.observe(10, time)
        assert torch.get_num_threads() == 1


def test_many_tokens_are_read_on_all_cores_unless_a_trainer_wants_them(random_model) -> None:
    decoder = Decoder(*random_model(context_length=2 * MANY))
    torch.set_num_threads(1)
    used = []
    compute = decoder.model.next_logits

    def watch(tokens: Tensor, cache: KVCache) -> Tensor:
        used.append((tokens.numel(), torch.get_num_threads()))
        return compute(tokens, cache)

    with patch.object(decoder.model, "next_logits", watch):
        for while_training in (False, True):
            threads = DecodeThreads(prefill=PrefillThreads(2))
            decoder.prefill_threads = threads.begin_reply(while_training)
            for _ in range(2):
                decoder.clear_cache()
                take(decoder, [1] * MANY, 2)
                assert torch.get_num_threads() == 1
    alone, together = [(MANY, 1), (1, 1)], [(MANY, 2), (1, 1)]
    assert used == 2 * together + 2 * alone


def test_a_slow_pass_is_noticed_also_where_tokens_are_decoded_on_all_cores() -> None:
    threads, used = PrefillThreads(2, single_seconds=0.0), []
    torch.set_num_threads(2)
    try:
        for _ in range(3):
            with threads.threads_for(MANY):
                used.append(torch.get_num_threads())
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert used[:2] == [2, 1]


def test_a_slow_pass_on_all_cores_is_followed_by_one_on_one_thread_which_finds_out_why() -> None:
    threads, now = PrefillThreads(2, single_seconds=1.0), 100.0

    def passes(*paces: float) -> list[bool]:
        """Whether each had all cores."""
        given = []
        for pace in paces:
            given.append(threads.uses_all_cores(now))
            threads.observe(given[-1], pace, now)
        return given

    assert passes(0.6, 1.1) == [True, True]
    assert passes(2.0, 1.9, 1.2) == [True, False, True]  # the machine has become slower
    assert passes(2.5, 1.0, 1.0, 1.0) == [True, False, False, False]  # somebody wants a core
    now += 60
    assert passes(0.6, 0.6) == [True, True]
