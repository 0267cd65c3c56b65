"""Records the runs that the rules are tried on: real trainings, each with what is wrong with it, or nothing.

    python tests/engine/diagnosis/record.py TINY_SHAKESPEARE [NAME]...

A recording is run.json in one line, then the run's events without what the model wrote, and with at most 200 Steps.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "recorded"
MOST_STEPS = 200
COMMAND = [sys.executable, "-m", "minigpt_tui.tui", "train"]
LEFT_OUT = ("sample", "preparing")


@contextmanager
def undisturbed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    yield


@contextmanager
def beside_others(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """After some seconds other programs take the cores."""
    time.sleep(25)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()


@contextmanager
def halted(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """After some seconds it gets no time at all, and then is killed."""
    time.sleep(25)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(3)
    os.killpg(process.pid, signal.SIGKILL)
    yield


@dataclass(frozen=True)
class Recorded:
    """A training: its options, how much of the text it has, and what happens to it."""

    options: list[str] = field(default_factory=list)
    characters: int = 0  # 0: all
    corpus: str = ""  # instead of the text
    meanwhile: Callable[[subprocess.Popen[bytes]], AbstractContextManager[None]] = undisturbed


def options(text: str) -> list[str]:
    return text.split()


ADAMW = "--preset quick --optimizer adamw"
RUNS = {
    "quick": Recorded(options("--preset quick --seed 1")),
    "laptop-tales": Recorded(options("--preset laptop --seed 1 --steps 1000"), corpus="tales"),
    "tales-long": Recorded(options("--preset quick --steps 2500"), corpus="tales"),
    "constant": Recorded(options("--preset quick --schedule constant --average 0 --steps 1500")),
    "minutes": Recorded(options("--preset quick --minutes 0.5")),
    "epochs": Recorded(options("--preset quick --budget 1epoch")),
    "bpe": Recorded(options("--preset quick --tokenizer bpe --bpe-vocab-size 512 --steps 500")),
    "random-protocol": Recorded(options("--preset nanogpt-char-cpu --steps 800 --evaluation-interval 100")),
    "warm-up": Recorded(options(f"{ADAMW} --learning-rate 0.002 --warmup-steps 400 --steps 500")),
    "dropout": Recorded(options("--preset quick --residual-dropout 0.2 --attention-dropout 0.2 --steps 700")),
    "by-heart": Recorded(options("--preset quick --steps 1500 --schedule constant --average 0"), 20_000),
    "by-heart-slowly": Recorded(options("--preset laptop --steps 1500 --schedule constant --average 0"), 100_000),
    "by-heart-adamw": Recorded(options(f"{ADAMW} --learning-rate 0.003 --steps 1500"), 30_000),
    "patience": Recorded(options("--preset quick --steps 3000 --patience 5 --evaluation-interval 50"), 20_000),
    "rate-too-high": Recorded(options(f"{ADAMW} --learning-rate 0.1 --steps 500 --schedule constant")),
    "rate-far-too-high": Recorded(options(f"{ADAMW} --learning-rate 5 --steps 600 --schedule constant")),
    "post-norm-too-high": Recorded(
        options("--preset nanogpt-char-cpu --norm-position post --learning-rate 0.03 --steps 800 --gradient-clip 0")
    ),
    "adamw-high": Recorded(options(f"{ADAMW} --learning-rate 0.03 --beta2 0.999 --no-qk-norm --steps 800 --average 0")),
    "plateau": Recorded(
        options(
            "--preset nanogpt-char-cpu --learning-rate 0.01 --beta2 0.999 --gradient-clip 0 --schedule constant "
            "--batch-size 4 --steps 2500 --warmup-steps 0"
        )
    ),
    "by-heart-at-once": Recorded(
        options(
            "--preset nanogpt-char-cpu --learning-rate 0.006 --beta2 0.999 --gradient-clip 0 --schedule constant "
            "--steps 2500"
        ),
        20_000,
    ),
    "spikes": Recorded(
        options(f"{ADAMW} --learning-rate 0.01 --beta1 0.95 --beta2 0.5 --schedule constant --steps 600 --average 0")
    ),
    "rate-too-low": Recorded(options(f"{ADAMW} --learning-rate 0.00002 --steps 600 --schedule constant")),
    "rate-too-low-muon": Recorded(
        options(
            "--preset quick --learning-rate 0.0002 --embedding-learning-rate 0.0002 --head-learning-rate 0.0002 "
            "--schedule constant --average 0 --steps 600"
        )
    ),
    "slower": Recorded(options("--preset quick --steps 1500"), meanwhile=beside_others),
    "halted": Recorded(options("--preset quick --steps 1500"), meanwhile=halted),
}


def main() -> None:
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    for name in sys.argv[2:] or RUNS:
        began = time.monotonic()
        record(name, RUNS[name], text)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def record(name: str, run: Recorded, text: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, "shakespeare.txt")
        file.write_text(text[: run.characters or None], encoding="utf-8")
        command = [*COMMAND, run.corpus or str(file), "--name", name, *run.options]
        environment = os.environ | {"MINIGPT_HOME": home}
        process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
        with run.meanwhile(process):
            process.wait()
        folder = next(path.parent for path in Path(home).rglob("run.json"))
        manifest = json.loads((folder / "run.json").read_text())
        manifest["corpus"]["spec"] = manifest["corpus"]["name"]
        events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        steps = [event for event in events if event["event"] == "step"]
        kept = {id(step) for step in steps[:: -(-len(steps) // MOST_STEPS) or 1]} | {id(step) for step in steps[-1:]}
        lines = [manifest] + [
            event
            for event in events
            if event["event"] not in LEFT_OUT and (event["event"] != "step" or id(event) in kept)
        ]
        FOLDER.mkdir(parents=True, exist_ok=True)
        content = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        (FOLDER / f"{name}.jsonl").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
