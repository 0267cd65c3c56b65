"""Generation measured: real generate processes of ours, real peers, and a tiny model for all of them."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import pytest
from minigpt_tui.engine.requests import Load

from benchmarks.generate.measuring import ALONE, CONTINUED, plan, sampling
from benchmarks.generate.peers.protocol import PeerProcess
from benchmarks.generate.random_model import make_model
from benchmarks.generate.roofline import MACHINE
from benchmarks.generate.setup import GenerationSetup
from benchmarks.generate.tiny import TINY
from benchmarks.generate.workloads import GPT2, LLAMA, TRANSFORMERS, GenerationWorkload, alphabet, prompt_of
from benchmarks.harness import OURS, Benchmark, Candidate, Harness, TrialFailedError

pytestmark = pytest.mark.long  # each measures processes of several programs in turns

HAS_LLAMA = all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))


def workload(**fields: Any) -> GenerationWorkload:
    return GenerationWorkload(name="tiny", description="", shape=TINY, **fields)


def measured(workload: GenerationWorkload, setup: GenerationSetup, repeats: int = 1) -> Benchmark:
    benchmark, _ = plan(workload, setup)
    Harness().measure(benchmark, repeats, warm_up=True)
    assert not benchmark.failures, benchmark.failures
    return benchmark


def figure(benchmark: Benchmark, candidate: str, name: str) -> float:
    (trial,) = (trial for trial in benchmark.trials if trial.candidate == candidate)
    value = trial.figures[name]
    assert isinstance(value, (int, float))
    return value


# ------------------------------------------------------------------------------------------------------------ the rows


def test_the_pace_is_measured_in_turns_with_transformers(setup: GenerationSetup) -> None:
    setup.without = [LLAMA]
    benchmark = measured(workload(tokens=40, targets={TRANSFORMERS: "2.5 x"}), setup, repeats=2)
    assert [(trial.candidate, trial.repeat) for trial in benchmark.trials] == [
        (MACHINE, 1), (OURS, 1), (TRANSFORMERS, 1), (MACHINE, 2), (OURS, 2), (TRANSFORMERS, 2),
    ]  # fmt: skip
    for trial in benchmark.trials:
        numbers = [value for value in trial.figures.values() if not isinstance(value, str)]
        assert all(0 < value < math.inf for value in numbers)
        if trial.candidate != MACHINE:
            pace, milliseconds = trial.figures["tokens_per_second"], trial.figures["milliseconds"]
            assert isinstance(pace, float)
            assert isinstance(milliseconds, float)
            assert pace * milliseconds / 1000 == pytest.approx(40), "all tokens that were asked for were written"
    assert [(line.peer, line.target, line.limit) for line in benchmark.comparisons] == [
        (TRANSFORMERS, "2.5 x", "limit")
    ]
    assert benchmark.trials[2].figures["threads"] == 1


@pytest.mark.skipif(not HAS_LLAMA, reason="llama-cpp-python and gguf are not installed")
def test_llama_cpp_writes_a_text_longer_than_the_context_from_our_files(setup: GenerationSetup) -> None:
    setup.without = [TRANSFORMERS]
    benchmark = measured(workload(tokens=70, quantize="int8"), setup)
    names = [f"{LLAMA} f32", f"{LLAMA} q8_0"]
    assert [trial.candidate for trial in benchmark.trials] == [MACHINE, OURS, *names]
    for name in (OURS, *names):
        assert figure(benchmark, name, "tokens_per_second") * figure(benchmark, name, "milliseconds") == pytest.approx(
            70_000
        )
    assert [trial.figures["dtype"] for trial in benchmark.trials if trial.candidate == OURS] == ["int8"]
    assert {line.peer for line in benchmark.comparisons} == set(names)
    assert {file.name for file in setup.home.glob("*.gguf")} == {
        "nanogpt-char-cpu-75-f32.gguf", "nanogpt-char-cpu-75-q8_0.gguf",
    }  # fmt: skip


def test_several_texts_are_measured_beside_one(setup: GenerationSetup) -> None:
    setup.without = [LLAMA]
    benchmark, roofline = plan(workload(measure="samples", tokens=10, samples=4), setup)
    assert roofline.bound == ""
    Harness().measure(benchmark, 1, warm_up=True)
    assert not benchmark.failures
    for name, tokens in ((OURS, 40), (ALONE, 10), (TRANSFORMERS, 40)):
        pace, milliseconds = figure(benchmark, name, "tokens_per_second"), figure(benchmark, name, "milliseconds")
        assert pace * milliseconds / 1000 == pytest.approx(tokens)
    assert not any("share" in trial.figures for trial in benchmark.trials), (
        "a step reads the weights for all texts at once"
    )
    assert "memory sets the limit" in roofline.bound or "arithmetic sets the limit" in roofline.bound


def test_the_first_text_of_a_prompt_and_of_a_conversation(setup: GenerationSetup) -> None:
    setup.without = [TRANSFORMERS, LLAMA]
    benchmark = measured(workload(measure="first", tokens=2, targets={OURS: "30 ms"}), setup)
    assert [trial.candidate for trial in benchmark.trials] == [MACHINE, OURS, CONTINUED]
    assert [(line.ours, line.peer, line.target) for line in benchmark.comparisons] == [
        (OURS, "", "30 ms"), (CONTINUED, "", "30 ms"),
    ]  # fmt: skip


def test_a_prompt_has_its_length_and_begins_with_its_number() -> None:
    prompts = [prompt_of(200, number) for number in range(5)]
    assert {len(prompt) for prompt in prompts} == {200}
    assert len({prompt[0] for prompt in prompts}) == 5
    assert set("".join(prompts)) <= set(alphabet(TINY.characters))


def test_more_positions_are_the_same_ones_again() -> None:
    model, longer = make_model("nanogpt-char-cpu", 65), make_model("nanogpt-char-cpu", 65, 100)
    assert longer.config.context_length == 100
    assert model.positions is not None
    assert longer.positions is not None
    assert longer.positions[:64].equal(model.positions)
    assert longer.positions[64:].equal(model.positions[:36])
    assert longer.embedding.equal(model.embedding)
    assert len(set(alphabet(GPT2.characters))) == GPT2.characters == 50_257


# ----------------------------------------------------------------------------------------------------------- the peers


def test_a_peer_that_dies_says_why_and_the_others_are_measured(setup: GenerationSetup) -> None:
    setup.without = [TRANSFORMERS, LLAMA]
    benchmark, _ = plan(workload(tokens=5), setup)
    job = ("--prompt", "1", "--tokens", "5", "--checkout", str(setup.home))
    dead = setup.peer("nanoGPT", "with_nanogpt", setup.checkpoint(TINY), *job)
    benchmark.candidates.insert(1, Candidate(dead.name, lambda repeat: dead.trial()))
    Harness().measure(benchmark, 2)
    assert [(trial.candidate, trial.repeat) for trial in benchmark.failures] == [("nanoGPT", 1), ("nanoGPT", 2)]
    assert all(trial.failure.startswith("nanoGPT ended with code 1: FileNotFoundError") for trial in benchmark.failures)
    assert [trial.candidate for trial in benchmark.trials if not trial.failure] == [MACHINE, OURS] * 2


def test_a_peer_that_never_started_can_be_closed(setup: GenerationSetup) -> None:
    PeerProcess("nobody", "with_transformers").close()


def test_a_model_that_cannot_be_loaded_says_why(setup: GenerationSetup) -> None:
    ours = setup.generation(Load(1, str(setup.home / "nothing"), False))
    with pytest.raises(TrialFailedError, match="nothing"):
        ours.generate("A", sampling(5, 1))


def test_each_peer_that_is_not_measured_is_named_with_the_reason(setup: GenerationSetup) -> None:
    setup.missing, setup.without = {LLAMA: "gguf"}, [TRANSFORMERS]
    assert list(setup.absent()) == [
        "transformers is left out, as was asked for.",
        "llama.cpp is left out: the package gguf is not installed.",
        "nanoGPT is left out: no checkout of it is named with --nanogpt.",
    ]
    assert not any(map(setup.has, (TRANSFORMERS, LLAMA, "nanoGPT")))
