"""Any damage to any file of a run and of the home: what reads it does its work, or says one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data import corpus, encoding
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.corpus_tokenizer import corpus_tokenizer
from minigpt_tui.data.dataset import TokenDataset
from minigpt_tui.data.encoding import encode_corpus
from minigpt_tui.data.storage.errors import UserError, sentence_of
from minigpt_tui.engine.machine_speed import MachineSpeed, keep_speed, read_speed, speed_path
from minigpt_tui.engine.model_files import find_model, read_config, read_tokenizer
from minigpt_tui.engine.results import DeviceReport
from minigpt_tui.engine.run_about import find_run
from minigpt_tui.engine.run_summary import RunSummaries
from minigpt_tui.engine.runs import Run, RunManifest, list_runs, run_to_open
from minigpt_tui.engine.training.errors import FolderGoneError
from minigpt_tui.engine.training.loop.commands import CommandReader
from minigpt_tui.engine.training.loop.event_log import EventLog
from minigpt_tui.engine.training.setup import build_trainer
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.tui.bridge import Bridge
from minigpt_tui.tui.found_models import look_up
from minigpt_tui.tui.run_words import run_opened
from minigpt_tui.tui.settings import load_history, load_settings, save_history, save_settings, settings_path
from minigpt_tui.tui.widgets.training_panel import figures

from ...damage import for_each_damage
from .command import command

FEW = pytest.mark.parametrize("examples", [12, pytest.param(300, marks=pytest.mark.long)])
SPEED = MachineSpeed("box", "cpu", DeviceReport("2", ("cpu",), "cpu", "CPU", "float32", "float32", "no", 1, 9), "today")


@pytest.fixture(scope="module")
def prepared(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with all the files that the program reads."""
    home = shutil.copytree(trained_once, tmp_path_factory.mktemp("damaged") / "home")
    path = home / "data" / "runs" / "cats" / "run.json"
    manifest = json.loads(path.read_text())
    manifest["corpus"]["spec"] = str(home / "cats.txt")
    path.write_text(json.dumps(manifest))
    shutil.copytree(path.parent, path.parents[1] / "dogs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGPT_HOME", str(home))
        save_settings(replace(load_settings()[0], samples=3, theme="minigpt-light"))
        save_history(["one", "two\nlines", "drei ☃"])
        keep_speed(SPEED)
        byte_pairs(home)
        for line in ('{"kind":"command","name":"scale_learning_rate","value":0.5}', '{"kind":"command","name":"save"}'):
            with (path.parent / "commands.jsonl").open("a") as file:
                file.write(line + "\n")
    return home


@pytest.fixture
def home(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(prepared))
    monkeypatch.setattr("minigpt_tui.engine.training.machine.set_up_torch", lambda choice, threads: None)
    torch.set_num_threads(1)
    return prepared


@pytest.fixture
def intact(home: Path) -> Iterator[Callable[[Path], bytes]]:
    """What is damaged is as before at the end of a test."""
    kept: dict[Path, bytes] = {}

    def content(path: Path) -> bytes:
        return kept.setdefault(path, path.read_bytes())

    yield content
    for path, content_before in kept.items():
        path.write_bytes(content_before)


def byte_pairs(home: Path) -> str:
    """The fingerprint of the tokenizer that is learned from the text, or found in the cache."""
    text = open_corpus(str(home / "cats.txt"))
    return corpus_tokenizer(
        text, "bpe", validation_fraction=0.1, bpe_vocab_size=270, unknown="drop"
    ).fingerprint  # fmt: skip


def one_sentence(act: Callable[[], Any]) -> bool:
    """Whether `act` did its work; where it did not, it said why in one line."""
    try:
        act()
    except (UserError, FolderGoneError, OSError) as error:
        said = sentence_of(error)
    else:
        return True
    assert said
    assert "\n" not in said
    return False


def show(run: Run) -> None:
    """As the app shows a run."""
    bridge = Bridge(lambda message: None)
    bridge.generator.load = lambda path, follow: None  # type: ignore[method-assign]
    bridge.attach(run)
    bridge.poll()
    assert isinstance(bridge.manifest, RunManifest)
    run_opened(bridge.manifest, bridge.training)
    assert figures(bridge.training, 60, with_losses=True)


def resume(run: Run) -> None:
    """As the train process prepares a run that is resumed, up to its first step; with the commands of before."""
    event_log, commands = EventLog(run), CommandReader(run)
    trainer = build_trainer(run, resume=True, leave_core=False, event_log=event_log, commands=commands)
    commands.stop_requested = True
    for _ in range(9 if commands.poll() else 0):
        commands.take()
        if not commands.poll():
            break
    assert trainer.learner.step >= 0


