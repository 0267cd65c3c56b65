"""The same words can be made again: by what is kept of a reply, in another process, whatever was asked there before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from minigpt_tui.engine.generation.responder import Responder
from minigpt_tui.engine.requests import (
    Cancel,
    ChangeSampling,
    Ended,
    Generate,
    GenerationMessage,
    Hello,
    Load,
    Loaded,
    Ready,
    SamplingSettings,
    SettingsChange,
    Tokens,
)

from .test_process import Child

WILD = SamplingSettings(temperature=1.2, max_tokens=30)
SETTINGS = {
    "plain": replace(WILD, seed=5),
    "filtered": replace(WILD, seed=6, top_k=6, top_p=0.9, min_p=0.01, stop=("abc",)),
    "penalised": replace(WILD, seed=7, repetition_penalty=1.4, frequency_penalty=0.3, penalty_window=20),
    "greedy": replace(WILD, seed=8, temperature=0),
}


@dataclass(frozen=True)
class Record:
    """What a session keeps of a reply."""

    prompt: str
    then: tuple[int, ...]
    settings: SamplingSettings  # with the seed that the reply told
    checkpoint: str
    ids: list[int]
    changes: tuple[SettingsChange, ...] = ()


def records(request: Generate, messages: list[GenerationMessage]) -> list[Record]:
    """Of each sample."""
    made = []
    for ended in sorted((m for m in messages if isinstance(m, Ended)), key=lambda m: m.sample):
        details = [d for m in messages if isinstance(m, Tokens) and m.sample == ended.sample for d in m.details]
        settings = replace(request.settings, seed=ended.seed)
        ids = [detail.token for detail in details]
        made.append(Record(request.prompt, request.then, settings, ended.checkpoint, ids, ended.changes))
    return made


@pytest.fixture(scope="module")
def checkpoints(random_model, save, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two checkpoints of one run, the second with other weights."""
    run = tmp_path_factory.mktemp("run")
    (run / "run.json").write_text("{}")
    model, tokenizer = random_model(context_length=32)
    first = save(run / "checkpoints" / "step-1", (model, tokenizer), step=1)
    with torch.no_grad():
        for matrix in model.hidden_matrices():
            matrix.mul_(0.7)
    return [first, save(run / "checkpoints" / "step-2", (model, tokenizer), step=2)]


@pytest.fixture(scope="module")
def written(checkpoints: list[Path]) -> list[Record]:
    """Replies of all kinds, written one after another by one model that has them all in its cache."""
    sent: list[GenerationMessage] = []
    responder = Responder(sent.append)
    responder.answer(Load(1, str(checkpoints[0]), device="cpu"), lambda: False)

    def ask(prompt: str, settings: SamplingSettings, then: tuple[int, ...] = (), samples: int = 1) -> list[Record]:
        sent.clear()
        request = Generate(2, prompt, settings, samples, explain=True, then=then, alternatives=2)
        responder.answer(request, lambda: False)
        return records(request, sent)

    kept: list[Record] = []
    for prompt in ("", "abc", "hgfe\n" * 20):
        for settings in SETTINGS.values():
            (first,) = ask(prompt, settings)
            (rest,) = ask(prompt, replace(settings, seed=9), then=tuple(first.ids))
            (further,) = ask(prompt, replace(settings, seed=10), then=(*first.ids, *rest.ids))
            other = next(token for token in range(9) if token != first.ids[3])
            (alternative,) = ask(prompt, replace(settings, seed=11), then=(*first.ids[:3], other))
            kept += first, rest, further, alternative, *ask(prompt, settings, samples=3)
    return kept


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = Child(tmp_path_factory.mktemp("child"))
    assert isinstance(child.next(), Hello)
    assert isinstance(child.next(), Ready)
    yield child
    child.stop()


def replayed(child: Child, record: Record) -> Record:
    request = Generate(3, record.prompt, record.settings, explain=True, then=record.then, alternatives=0)
    request = replace(request, changes=record.changes)
    child.send(request)
    (again,) = records(request, child.until_end(3))
    return again


def load(child: Child, path: Path) -> Loaded:
    child.send(Load(1, str(path), follow=False, device="cpu"))
    loaded = child.next()
    assert isinstance(loaded, Loaded)
    return loaded


