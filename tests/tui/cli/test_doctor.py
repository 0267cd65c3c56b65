"""The verb doctor: what it finds here, and what it says of what would go wrong."""

import json
import os
import sys
from pathlib import Path

import pytest
from minigpt_tui.models.native import library as native
from minigpt_tui.tui.cli.doctor import system
from minigpt_tui.tui.cli.main import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "minigpt"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path


def test_a_machine_on_which_all_is_well(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm\x1b[2J")
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.9 1234 203.0.113.1 22")
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for section in ("versions", "system", "device", "folders", "terminal"):
        assert f"\n{section}\n" in f"\n{text}"
    assert text.endswith("everything is fine\n")
    assert f"~{os.sep}minigpt" in text
    assert str(home) not in text
    assert not (home / "minigpt").exists()
    assert "xterm?[2J" in text
    assert "\x1b" not in text
    assert "tmux, ssh" in text
    assert "203.0.113" not in text


def test_the_device_is_the_one_that_torch_would_use(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["fine"]
    found = {(finding["section"], finding["name"]): finding["value"] for finding in printed["findings"]}
    assert found["device", "device"].startswith(found["device", "all"].split(", ")[0])
    assert found["device", "training"] in ("float32", "bfloat16")
    assert found["versions", "torch"]


def test_it_says_what_computes_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_NATIVE", "0")
    (finding,) = (finding for finding in system() if finding.name == "decoding")
    assert finding.value == "by torch, which takes several times as long: MINIGPT_NATIVE is 0"
    monkeypatch.delenv("MINIGPT_NATIVE")
    (finding,) = (finding for finding in system() if finding.name == "decoding")
    if native.library() is None:
        assert finding.value.endswith(native.absence())
    else:
        assert finding.value == f"compiled, for {native.kind()}"


@pytest.fixture
def broken_torch(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch that cannot be imported; which is found out at once, so that other findings are tested with it too."""
    (home / "torch.py").write_text("raise ImportError('libcudart.so.12: no such \\x1b[31m file')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.usefixtures("broken_torch")
def test_what_would_go_wrong_is_said_with_how_to_mend_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    (home / "minigpt" / "config").mkdir(parents=True)
    (home / "minigpt" / "config" / "settings.toml").write_text("theme = ")
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    for name, problem, remedy in (
        ("torch", "it cannot be used: ImportError: libcudart.so.12: no such ?[31m file", "pytorch.org"),
        ("TERM", "nothing can be drawn on it", "xterm-256color"),
        ("settings.toml", "settings.toml", "correct that line"),
    ):
        (line,) = (line for line in lines if line.startswith(("error: ", "warning: ")) and f", {name}: " in line)
        assert problem in line
        assert remedy in line
    assert "everything is fine" not in lines


@pytest.mark.usefixtures("broken_torch")
@pytest.mark.skipif(sys.platform == "win32", reason="a file in the place of a folder is said otherwise there")
def test_a_folder_that_cannot_be_written_is_an_error(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    monkeypatch.setenv("MINIGPT_HOME", str(home / "file"))
    assert main(["doctor"]) == 1
    errors = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error: folders")]
    assert "error: folders, runs: ~/file cannot be written; check its permissions, or set MINIGPT_HOME" in errors[0]


@pytest.mark.usefixtures("broken_torch")
def test_packages_that_are_missing_or_too_old_are_named_as_the_metadata_requires_them(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    requires = ("rich>=14", "not-there>=2", 'old-only; python_version < "3"', 'also-not-there>=1; extra == "gguf"')
    for name, version, lines in (("minigpt_tui", "0.1.0", requires), ("rich", "13.9", ())):
        folder = home / "packages" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        required = "".join(f"Requires-Dist: {line}\n" for line in lines)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
    monkeypatch.syspath_prepend(str(home / "packages"))
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if line.startswith("error: versions")] == [
        "error: versions, rich: 13.9 is installed, and >=14 is needed; pip install --upgrade 'rich>=14'",
        "error: versions, not-there: it is not installed; pip install 'not-there>=2'",
    ]
    assert "not installed; to write files for llama.cpp: pip install 'minigpt-tui[gguf]'" in text
    assert "old-only" not in text
