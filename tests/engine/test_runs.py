from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.storage.typed_json import dumps, from_plain, to_plain
from minigpt_tui.engine import locks, paths, run_about, run_trash, runs
from minigpt_tui.engine.events import COMMANDS, Command
from minigpt_tui.engine.follow import LineFollower
from minigpt_tui.engine.launch import start_training
from minigpt_tui.engine.runs import CorpusRecord, Run, RunError, RunManifest, RunStatus
from minigpt_tui.models.presets import preset


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    return tmp_path


def manifest(name: str = "tales-01", **changes: object) -> RunManifest:
    recipe = preset("quick")
    corpus = CorpusRecord("tales", "tales:1MB", "0" * 64, 10, 10)
    made = RunManifest(name, time.time(), "quick", corpus, "char", replace(recipe.model, vocab_size=9), recipe.training)
    return replace(made, **changes)  # type: ignore[arg-type]


def status(state: str = "running", **changes: object) -> RunStatus:
    now, here = time.time(), socket.gethostname()
    plain = {"state": state, "pid": 1, "host": here, "step": 3, "total_steps": 9, "heartbeat": now} | changes
    return from_plain(RunStatus, plain)


def test_what_is_created_can_be_read_back(home: Path) -> None:
    run = runs.create_run(manifest())
    assert run.path == home / "data" / "runs" / "tales-01"
    assert run.manifest() == replace(manifest(), created=run.manifest().created)
    assert [path.name for path in run.path.iterdir()] == ["run.json"]
    assert run.status() is None
    run.write_status(status())
    assert run.status() == replace(status(), heartbeat=run.status().heartbeat)  # type: ignore[union-attr]


def test_a_run_that_does_not_say_how_names_of_tokens_were_read_was_made_when_they_were_text() -> None:
    run = runs.create_run(manifest(literal=False))
    content = json.loads((run.path / "run.json").read_text())
    assert not run.manifest().literal
    del content["literal"]
    (run.path / "run.json").write_text(json.dumps(content))
    assert run.manifest().literal


@pytest.mark.parametrize("name", ["a/b", "../x", "", ".hidden", "-x", "a b", "x" * 65, "a\n", "C:x", "a\\b"])
def test_a_name_that_is_no_folder_name_is_refused(name: str, home: Path) -> None:
    with pytest.raises(RunError, match="cannot be a run's name: begin with a letter or digit"):
        runs.create_run(manifest(name))
    assert list(home.rglob("run.json")) == []


def test_a_taken_name_is_refused_and_nothing_is_overwritten() -> None:
    first = runs.create_run(manifest(preset="one"))
    with pytest.raises(RunError, match="already a run called 'tales-01'"):
        runs.create_run(manifest(preset="two"))
    assert first.manifest().preset == "one"


def test_a_folder_that_cannot_be_made_is_one_sentence(home: Path) -> None:
    (home / "data").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="cannot be made"):
        runs.create_run(manifest())


def test_a_full_disk_leaves_no_half_made_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_atomic", full)
    with pytest.raises(RunError, match="No space left on device; free some space"):
        runs.create_run(manifest())
    assert list(paths.runs_dir().iterdir()) == []


def test_free_names_count_up() -> None:
    assert runs.free_name("tales") == "tales-01"
    runs.create_run(manifest("tales-01"))
    assert runs.free_name("tales") == "tales-02"
    assert runs.free_name("my book/é.txt") == "my-book-é.txt-01"
    assert runs.free_name("///") == "run-01"
    runs.check_name(runs.free_name("x" * 500))


@pytest.mark.parametrize("name", ["Война", "红楼梦", "हिन्दी", "می\u200cروم", "e\u0301te", "Ελλάδα-2.0", "汉" * 64])
def test_a_run_may_have_a_name_in_any_script(name: str) -> None:
    run = runs.create_run(manifest(name))
    assert run_about.find_run(name) == run
    assert run.manifest().name == name
    free = runs.free_name(name)
    assert unicodedata.normalize("NFC", name)[:10] in free
    assert runs.check_name(free) == free


@pytest.mark.parametrize(
    "name", ["", "-x", ".x", "a/b", "a b", "a\n", "a\x1b[0m", "a\u202eb", "\u200ca", "\udce9", "é" * 65]
)
def test_a_name_that_a_terminal_or_a_disk_could_not_take_is_refused(name: str) -> None:
    with pytest.raises(RunError, match="cannot be a run's name"):
        runs.check_name(name)


