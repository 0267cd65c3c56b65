"""The verb bench: real measurements of the smallest presets, and what is kept of them."""

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from minigpt_tui.engine.machine_speed import read_speed
from minigpt_tui.tui.cli.main import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    return tmp_path


def test_a_preset_is_measured_and_what_is_kept_is_what_is_printed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--seconds", "1", "--preset", "quick", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (quick,) = printed["presets"]
    assert quick["preset"] == "quick"
    assert quick["training"] > 0
    assert quick["generation"] > 0
    assert {"start and imports", "device", "models", "training", "generation"} == set(printed["times"])
    assert 1 <= quick["batch_size"] <= quick["whole_batch_size"] == 32
    assert quick["budget_seconds"] == pytest.approx(600 * 32 * 64 / quick["training"])
    assert printed["device"]["device"] in printed["device"]["devices"]
    kept = read_speed(platform.node())
    assert kept is not None
    assert kept.date == printed["date"]
    speed = kept.of("quick")
    assert speed is not None
    assert speed.training == quick["training"]


def test_a_preset_that_would_take_too_long_is_said_to_and_not_guessed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--seconds", "0.5", "--preset", "gpt2-medium"]) == 0
    table = capsys.readouterr().out
    assert "gpt2-medium" in table
    assert "GB of memory" in table or "give more --seconds" in table
    assert "tok/s" not in table


@pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals of POSIX")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long)]
)
def test_an_interruption_shows_the_cursor_again_and_control_c_prints_what_is_measured(
    home: Path, number: int, code: int
) -> None:
    words = ["bench", "--seconds", "4", "--preset", "self-attention", "--preset", "tiny-shakespeare", "--json"]
    terminal, side = os.openpty()
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "minigpt_tui.tui", *words], stdout=subprocess.PIPE, stderr=side, text=True,
            env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        os.close(side)
        drawn = b""
        while b"measuring tiny-shakespeare" not in drawn:
            drawn += os.read(terminal, 4096)
        child.send_signal(number)
        output, _ = child.communicate(timeout=60)
        drawn += os.read(terminal, 1 << 20)
    finally:
        os.close(terminal)
    assert child.returncode == code
    assert drawn.rindex(b"\x1b[?25h") > drawn.rindex(b"\x1b[?25l")
    assert [speed["preset"] for speed in json.loads(output or '{"presets": []}')["presets"]] == (
        ["self-attention"] if number == signal.SIGINT else []
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--seconds", "soon"], "'soon' is not a number"),
        (["--seconds", "0"], "seconds must be above 0"),
        (["--preset", "quickest"], "invalid choice: 'quickest'"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", *words])
    assert sentence in capsys.readouterr().err
