"""How each row of `bench generate` is measured: who takes turns, and what is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .generation_contestants import Job, Machine, peers, prompt_of, sampling
from .generation_limits import Cost, prompt_cost, step_cost, weight_bytes
from .generation_rows import GPT2, Row
from .generation_setting import Setting
from .measurements import OURS, Comparison, Work
from .our_generation import OurGeneration, Reply
from .turns import Contestant, Figure

ALONE, CONTINUED = "ours, one text", "ours, continued"
_PROMPT = 5  # tokens before a text whose pace is measured
_LONG_PROMPT, _BEGINNING, _ANSWER = 200, 150, 40  # tokens; a conversation's are its beginning, an answer, a question
_PACE, _DELAY = ("tokens_per_second", "tokens/s"), ("milliseconds", "ms")


class Plan(NamedTuple):
    """A work, and the machine that bounds it."""

    work: Work
    machine: Machine


def plan(row: Row, setting: Setting) -> Plan:
    """How the row is measured here. Raises TurnFailedError where its model cannot be made."""
    ours = setting.ours(row)
    device = ours.loaded().device if row.needs_gpu else "cpu"
    return {"pace": _pace, "samples": _samples, "first": _first}[row.measure](row, setting, ours, device)


def _pace(row: Row, setting: Setting, ours: OurGeneration, device: str) -> Plan:
    """One text: tokens a second, bounded by reading every weight for each."""
    n_bytes, prompt = weight_bytes(row.shape.config, row.dtype), prompt_of(_PROMPT)
    machine = Machine.of(setting, row, device, Cost(n_bytes, 0), lambda seconds: 1 / seconds)

    def turn(repeat: int) -> Mapping[str, Figure]:
        reply = ours.generate(prompt, sampling(row.tokens, repeat))
        return machine.figures(reply.tokens, reply.seconds, n_bytes) | _facts(ours, setting)

    others = list(peers(setting, row, Job(prompt, row.tokens, device=device), machine))
    what = f"{row.tokens} tokens, {row.shape.words}, {row.dtype}"
    comparisons = [
        Comparison(what, *_PACE, peer, better="higher", target=_target(row, peer), limit="limit")
        for peer in _names(others)
    ]
    if row.shape is GPT2:
        share = ("share of the memory's bandwidth", "share", "%")
        comparisons += [Comparison(*share, peer, better="higher", limit=100.0) for peer in _names(others)]
    return Plan(Work(row.name, [machine.contestant, Contestant(OURS, turn), *others], comparisons), machine)


def _samples(row: Row, setting: Setting, ours: OurGeneration, device: str) -> Plan:
    """Several texts at once: tokens a second of all, beside one text alone."""
    cost = step_cost(row.shape.config, row.dtype, row.samples, _PROMPT + row.tokens / 2)
    machine = Machine.of(setting, row, device, cost, lambda seconds: row.samples / seconds)
    prompt = prompt_of(_PROMPT)

    def several(samples: int) -> Callable[[int], Mapping[str, Figure]]:
        def turn(repeat: int) -> Mapping[str, Figure]:
            reply = ours.generate(prompt, sampling(row.tokens, repeat), samples)
            return machine.figures(reply.tokens, reply.seconds) | _facts(ours, setting)

        return turn

    others = list(peers(setting, row, Job(prompt, row.tokens, row.samples, device), machine))
    what = f"{row.samples} texts at once, all tokens"
    comparisons = [Comparison(what, *_PACE, peer, better="higher", limit="limit") for peer in _names(others)]
    comparisons.append(Comparison(f"{row.samples} texts against one", *_PACE, ALONE, better="higher", limit="limit"))
    contestants = [machine.contestant, Contestant(OURS, several(row.samples)), Contestant(ALONE, several(1)), *others]
    return Plan(Work(row.name, contestants, comparisons), machine)


def _first(row: Row, setting: Setting, ours: OurGeneration, device: str) -> Plan:
    """From the request to the first piece of text, for a prompt that is new, and for a conversation that goes on."""
    cost = prompt_cost(row.shape.config, row.dtype, _LONG_PROMPT)
    machine = Machine.of(setting, row, device, cost, lambda seconds: 1000 * seconds)

    def figures(reply: Reply) -> Mapping[str, Figure]:
        return machine.figures(1, reply.first) | _facts(ours, setting)

    def new(repeat: int) -> Mapping[str, Figure]:
        return figures(ours.generate(prompt_of(_LONG_PROMPT, repeat), sampling(row.tokens, repeat)))

    def continued(repeat: int) -> Mapping[str, Figure]:
        beginning = prompt_of(_BEGINNING, repeat)
        answer = ours.generate(beginning, sampling(_ANSWER, repeat)).text
        question = prompt_of(_LONG_PROMPT - _BEGINNING - _ANSWER)
        return figures(ours.generate(beginning + answer + question, sampling(row.tokens, repeat)))

    others = list(peers(setting, row, Job(prompt_of(_LONG_PROMPT), 1, device=device), machine))
    what, again = f"first text after {_LONG_PROMPT} tokens", f"the same, {_BEGINNING + _ANSWER} of them read before"
    comparisons = [Comparison(what, *_DELAY, peer, target=_target(row, peer), limit="limit") for peer in _names(others)]
    comparisons.append(Comparison(again, *_DELAY, ours=CONTINUED, target=_target(row, OURS)))
    contestants = [machine.contestant, Contestant(OURS, new), Contestant(CONTINUED, continued), *others]
    return Plan(Work(row.name, contestants, comparisons), machine)


def _facts(ours: OurGeneration, setting: Setting) -> dict[str, Figure]:
    """What our process computes on, and in which type."""
    loaded = ours.loaded()
    return {"device": loaded.device, "dtype": loaded.dtype, **({"gpu": setting.gpu} if setting.gpu else {})}


def _names(others: Sequence[Contestant]) -> list[str]:
    """Whom ours is compared with; nobody, once, where no peer is there."""
    return [peer.name for peer in others] or [""]


def _target(row: Row, peer: str) -> str:
    return row.targets.get(peer) or row.targets.get(OURS, "")
