"""A checkpoint takes the place of the one before at once, or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import checkpoints


def test_an_exchange_that_was_cut_short_is_mended(tmp_path):
    def fill(text: str):
        return lambda folder: (folder / "minigpt.json").write_text(text)

    run = Run(tmp_path)
    folder = run.checkpoints
    folder.mkdir()
    checkpoints.exchange(folder, "last", fill("1"))
    (folder / "last").rename(folder / ".last.old")  # killed between the two renames
    assert run.checkpoint("last") == folder / ".last.old"
    checkpoints.exchange(folder, "last", fill("2"))
    assert (folder / "last" / "minigpt.json").read_text() == "2"
    assert [path.name for path in folder.iterdir()] == ["last"]

    def fails(new: Path) -> None:
        (new / "minigpt.json").write_text("3")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpoints.exchange(folder, "last", fails)
    assert (folder / "last" / "minigpt.json").read_text() == "2"
    assert [path.name for path in folder.iterdir()] == ["last"]
