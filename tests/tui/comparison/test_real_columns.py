"""Columns with real processes and a real model: what they write, that none starves, and what a kill costs."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from string import ascii_letters
from time import monotonic

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.model_files import checkpoint_with
from minigpt_tui.engine.requests import SamplingSettings, TokenDetail
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.comparison.variants import Variant, choices
from minigpt_tui.tui.comparison.writer import Asked, ColumnWriter
from minigpt_tui.tui.generator import Generator
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.widgets.compared_column import ComparedColumn

from ..runs_on_disk import make_run
from ..seen import screen_text
from ..waiting import wait_until

SETTINGS = SamplingSettings(temperature=1.0, max_tokens=60, seed=7)
LONG = 600  # tokens that are long enough for processes to take turns many times


TEXT = "the cat sat on the mat and the dog sat on the log while the rain fell on the plain.\n" * 20


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of a short training: of its beginning, of step 40, and the last."""
    folder = tmp_path_factory.mktemp("trained") / "checkpoints"
    tokenizer = CharTokenizer("".join(sorted(ascii_letters + " .\n")))
    model = GPT(ModelConfig(vocab_size=tokenizer.vocab_size, context_length=16, n_layer=1, n_head=2, d_model=16))
    model.reset_parameters(torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    ids = torch.tensor(tokenizer.encode(TEXT).tolist())
    for step in range(41):
        if step in (1, 40):
            checkpoints.save(folder, "history", model, tokenizer, Counters(step=step))
        windows = torch.randint(len(ids) - 17, (16, 1), generator=torch.Generator().manual_seed(step)) + torch.arange(
            17
        )
        batch = ids[windows]
        loss = torch.nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    checkpoints.save(folder, "last", model, tokenizer, Counters(step=41))
    return folder


@pytest.fixture
def run(home: Path, trained: Path) -> Run:
    """A run with these checkpoints."""
    run = make_run("play-01", checkpoint=False)
    shutil.copytree(trained, run.checkpoints, dirs_exist_ok=True)
    return run


def variant(run: Run, step: int, settings: SamplingSettings = SETTINGS) -> Variant:
    folder = run.checkpoints / f"step-{step:06d}"
    return Variant(folder, False, str(run.path), run.name, f"step {step}", settings)


async def until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not holds():
        assert monotonic() < deadline, "what was waited for did not happen"
        await asyncio.sleep(0.005)


def writers(*variants: Variant) -> AbstractAsyncContextManager[list[ColumnWriter]]:
    """Columns of these variants."""
    return opened([ColumnWriter(one, lambda *_: None, lambda: None) for one in variants])


@asynccontextmanager
async def opened(columns: list[ColumnWriter]) -> AsyncIterator[list[ColumnWriter]]:
    """The columns with their models loaded."""
    for column in columns:
        column.start()
    try:
        await until(lambda: all(column.loaded for column in columns))
        yield columns
    finally:
        await asyncio.gather(*(column.close() for column in columns))


def ended(column: ColumnWriter) -> bool:
    return column.reply is not None and column.reply.ended is not None


async def alone(path: Path, settings: SamplingSettings) -> tuple[str, list[int]]:
    """What the app's own process writes with this model, while nothing else is written."""
    text, ids, done = list[str](), list[int](), asyncio.Event()

    def take(event: object) -> None:
        text.append(getattr(event, "text", ""))
        ids.extend(detail.token for detail in getattr(event, "details", ()))
        if not hasattr(event, "text"):
            done.set()

    generator = Generator(lambda _: None, lambda _: None)
    await generator.start()
    generator.load(path, follow=False)
    await until(lambda: generator.ready)
    generator.generate("the c", settings, take, explain=True)
    await asyncio.wait_for(done.wait(), 60)
    await generator.close()
    return "".join(text), ids


async def test_one_seed_writes_in_a_column_what_it_writes_alone(run: Run):
    wild = replace(SETTINGS, seed=8)
    async with writers(variant(run, 1), variant(run, 40), variant(run, 40, wild), variant(run, 1)) as columns:
        for column in columns:
            column.write(Asked("the c"))
        await until(lambda: all(map(ended, columns)))
    first, second, other, again = [column.reply for column in columns]
    assert first is not None
    assert second is not None
    assert other is not None
    assert again is not None
    for reply, step, settings in ((first, 1, SETTINGS), (second, 40, SETTINGS), (other, 40, wild)):
        text, ids = await alone(run.checkpoints / f"step-{step:06d}", settings)
        assert len(ids) == 60
        assert (reply.text, [detail.token for detail in reply.details]) == (text, ids)
        assert reply.ended is not None
        assert (reply.ended.step, reply.ended.seed) == (step, settings.seed)
        assert reply.ended.checkpoint
    assert first.text == again.text
    assert len({first.text, second.text, other.text}) == 3


async def test_no_column_starves(run: Run):
    long, counts, at_first_end = replace(SETTINGS, max_tokens=LONG), [0] * 4, list[int]()

    def counting(number: int) -> ColumnWriter:
        def count(_: str, details: Sequence[TokenDetail]) -> None:
            counts[number] += len(details)
            if counts[number] == LONG and not at_first_end:
                at_first_end.extend(counts)

        return ColumnWriter(variant(run, 1, replace(long, seed=number)), count, lambda: None)

    async with opened([counting(number) for number in range(4)]) as columns:
        for column in columns:
            column.write(Asked("the c"))
        await until(lambda: all(map(ended, columns)))
    assert counts == [LONG] * 4
    assert min(at_first_end) >= LONG // 8, f"when the first had ended, they had written {at_first_end}"


async def test_a_writer_writes_again_and_another_variant_without_a_new_process(run: Run):
    async with writers(variant(run, 1)) as (column,):
        for one in (variant(run, 1), variant(run, 1, replace(SETTINGS, seed=9)), variant(run, 40)):
            column.change(one)
            column.write(Asked("the c"))
            await until(lambda: ended(column))
            assert column.reply is not None
            assert column.reply.ended is not None
            assert column.reply.ended.step == column.step == int(one.checkpoint.split()[-1])
            assert column.reply.origin.settings == one.settings


async def test_the_newest_weights_of_a_run_that_trains_write_each_reply(run: Run):
    newest = Variant(run.path, True, str(run.path), run.name, "", SETTINGS)
    async with writers(newest, variant(run, 1)) as (following, staying):
        steps = list[tuple[int, int | None]]()
        for folder in ("last", "step-000001"):
            for column in (following, staying):
                column.write(Asked("the c"))
            await until(lambda: ended(following) and ended(staying))
            assert following.reply is not None
            assert following.reply.ended is not None
            steps.append((following.reply.ended.step, staying.step))
            shutil.copytree(run.checkpoints / "step-000040", run.path / "new")
            shutil.rmtree(run.checkpoints / folder)
            (run.path / "new").rename(run.checkpoints / folder)
    assert steps == [(41, 1), (40, 1)], "a checkpoint stays what it is, also where another one takes its place"


async def test_the_app_compares_two_checkpoints_and_goes_on_with_one(run: Run):
    save_settings(Settings(sampling=SETTINGS))
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        desk = app.screen
        assert isinstance(desk, WriteDesk)
        await pilot.press(*"the c", "alt+c")
        await wait_until(pilot, lambda: screen_text(app).count("/s · loss") == 2)
        texts = [column.text.text for column in app.screen.query(ComparedColumn)]
        assert texts[0] == await alone_with(run, "the c")
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.screen is desk)
        node = desk.turns.session.text.path[-1]
        assert node.text == texts[0]
        assert node.origin is not None
        assert (node.origin.step, node.origin.seed, node.origin.settings) == (1, 7, SETTINGS)
        assert checkpoint_with(run, node.origin.checkpoint) == run.checkpoints / "step-000001"
        assert len(desk.turns.session.text.records(node)) == 60