def test_the_newest_run_comes_first_and_runs_are_found_by_name_or_path(home: Path) -> None:
    with pytest.raises(RunError, match="there is no run yet; train one with: minigpt-tui train tales"):
        run_about.find_run()
    old, new = runs.create_run(manifest("old")), runs.create_run(manifest("new"))
    (paths.runs_dir() / "no run").mkdir()
    past = time.time() - 100
    os.utime(old.path / "run.json", (past, past))
    assert runs.list_runs() == [new, old]
    assert run_about.find_run() == new
    assert run_about.find_run("old") == old
    assert run_about.find_run(str(old.path)) == old
    with pytest.raises(RunError, match="no run called 'other'; there are: new, old"):
        run_about.find_run("other")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not readable as JSON"),
        ("{}", "'name' is missing"),
        (
            dumps(to_plain(manifest()) | {"tokenizer": "words"}),
            "one of char, byte, gpt2, bpe, huggingface is needed, found str 'words'",
        ),
        (dumps(to_plain(manifest()) | {"created": "now"}), "float is needed, found str"),
    ],
    ids=["not JSON", "nothing in it", "no such tokenizer", "a word for a time"],
)
def test_a_damaged_run_is_refused_by_the_field_that_is_wrong(content: str, says: str) -> None:
    run = runs.create_run(manifest())
    (run.path / "run.json").write_text(content)
    with pytest.raises(RunError, match="the run 'tales-01' cannot be read") as caught:
        run.manifest()
    assert says in str(caught.value)
    (run.path / "run.json").unlink()
    with pytest.raises(RunError, match=r"is not a run: it has no run\.json"):
        run.manifest()


def test_a_damaged_status_is_none() -> None:
    run = runs.create_run(manifest())
    for content in ("", "{", '{"state":"dancing"}'):
        (run.path / "status.json").write_text(content)
        assert run.status() is None


def test_orders_are_lines_for_the_trainer() -> None:
    run = runs.create_run(manifest())
    run.send(Command("pause"))
    run.send(Command("scale_learning_rate", 0.5))
    lines = LineFollower(run.commands_path).read()
    assert list(map(COMMANDS.decode, lines)) == [Command("pause"), Command("scale_learning_rate", 0.5)]


# --- state ----------------------------------------------------------------------------------------

TRAIN = """
import sys, pathlib
from minigpt_tui.engine import locks
lock = locks.acquire(pathlib.Path(sys.argv[1]) / "lock")
print("training", flush=True)
sys.stdin.read()
"""


def test_running_with_a_free_lock_is_crashed() -> None:
    run = runs.create_run(manifest())
    with subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as trainer:
        assert trainer.stdout
        trainer.stdout.readline()
        assert run.state() == "starting"  # before its first status
        run.write_status(status("running", pid=trainer.pid))
        assert (run.is_alive(), run.state()) == (True, "running")
        with pytest.raises(RunError, match="'tales-01' is training; stop it before you delete it"):
            run_trash.trash_run(run)
        trainer.kill()
        trainer.wait()
    assert (run.is_alive(), run.state()) == (False, "crashed")


def test_a_run_of_another_host_lives_while_its_heartbeat_is_fresh() -> None:
    run = runs.create_run(manifest())
    run.write_status(status("running", host="elsewhere"))
    assert (run.is_alive(), run.state(), run.other_host()) == (True, "running", "elsewhere")
    with pytest.raises(RunError, match="'tales-01' is trained on elsewhere"):
        start_training(run, resume=True)
    assert not run.log_path.exists()
    run.write_status(status("running", host="elsewhere", heartbeat=time.time() - 600))
    assert (run.is_alive(), run.state()) == (False, "silent")
    run.write_status(status("stopped", host="elsewhere"))
    assert (run.is_alive(), run.state()) == (False, "stopped")


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "commands.jsonl", "log.txt", "lock", "checkpoints", "checkpoints/last/x"]
)
def test_a_run_with_a_link_or_a_fifo_in_it_is_not_resumed(name: str, home: Path) -> None:
    run, outside = runs.create_run(manifest()), home / "outside"
    path = run.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    outside.mkdir()
    (outside / "file").touch()
    for target in (outside, outside / "file", outside / "nothing"):
        path.symlink_to(target)
        with pytest.raises(RunError, match="is a link, which is not followed"):
            start_training(run, resume=True)
        path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match="is neither a plain file nor a folder"):
        start_training(run, resume=True)


def test_looking_at_a_run_of_fifos_does_not_wait_for_them() -> None:
    run = runs.create_run(manifest())
    for path in (run.path / "status.json", run.metrics_path, run.commands_path, run.lock_path):
        os.mkfifo(path)
    assert run.status() is None
    assert LineFollower(run.metrics_path).read() == []
    with pytest.raises(OSError, match="it is no plain file"):
        run.send(Command("stop"))
    assert not run.is_alive()


