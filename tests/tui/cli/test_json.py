"""What `--json` prints is JSON, for any program: no NaN, no Infinity, whatever the files of a run hold."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.follow import LineFollower
from minigpt_tui.engine.machine_speed import speed_path
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.interop.own_folder import DIGEST, weights_digest
from minigpt_tui.models.tensor_file import load_tensors, save_tensors
from minigpt_tui.tui.cli.follow import follow

from .command import TINY, Outcome, command

HUGE = "1" + "0" * 400
ODD = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "-1e308", HUGE, "-" + HUGE)
EVENTS = [
    f'{{"event":"eval","step":60,"seconds":{odd},"validation_loss":{odd},"perplexity":{odd},"bits_per_byte":{odd},'
    '"protocol":"full","best":true}\n'
    for odd in ODD
]
VERBS = (
    ("runs",), ("generate", "cats", "--prompt", "the", "--max-tokens", "3", "--explain"),
    ("generate", "cats", "--prompt", "the\udce9", "--max-tokens", "3", "--samples", "2"),
    ("score", "cats", "--text", "the cat", "--explain"), ("evaluate", "cats"),
    ("quotes", "cats", "--text", "the cat\udce9"),
    ("export", "cats", "--to", "huggingface"), ("train", "cats.txt", "--steps", "2", "--name", "dogs", *TINY),
    ("resume", "cats", "--budget", "62 steps"), ("presets",), ("speakers", "cats"), ("corpora",), ("paths",),
    ("doctor",), ("runs", "show", "cats"), ("runs", "compare", "cats", "cats"), ("runs", "export", "cats"),
    ("runs", "note", "cats", "a\udce9"),
    ("bench", "--seconds", "0.3", "--preset", "self-attention"),
)  # fmt: skip


def strictly(text: str) -> Any:
    """The value of one JSON text; Python's own reader takes more than there is in JSON."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def values(outcome: Outcome) -> list[Any]:
    """What was printed: one JSON text, or one a line."""
    try:
        return [strictly(outcome.stdout)]
    except ValueError:
        return [strictly(line) for line in outcome.stdout.splitlines()]


def numbers(value: Any) -> list[float]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value] if isinstance(value, float) else [number for each in inner for number in numbers(each)]


def damage(run: Run) -> None:
    """Odd numbers wherever the run's files have one, but for what the verbs need to be able to do their work."""
    with run.metrics_path.open("a") as file:
        file.writelines(EVENTS)
    status = json.loads((run.path / "status.json").read_text())
    losses = '"train_loss":1e999,"validation_loss":-1e999,"best_validation_loss":1e308'
    kept = {name: value for name, value in status.items() if not name.endswith("loss")}
    (run.path / "status.json").write_text(json.dumps(kept)[:-1] + f",{losses}}}")
    for folder in run.checkpoints.iterdir():
        tensors, metadata = load_tensors(folder / "model.safetensors")
        odd = {"validation_loss": "NaN"} if folder.name == "last" else {"validation_loss": HUGE, "step": HUGE}
        save_tensors(folder / "odd", tensors, metadata | odd)
        (folder / "odd").rename(folder / "model.safetensors")
        description = json.loads((folder / "minigpt.json").read_text())
        description[DIGEST] = weights_digest(folder / "model.safetensors")
        text = json.dumps(description | {"validation_loss": "?"}).replace('"?"', "1e999")
        (folder / "minigpt.json").write_text(text)


@pytest.fixture(scope="module")
def odd_home(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the damaged run `cats`, and others that cannot even be read."""
    home = shutil.copytree(trained_once, tmp_path_factory.mktemp("odd") / "home")
    runs = home / "data" / "runs"
    manifest = json.loads((runs / "cats" / "run.json").read_text())
    manifest["corpus"]["spec"] = str(home / "cats.txt")
    (runs / "cats" / "run.json").write_text(json.dumps(manifest))
    for number, odd in enumerate(ODD):
        shutil.copytree(runs / "cats", runs / f"odd-{number}")
        for name in ("run.json", "status.json"):
            text = json.dumps(json.loads((runs / "cats" / name).read_text()) | {"created": "?", "heartbeat": "?"})
            (runs / f"odd-{number}" / name).write_text(text.replace('"?"', odd))
    damage(Run(runs / "cats"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGPT_HOME", str(home))
        speed = speed_path(os.uname().nodename if hasattr(os, "uname") else "")
        speed.parent.mkdir(parents=True, exist_ok=True)
        speed.write_text('{"machine": "m", "cpu": "c", "date": "d", "device": 1e999, "presets": [{"training": NaN}]}')
    return home


@pytest.mark.parametrize("words", VERBS, ids=lambda words: "-".join(words[:1] + words[-1:]))
def test_what_is_printed_is_json(odd_home: Path, words: tuple[str, ...]) -> None:
    outcome = command(odd_home, *words, "--json")
    assert outcome.returncode == 0, outcome.stderr
    printed = values(outcome)
    assert printed
    assert all(abs(number) < 1e999 for number in numbers(printed))


def test_events_of_any_size_are_printed_as_json(
    odd_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(shutil.copytree(odd_home / "data" / "runs" / "odd-0", tmp_path / "odd"))
    ended = run.metrics_path.read_text().splitlines(keepends=True)[-1]
    run.metrics_path.write_text("".join(EVENTS) + ended)
    assert follow(run, LineFollower(run.metrics_path), as_json=True) == 0
    printed = capsys.readouterr()
    events = [strictly(line) for line in printed.out.splitlines()]
    assert [event["validation_loss"] for event in events[:-1]] == [None, None, 1e308, -1e308]
    assert printed.err.count("an event was skipped") == len(EVENTS) - 4