@FEW
@pytest.mark.parametrize("name", ["run.json", "status.json", "metrics.jsonl", "commands.jsonl"])
def test_a_run(home: Path, intact: Callable[[Path], bytes], name: str, examples: int) -> None:
    run = Run(home / "data" / "runs" / "cats")
    path = run.path / name
    metrics, status = (intact(run.path / other) for other in ("metrics.jsonl", "status.json"))

    def check(damage: bytes) -> None:
        (run.path / "metrics.jsonl").write_bytes(metrics)
        (run.path / "status.json").write_bytes(status)
        path.write_bytes(damage)
        listed = command(home, "runs", "--json")
        assert listed.returncode == 0
        names = [row["name"] for row in json.loads(listed.stdout, parse_constant=pytest.fail)]
        assert sorted(names) == ["cats", "dogs"]
        assert command(home, "runs").returncode == 0
        assert run_to_open() in list_runs()
        assert find_run().is_readable()
        assert {summary.name for summary in RunSummaries().read()} == {"cats", "dogs"}
        readable = run.is_readable()
        assert one_sentence(lambda: show(run)) == readable
        one_sentence(lambda: look_up("cats"))
        if readable:
            one_sentence(lambda: resume(run))
        else:
            opened = command(home, "resume", "cats")
            assert (opened.returncode, len(opened.stderr.splitlines())) == (2, 1)

    for_each_damage(intact(path), examples // 2, check)


@FEW
@pytest.mark.parametrize(
    "name", ["minigpt.json", "config.json", "model.safetensors", "state.safetensors", "tokenizer.json"]
)
def test_a_checkpoint(home: Path, intact: Callable[[Path], bytes], name: str, examples: int) -> None:
    run = Run(home / "data" / "runs" / "cats")
    last = run.checkpoints / "last"
    path = last / name
    intact(run.path / "metrics.jsonl")
    intact(run.path / "status.json")

    def read_model() -> None:
        file = find_model(str(last))
        read_config(file)
        read_tokenizer(file)
        load_checkpoint(file.path)

    def check(damage: bytes) -> None:
        path.write_bytes(damage)
        one_sentence(lambda: look_up(str(last)))
        one_sentence(read_model)
        assert one_sentence(lambda: resume(run)) or name == "state.safetensors"  # else it goes on from `best`

    for_each_damage(intact(path), examples // 3, check)


@FEW
def test_the_settings(home: Path, intact: Callable[[Path], bytes], examples: int) -> None:
    path = settings_path()

    def check(damage: bytes) -> None:
        path.write_bytes(damage)
        loaded, _ = load_settings()
        save_settings(replace(loaded, samples=1 + loaded.samples % 3))
        assert load_settings()[0].samples == 1 + loaded.samples % 3
        for aside in path.parent.glob("settings.toml.damaged*"):
            aside.unlink()

    for_each_damage(intact(path), examples, check)


@FEW
def test_the_history(home: Path, intact: Callable[[Path], bytes], examples: int) -> None:
    path = home / "state" / "history.jsonl"

    def check(damage: bytes) -> None:
        path.write_bytes(damage)
        loaded = load_history()
        save_history([*loaded, "new"])
        assert load_history() == [*loaded, "new"]

    for_each_damage(intact(path), examples, check)


@FEW
def test_the_speeds_of_this_machine(home: Path, intact: Callable[[Path], bytes], examples: int) -> None:
    path = speed_path(SPEED.machine)

    def check(damage: bytes) -> None:
        path.write_bytes(damage)
        read_speed(SPEED.machine)
        keep_speed(SPEED)
        assert read_speed(SPEED.machine) is not None

    for_each_damage(intact(path), examples, check)


def encoded(home: Path) -> TokenDataset:
    run = Run(home / "data" / "runs" / "cats")
    tokenizer = read_tokenizer(find_model("cats"))
    assert run.manifest().corpus.spec == str(home / "cats.txt")
    return encode_corpus(
        open_corpus(str(home / "cats.txt")), tokenizer, validation_fraction=0.1, context_length=16, device="cpu"
    )


@FEW
def test_the_caches(
    home: Path, intact: Callable[[Path], bytes], monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    """Whatever becomes of them, what is made with them is the same."""
    monkeypatch.setattr(encoding, "_SMALL", 0)  # as of a text of megabytes
    monkeypatch.setattr(corpus, "_LARGE", 0)
    monkeypatch.setattr(corpus, "_MTIME_RESOLUTION", -1.0)
    before, pairs, text = encoded(home), byte_pairs(home), open_corpus(str(home / "cats.txt"))
    files = [path for path in sorted((home / "cache").rglob("*")) if path.is_file()]
    assert {"tokens", "tokenizers", "scans"} <= {part for path in files for part in path.parts}
    for path in files:

        def check(damage: bytes, path: Path = path) -> None:
            path.unlink(missing_ok=True)  # the tokens of before are still mapped into memory
            path.write_bytes(damage)
            after = encoded(home)
            assert torch.equal(after.train, before.train)
            assert torch.equal(after.validation, before.validation)
            assert byte_pairs(home) == pairs
            assert open_corpus(str(home / "cats.txt")).fingerprint == text.fingerprint

        for_each_damage(intact(path), max(6, examples // 6), check)