def test_the_newest_run_that_can_be_read_is_the_one_without_a_name() -> None:
    good, damaged = runs.create_run(manifest("good")), runs.create_run(manifest("newer"))
    past = time.time() - 100
    os.utime(good.path / "run.json", (past, past))
    (damaged.path / "run.json").write_text("{")
    assert run_about.find_run() == good
    assert run_about.find_run("newer") == damaged


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_a_run_that_ended_stays_as_it_ended(state: str) -> None:
    run = runs.create_run(manifest())
    run.write_status(status(state))
    assert run.state() == state


def test_a_started_process_has_some_time_to_take_its_lock() -> None:
    run = runs.create_run(manifest())
    assert run.state() == "starting"
    run.write_status(status("starting"))
    assert run.state() == "starting"
    run.write_status(status("starting", heartbeat=time.time() - 60))
    assert run.state() == "crashed"
    run.write_status(status("starting", heartbeat=time.time() + 7200))  # the clock was set back by two hours
    assert run.state() == "crashed"
    (run.path / "status.json").unlink()
    assert run.state() == "starting"
    a_minute_ago = time.time() - 60
    os.utime(run.path / "run.json", (a_minute_ago, a_minute_ago))
    assert run.state() == "crashed"


# --- checkpoints and trash ------------------------------------------------------------------------


def checkpoint(run: Run, name: str) -> Path:
    folder = run.checkpoints / name
    folder.mkdir(parents=True)
    (folder / "minigpt.json").write_text("{}")
    return folder


def test_the_newest_checkpoint_is_the_last_one_also_while_it_is_exchanged() -> None:
    run = runs.create_run(manifest())
    assert run.checkpoint() is None
    best = checkpoint(run, "best")
    assert run.checkpoint() == best
    assert run.checkpoint("last") is None
    aside = checkpoint(run, ".last.old")
    assert run.checkpoint() == aside
    last = checkpoint(run, "last")
    assert run.checkpoint() == run.checkpoint("last") == last
    assert run.checkpoint("best") == best


def test_deleting_moves_to_the_trash_and_never_over_what_lies_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: "20260102-030405")
    targets = []
    for number in range(4):
        run = runs.create_run(manifest(preset=str(number)))
        targets.append(run_trash.trash_run(run))
        assert not run.path.exists()
    assert [Run(target).manifest().preset for target in targets] == ["0", "1", "2", "3"]
    assert all(target.parent == paths.trash_dir() for target in targets)


def test_a_trash_that_cannot_be_written_loses_nothing(home: Path) -> None:
    run = runs.create_run(manifest())
    paths.trash_dir().write_text("a file")
    with pytest.raises(RunError, match="'tales-01' cannot be moved to"):
        run_trash.trash_run(run)
    assert run.manifest().name == "tales-01"


def test_a_lock_alone_says_that_a_run_lives() -> None:
    run = runs.create_run(manifest())
    held = locks.acquire(run.lock_path)
    assert held
    with held:
        assert run.is_alive()
    assert not run.is_alive()


def test_a_run_speaks_with_its_newest_weights_while_it_trains_and_with_its_best_afterwards() -> None:
    run = runs.create_run(manifest())
    assert run.current_checkpoint() is None
    for kind in ("last", "best"):
        (run.checkpoints / kind).mkdir(parents=True)
        (run.checkpoints / kind / "minigpt.json").touch()
    lock = locks.acquire(run.lock_path)
    assert lock is not None
    with lock:
        assert run.current_checkpoint() == run.checkpoints / "last"
    assert run.current_checkpoint() == run.checkpoints / "best"


def test_on_a_full_disk_the_status_is_written_over_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.create_run(manifest())
    run.write_status(status("running", reason="a long reason, which leaves something behind"))

    @contextlib.contextmanager
    def full(path: Path) -> Iterator[Path]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield path

    monkeypatch.setattr(runs, "complete_file", full)
    for state, shown in (("failed", "failed"), ("running", "crashed")):
        run.write_status(status(state))
        assert run.state() == shown
    (run.path / "status.json").unlink()
    with pytest.raises(OSError, match=r"status\.json"):
        run.write_status(status("failed"))


@pytest.mark.parametrize("seconds", [-3600, -30, 0, 30, 3600])
def test_a_clock_that_was_set_changes_nothing_for_a_run_of_this_host(seconds: float) -> None:
    """As after a clock was set by an hour: what was written before then has a time to come."""
    run = runs.create_run(manifest())
    run.write_status(status("running", heartbeat=time.time() - seconds))
    held = locks.acquire(run.lock_path)
    assert held
    with held:
        assert (run.is_alive(), run.state()) == (True, "running")
        with pytest.raises(RunError, match="'tales-01' already trains"):
            run.check_not_trained()
    assert (run.is_alive(), run.state()) == (False, "crashed")
