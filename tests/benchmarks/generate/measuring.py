"""How each workload is measured: its candidates, and what of them is compared.

All candidates have figures of one kind:

tokens_per_second   of all texts together
milliseconds        from the request, or the call, to the end
share               per cent of the memory's bandwidth that reading the weights for each token takes
limit               what this machine allows at most, of whichever of the first two is compared
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.requests import SamplingSettings

from ..harness import OURS, Benchmark, Candidate, Comparison, Figure
from .our_generation import Completion, OurGeneration
from .peers.protocol import TEMPERATURE, TOP_K
from .roofline import Cost, Roofline, prompt_cost, step_cost, weight_bytes
from .setup import GenerationSetup
from .workloads import CHAR, GPT2, LLAMA, NANOGPT, TRANSFORMERS, GenerationWorkload, alphabet, prompt_of

ALONE, CONTINUED = "ours, one text", "ours, continued"
_PROMPT = 5  # tokens before a text whose pace is measured
_LONG_PROMPT, _BEGINNING, _ANSWER = 200, 150, 40  # tokens; a conversation's are its beginning, an answer, a question
_PACE, _DELAY = ("tokens_per_second", "tokens/s"), ("milliseconds", "ms")


def sampling(tokens: int, seed: int) -> SamplingSettings:
    """What ours samples with, as the peers do: temperature and top-k, which all of them have."""
    return SamplingSettings(temperature=TEMPERATURE, top_k=TOP_K, max_tokens=tokens, seed=seed)


class Plan(NamedTuple):
    """A benchmark, and the roofline that bounds it."""

    benchmark: Benchmark
    roofline: Roofline


def plan(workload: GenerationWorkload, setup: GenerationSetup) -> Plan:
    """How the workload is measured here. Raises TrialFailedError where its model cannot be made."""
    ours = setup.ours(workload)
    device = ours.loaded().device if workload.needs_gpu else "cpu"
    return {"pace": _pace, "samples": _samples, "first": _first}[workload.measure](workload, setup, ours, device)


def _pace(workload: GenerationWorkload, setup: GenerationSetup, ours: OurGeneration, device: str) -> Plan:
    """One text: tokens a second, bounded by reading every weight for each."""
    n_bytes, prompt = weight_bytes(workload.shape.config, workload.dtype), prompt_of(_PROMPT)
    roofline = Roofline.of(setup, workload, device, Cost(n_bytes, 0), lambda seconds: 1 / seconds)

    def trial(repeat: int) -> Mapping[str, Figure]:
        completion = ours.generate(prompt, sampling(workload.tokens, repeat))
        return roofline.figures(completion.tokens, completion.seconds, n_bytes) | _facts(ours, setup)

    others = list(_peers(setup, workload, roofline, device, prompt, workload.tokens))
    what = f"{workload.tokens} tokens, {workload.shape.words}, {workload.dtype}"
    comparisons = [
        Comparison(what, *_PACE, peer, better="higher", target=_target(workload, peer), limit="limit")
        for peer in _names(others)
    ]
    if workload.shape is GPT2:
        share = ("share of the memory's bandwidth", "share", "%")
        comparisons += [Comparison(*share, peer, better="higher", limit=100.0) for peer in _names(others)]
    return Plan(Benchmark(workload.name, [roofline.candidate, Candidate(OURS, trial), *others], comparisons), roofline)


def _samples(workload: GenerationWorkload, setup: GenerationSetup, ours: OurGeneration, device: str) -> Plan:
    """Several texts at once: tokens a second of all, beside one text alone."""
    cost = step_cost(workload.shape.config, workload.dtype, workload.samples, _PROMPT + workload.tokens / 2)
    roofline = Roofline.of(setup, workload, device, cost, lambda seconds: workload.samples / seconds)
    prompt = prompt_of(_PROMPT)

    def several(samples: int) -> Callable[[int], Mapping[str, Figure]]:
        def trial(repeat: int) -> Mapping[str, Figure]:
            completion = ours.generate(prompt, sampling(workload.tokens, repeat), samples)
            return roofline.figures(completion.tokens, completion.seconds) | _facts(ours, setup)

        return trial

    others = list(_peers(setup, workload, roofline, device, prompt, workload.tokens, workload.samples))
    what = f"{workload.samples} texts at once, all tokens"
    comparisons = [Comparison(what, *_PACE, peer, better="higher", limit="limit") for peer in _names(others)]
    comparisons.append(
        Comparison(f"{workload.samples} texts against one", *_PACE, ALONE, better="higher", limit="limit")
    )
    candidates = [roofline.candidate, Candidate(OURS, several(workload.samples)), Candidate(ALONE, several(1)), *others]
    return Plan(Benchmark(workload.name, candidates, comparisons), roofline)


def _first(workload: GenerationWorkload, setup: GenerationSetup, ours: OurGeneration, device: str) -> Plan:
    """From the request to the first piece of text, for a prompt that is new, and for a conversation that goes on."""
    cost = prompt_cost(workload.shape.config, workload.dtype, _LONG_PROMPT)
    roofline = Roofline.of(setup, workload, device, cost, lambda seconds: 1000 * seconds)

    def figures(completion: Completion) -> Mapping[str, Figure]:
        return roofline.figures(1, completion.first) | _facts(ours, setup)

    def new(repeat: int) -> Mapping[str, Figure]:
        return figures(ours.generate(prompt_of(_LONG_PROMPT, repeat), sampling(workload.tokens, repeat)))

    def continued(repeat: int) -> Mapping[str, Figure]:
        beginning = prompt_of(_BEGINNING, repeat)
        answer = ours.generate(beginning, sampling(_ANSWER, repeat)).text
        question = prompt_of(_LONG_PROMPT - _BEGINNING - _ANSWER)
        return figures(ours.generate(beginning + answer + question, sampling(workload.tokens, repeat)))

    others = list(_peers(setup, workload, roofline, device, prompt_of(_LONG_PROMPT), tokens=1))
    what, again = f"first text after {_LONG_PROMPT} tokens", f"the same, {_BEGINNING + _ANSWER} of them read before"
    comparisons = [
        Comparison(what, *_DELAY, peer, target=_target(workload, peer), limit="limit") for peer in _names(others)
    ]
    comparisons.append(Comparison(again, *_DELAY, ours=CONTINUED, target=_target(workload, OURS)))
    candidates = [roofline.candidate, Candidate(OURS, new), Candidate(CONTINUED, continued), *others]
    return Plan(Benchmark(workload.name, candidates, comparisons), roofline)


def _facts(ours: OurGeneration, setup: GenerationSetup) -> dict[str, Figure]:
    """What our process computes on, and in which type."""
    loaded = ours.loaded()
    return {"device": loaded.device, "dtype": loaded.dtype, **({"gpu": setup.gpu} if setup.gpu else {})}


def _names(others: Sequence[Candidate]) -> list[str]:
    """The peers that ours is compared with; an empty name where there are none."""
    return [peer.name for peer in others] or [""]


def _target(workload: GenerationWorkload, peer: str) -> str:
    return workload.targets.get(peer) or workload.targets.get(OURS, "")


def _peers(
    setup: GenerationSetup,
    workload: GenerationWorkload,
    roofline: Roofline,
    device: str,
    prompt: str,
    tokens: int,
    samples: int = 1,
) -> Iterator[Candidate]:
    """The peers that are there and can write so many samples of so many tokens after the prompt.

    transformers and llama.cpp stop at the end of the context, so for a longer text they get a model with more
    positions, the same ones again. nanoGPT crops the text. llama-cpp-python writes one text at a time.
    """
    ids = CharTokenizer(alphabet(workload.shape.characters)).encode(prompt)
    job = ("--prompt", ",".join(map(str, ids)), "--tokens", tokens, "--samples", samples, "--device", device)
    folder, dtype = setup.checkpoint(workload.shape), "bfloat16" if workload.needs_gpu else "float32"
    longer = setup.checkpoint(workload.shape, max(workload.shape.config.context_length, len(ids) + tokens))

    def candidate(name: str, module: str, weights: str, *arguments: object) -> Candidate:
        process = setup.peer(name, module, *arguments)
        alone = workload.measure == "pace"  # otherwise several tokens share a reading of the weights
        n_bytes = weight_bytes(workload.shape.config, weights) if alone else 0.0

        def trial(repeat: int) -> Mapping[str, Figure]:
            done = process.trial()
            return roofline.figures(int(done["tokens"]), done["seconds"], n_bytes) | process.facts

        return Candidate(name, trial)

    if setup.has(TRANSFORMERS):
        yield candidate(TRANSFORMERS, "with_transformers", dtype, longer, *job, "--dtype", dtype)
    if setup.nanogpt and setup.has(NANOGPT) and workload.shape is CHAR and workload.measure == "pace":
        checkout = ("--dtype", dtype, "--checkout", setup.nanogpt.path)
        yield candidate(NANOGPT, "with_nanogpt", dtype, folder, *job, *checkout)
    if setup.has(LLAMA) and samples == 1:
        for kind in ("bf16" if workload.needs_gpu else "f32", "q8_0"):
            yield candidate(f"{LLAMA} {kind}", "with_llama_cpp", kind, setup.gguf(longer, kind), *job)
