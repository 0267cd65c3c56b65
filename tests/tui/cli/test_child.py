"""Verbs that wait for a process of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.tui.cli.child import run_to_end


def test_the_result_is_the_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    child = "print('{\"progress\": 0.5}'); print('{\"loss\": 2}'); raise SystemExit(3)"
    assert run_to_end([sys.executable, "-c", child], "counting") == (3, {"loss": 2})


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are POSIX")
def test_control_c_ends_both_without_a_word(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = f"import os, time; open({str(ready)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(600)"
    program = (
        "import sys\nfrom minigpt_tui.tui.cli.child import run_to_end\n"
        f"try: run_to_end([sys.executable, '-c', {child!r}], 'waiting')\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
    )
    environment = os.environ | {"MINIGPT_HOME": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, env=environment, start_new_session=True
    )
    while not (ready.exists() and ready.read_text().endswith(" ")):
        assert parent.poll() is None
        time.sleep(0.01)
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.communicate(timeout=60) == (None, b"")
    assert parent.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(ready.read_text()), 0)
