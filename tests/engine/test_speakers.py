"""Who speaks in the text of a run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine import runs
from minigpt_tui.engine.runs import CorpusRecord, RunManifest
from minigpt_tui.engine.speakers import speakers_of
from minigpt_tui.models.presets import preset


def test_the_text_is_read_once_and_may_be_gone_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    path = tmp_path / "chat.txt"
    path.write_text("Bo: ok then\nKim: see you\nBo: yes\nBo: bye\nKim: no\n", encoding="utf-16")
    corpus, recipe = open_corpus(str(path)), preset("quick")
    record = CorpusRecord(
        corpus.name, corpus.spec, corpus.fingerprint, corpus.n_bytes, corpus.n_characters, reading_rules=3
    )
    model = replace(recipe.model, vocab_size=9)
    run = runs.create_run(RunManifest("chat", time.time(), "quick", record, "char", model, recipe.training))
    fractions: list[float] = []
    found = speakers_of(run, fractions.append)
    assert found is not None
    assert found.names == ("Bo", "Kim")
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    path.unlink()
    assert speakers_of(run) == found
    other = runs.create_run(replace(run.manifest(), name="other", corpus=replace(record, fingerprint="0" * 64)))
    with pytest.raises(UserError, match="neither a file nor a folder"):
        speakers_of(other)