async def test_what_is_asked_while_it_writes_takes_the_place_of_that(run: Run):
    async with writers(variant(run, 1, replace(SETTINGS, max_tokens=1_000_000))) as (column,):
        column.write(Asked("the c"))
        await until(lambda: column.reply is not None and bool(column.reply.details))
        column.change(variant(run, 1))
        column.write(Asked("a"))
        await until(lambda: ended(column))
        assert column.reply is not None
        assert len(column.reply.details) == 60
        assert column.reply.text == (await alone_with(run, "a"))


async def alone_with(run: Run, prompt: str) -> str:
    async with writers(variant(run, 1)) as (column,):
        column.write(Asked(prompt))
        await until(lambda: ended(column))
        assert column.reply is not None
        return column.reply.text


async def test_a_model_that_is_gone_is_a_sentence_and_the_others_write(run: Run):
    columns = [
        ColumnWriter(one, lambda *_: None, lambda: None)
        for one in (replace(variant(run, 1), path=run.checkpoints / "step-000009"), variant(run, 40))
    ]
    for column in columns:
        column.start()
        column.write(Asked("the c"))
    await until(lambda: bool(columns[0].problem) and ended(columns[1]))
    assert "step-000009" in columns[0].problem
    assert not columns[0].is_writing
    await asyncio.gather(*(column.close() for column in columns))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
async def test_a_process_that_is_killed_is_a_sentence_and_the_others_write_on(run: Run):
    long = replace(SETTINGS, max_tokens=1_000_000)
    async with writers(variant(run, 1, long), variant(run, 40, long)) as (first, second):
        for column in (first, second):
            column.write(Asked("the c"))
        await until(lambda: all(column.reply and column.reply.details for column in (first, second)))
        pid = first.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: "SIGKILL" in first.problem)
        assert first.reply is not None
        assert first.reply.text, "what was written stays"
        assert second.reply is not None
        before = len(second.reply.details)
        await until(lambda: second.reply is not None and len(second.reply.details) > before + 100)
        assert not second.problem
        first.change(variant(run, 1))
        first.write(Asked("the c"))
        await until(lambda: ended(first))
        assert not first.problem


async def test_no_process_is_left_when_the_columns_close(run: Run):
    async with writers(variant(run, 1), variant(run, 40, replace(SETTINGS, max_tokens=1_000_000))) as columns:
        columns[1].write(Asked("the c"))
        await until(lambda: columns[1].reply is not None and bool(columns[1].reply.details))
        pids = [column.pid for column in columns]
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_there_is_to_choose_from(run: Run):
    make_run("other-01")
    make_run("none-yet", checkpoint=False)
    words = [choice.words for choice in choices(variant(run, 1), {"own": SamplingSettings(top_k=2)})]
    assert words == [
        "last: the newest", "step 40", "run other-01", "run play-01", "set balanced", "set precise",
        "set greedy", "set wild", "set own", "seed 8",
    ]  # fmt: skip
