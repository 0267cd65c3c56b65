"""What a model writes while it trains."""

from __future__ import annotations

import pytest
import torch
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.tokenizers import CharTokenizer, build_tokenizer
from minigpt_tui.engine.events import Sample
from minigpt_tui.engine.training.loop.sample import SampleWriter
from minigpt_tui.models.recipe import Budget, TrainingConfig

from .test_trainer import build


def test_a_sample_is_long_seeded_and_leaves_the_model_as_it_was(make_run, text):
    run = make_run()
    _, learner, _ = build(run, text)
    samples = SampleWriter(build_tokenizer("char", alphabet=text.read_text(), pieces=list))
    first, again, other = (samples.write(learner.model, seed) for seed in (1, 1, 2))
    assert len(first) == 200  # far beyond the context of 16
    assert first == again != other
    assert learner.model.training
    learner.update(1.0)
    long = SampleWriter(build_tokenizer("char", alphabet=text.read_text(), pieces=list), [text.read_text()[:100]], 1.0)
    assert len(long.write(learner.model, 1)) == 200


def test_a_sample_begins_with_what_the_model_expects_before_every_text(make_run, text):
    _, learner, _ = build(make_run(), text)
    tokenizer = CharTokenizer("".join(sorted(set(text.read_text()))))
    prompted = SampleWriter(tokenizer, ["#def"]).write(learner.model, 1)
    tokenizer.begin = tuple(tokenizer.encode("#"))
    assert SampleWriter(tokenizer, ["def"]).write(learner.model, 1) == prompted


def test_a_sample_ends_where_the_tokenizer_says_that_a_text_ends(make_run, text):
    _, learner, _ = build(make_run(), text)
    tokenizer = CharTokenizer("".join(sorted(set(text.read_text()))))
    whole = SampleWriter(tokenizer).write(learner.model, 1)
    tokenizer.end_tokens = frozenset(tokenizer.encode(whole[50]))
    assert SampleWriter(tokenizer).write(learner.model, 1) == whole[: whole.index(whole[50])]


def test_a_prompt_that_the_tokenizer_refuses_is_said_before_the_training_begins():
    with pytest.raises(UserError, match=r"the sample prompt cannot be used: .* no token for 'x'"):
        SampleWriter(CharTokenizer("abc", "refuse"), ["abx"])


def test_no_attention_kernel_is_planned_anew_for_each_token_of_a_sample(make_run, text, monkeypatch):
    monkeypatch.setenv("MINIGPT_NATIVE", "0")
    _, learner, _ = build(make_run(), text)
    enabled = []
    learner.model.register_forward_pre_hook(lambda *_: enabled.append(torch.backends.cuda.cudnn_sdp_enabled()))
    before = torch.backends.cuda.cudnn_sdp_enabled()
    SampleWriter(build_tokenizer("char", alphabet=text.read_text(), pieces=list)).write(learner.model, 1, 5)
    assert enabled == [False] * 5
    assert torch.backends.cuda.cudnn_sdp_enabled() == before


def test_a_small_model_writes_on_one_thread_and_training_keeps_its_own(make_run, text, monkeypatch):
    monkeypatch.setenv("MINIGPT_NATIVE", "0")
    _, learner, _ = build(make_run(), text)
    used, before = set[int](), torch.get_num_threads()
    learner.model.register_forward_pre_hook(lambda *_: used.add(torch.get_num_threads()))
    torch.set_num_threads(2)
    try:
        SampleWriter(build_tokenizer("char", alphabet=text.read_text(), pieces=list)).write(learner.model, 1, 5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert used == {1}


def test_a_sample_is_the_same_with_compiled_steps_and_follows_the_weights(make_run, text, monkeypatch):
    _, learner, _ = build(make_run(), text)
    samples = SampleWriter(build_tokenizer("char", alphabet=text.read_text(), pieces=list))
    for _ in range(3):
        compiled = samples.write(learner.model, 1)
        assert learner.model.step is None
        with monkeypatch.context() as patch:
            patch.setenv("MINIGPT_NATIVE", "0")
            assert samples.write(learner.model, 1) == compiled
        learner.update(1.0)


STILL = dict.fromkeys(("learning_rate", "embedding_learning_rate", "head_learning_rate"), 1e-9)


def test_several_prompts_are_continued_with_seeds_that_stay_the_same(make_run, text, events_of):
    run = make_run(sample_prompts=("def ", "class ", "def "), budget=Budget(20), average=0.0, **STILL)
    it, _, _ = build(run, text)
    it.train()
    samples = [event for event in events_of(run) if isinstance(event, Sample)]
    assert [(sample.step, sample.index, sample.prompt) for sample in samples if sample.step == 10] == [
        (10, 0, "def "), (10, 1, "class "), (10, 2, "def "),
    ]  # fmt: skip
    first, last = ([sample for sample in samples if sample.step == step][:3] for step in (10, 20))
    assert [sample.seed for sample in first] == [sample.seed for sample in last]
    assert len({sample.seed for sample in first}) == 3
    assert [sample.text for sample in first] == [sample.text for sample in last]  # nothing was learned in between


def test_the_prompt_of_an_earlier_version_is_one_of_one():
    assert TrainingConfig(sample_prompt="Once").all_sample_prompts == ("Once",)
    assert TrainingConfig(sample_prompt="Once", sample_prompts=("a", "b")).all_sample_prompts == ("a", "b")
