"""Shell completion as real shells do it."""

import os
import select
import shutil
import subprocess
from pathlib import Path

import pytest
from minigpt_tui.tui.cli.main import main

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX")

CASES = [
    ("gene", ["generate"]),
    ("train --preset quic", ["quick"]),
    ("generate novel-0", ["novel-01", "novel-02"]),
    ("stop novel-02", ["novel-02"]),
    ("quotes novel-02", ["novel-02"]),
    ("train tale", ["tale.txt"]),
    ("export --to gg", ["gguf"]),
    ("completion fi", ["fish"]),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs and a text; the script is written with a home that the shell does not have."""
    for name in ("novel-01", "novel-02"):
        (tmp_path / "home" / "data" / "runs" / name).mkdir(parents=True)
    (tmp_path / "tale.txt").write_text("Once")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "elsewhere"))
    return tmp_path


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    path = Path(f"completion.{shell}")
    path.write_text(capsys.readouterr().out)
    return path


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"MINIGPT_HOME": str(home / "home"), "HOME": str(home), "TERM": "xterm"}


@needs("bash")
def test_bash(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("bash", capsys)
    program = (
        f"source {path}\n"
        "function=$(complete -p minigpt-tui | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\n"
        "press_tab() {\n"
        '  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()\n'
        '  $function; echo "${COMPREPLY[*]}"\n'
        "}\n"
    ) + "".join(f"press_tab minigpt-tui {words}\n" for words, _ in CASES)
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, env=environment(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [expected for _, expected in CASES]


@needs("fish")
def test_fish(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("fish", capsys)
    for words, expected in CASES:
        program = f"source {path}; complete -C 'minigpt-tui {words}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", program], capture_output=True, text=True, env=environment(home)
        )
        assert done.stderr == ""
        assert [line.split("\t")[0] for line in done.stdout.splitlines()] == expected


@needs("zsh")
def test_zsh(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("zsh", capsys)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment(home))
    try:
        setup = f'autoload -U compinit; compinit -u -D; eval "$(cat {path})"; echo rea""dy\n'
        assert "ready" in typed(terminal, setup, "ready")
        for words, expected in CASES:
            whole = f"minigpt-tui {words}"
            ending = expected[0][len(words.split()[-1]) :] if len(expected) == 1 else expected[-1]
            assert ending in typed(terminal, f"\x15{whole}\t", ending, after=whole)
    finally:
        os.close(terminal)  # which ends the shell
        os.waitpid(pid, 0)


def typed(terminal: int, keys: str, awaited: str, after: str = "") -> str:
    """What the shell draws upon `keys` behind the words `after`, until that holds `awaited` or nothing comes."""
    os.write(terminal, keys.encode())
    drawn = ""
    while awaited not in drawn.partition(after)[2] if after else awaited not in drawn:
        ready, _, _ = select.select([terminal], [], [], 20)
        if not ready:
            break
        drawn += os.read(terminal, 65536).decode()
    return drawn.partition(after)[2] if after else drawn


def test_a_shell_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["completion", "tcsh"])
    assert "'tcsh'" in capsys.readouterr().err