def test_each_reply_is_written_again_by_its_record(
    child: Child, checkpoints: list[Path], written: list[Record]
) -> None:
    assert load(child, checkpoints[0]).checkpoint == written[0].checkpoint
    assert len(written) == 3 * len(SETTINGS) * 7
    for record in reversed(written):
        assert replayed(child, record) == record


def test_another_checkpoint_of_the_run_is_asked_with_the_same_seed(
    child: Child, checkpoints: list[Path], written: list[Record]
) -> None:
    loaded = load(child, checkpoints[1])
    assert (loaded.step, loaded.path) == (2, str(checkpoints[1]))
    some = written[::6]
    others = [replayed(child, record) for record in some]
    assert {other.checkpoint for other in others} == {loaded.checkpoint} != {written[0].checkpoint}
    assert [other.settings.seed for other in others] == [record.settings.seed for record in some]
    assert sum(other.ids != record.ids for other, record in zip(others, some, strict=True)) > len(some) / 2
    load(child, checkpoints[0])
    assert replayed(child, written[0]) == written[0]


CHANGES = {
    "wilder": [(4, replace(WILD, temperature=2.0))],
    "greedy and back": [(2, replace(WILD, temperature=0)), (9, WILD), (20, replace(WILD, temperature=0))],
    "filters": [(1, replace(WILD, top_k=3)), (8, replace(WILD, top_p=0.6, min_p=0.1)), (25, WILD)],
    "penalties": [
        (3, replace(WILD, repetition_penalty=1.6, penalty_window=5)),
        (15, replace(WILD, presence_penalty=1)),
    ],
    "at once": [(0, replace(WILD, temperature=0.3))],
    "what no token depends on": [(5, replace(WILD, seed=99, max_tokens=3, stop=("a",), forbidden=("b",)))],
}


class _Person:
    """Wants other settings after some tokens; asked once before each token."""

    def __init__(self, changes: list[tuple[int, SamplingSettings]]) -> None:
        self._changes, self._asked, self.wanted = changes, -1, None

    def __call__(self) -> SamplingSettings | None:
        self._asked += 1
        self.wanted = dict(self._changes).get(self._asked, self.wanted)
        return self.wanted


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_reply_whose_settings_were_changed_is_written_again_with_the_changes(
    child: Child, checkpoints: list[Path], changes: list[tuple[int, SamplingSettings]], samples: int
) -> None:
    sent: list[GenerationMessage] = []
    responder = Responder(sent.append)
    responder.answer(Load(1, str(checkpoints[0]), device="cpu"), lambda: False)
    load(child, checkpoints[0])
    for start in (replace(WILD, seed=5), replace(WILD, seed=6, temperature=0), replace(WILD, seed=7, top_k=4)):
        made: list[list[Record]] = []
        for person in (_Person(changes), _Person([])):
            sent.clear()
            request = Generate(2, "abc" * 9, start, samples, explain=True, alternatives=0)
            responder.answer(request, lambda: False, person)
            made.append(records(request, sent))
        for record, unchanged in zip(*made, strict=True):
            first = record.changes[0].at if record.changes else 30
            assert record.ids[:first] == unchanged.ids[:first], "what was written before stays"
            assert [change.at for change in record.changes] in ([], *([at for at, _ in changes[n:]] for n in (0, 1)))
            assert {change.settings.seed for change in record.changes} <= {record.settings.seed}
            assert len(record.ids) == len(unchanged.ids) == 30
            assert replayed(child, record) == record


def test_a_change_acts_on_the_text_that_streams(child: Child, checkpoints: list[Path]) -> None:
    load(child, checkpoints[0])
    settings = replace(WILD, seed=3, max_tokens=100_000)
    child.send(request := Generate(7, "abc", settings, explain=True, alternatives=0))
    messages = [child.next()]
    child.send(ChangeSampling(6, replace(WILD, temperature=50)))  # of another request
    child.send(ChangeSampling(7, replace(WILD, temperature=0)))
    while sum(isinstance(message, Tokens) for message in messages) < 8:
        messages.append(child.next())
    child.send(Cancel(7))
    (record,) = records(request, [*messages, *child.until_end(7)])
    assert [change.settings.temperature for change in record.changes] == [0]
    assert 0 < record.changes[0].at < len(record.ids)
    again = replayed(child, replace(record, settings=replace(record.settings, max_tokens=len(record.ids))))
    assert again.ids == record.ids
    assert replayed(child, replace(record, changes=(), settings=again.settings)).ids != record.ids
