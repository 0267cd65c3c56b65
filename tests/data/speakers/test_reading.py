"""The speakers of a corpus: found once, then known; of a long text an estimate."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.speakers import reading
from minigpt_tui.data.speakers.reading import known_speakers, speakers_of_corpus

from .texts import CHATS, NOBODY


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    return tmp_path


def test_they_are_looked_for_once_also_where_nobody_speaks(home: Path) -> None:
    for number, text in enumerate((CHATS["irc"], NOBODY["novel"])):
        path = home / f"{number}.txt"
        path.write_text(text)
        corpus = open_corpus(str(path))
        assert known_speakers(corpus.fingerprint) is None
        found = speakers_of_corpus(corpus)
        path.unlink()
        assert known_speakers(corpus.fingerprint) == (found,)
        assert speakers_of_corpus(corpus) == found


def test_of_a_long_text_parts_are_looked_at_and_the_counts_are_estimates(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "chat.txt").write_text(CHATS["whatsapp-android"] * 12_000)
    corpus = open_corpus(str(home / "chat.txt"))
    monkeypatch.setattr(reading, "_LOOKED_AT", corpus.n_characters // 3)
    found = speakers_of_corpus(corpus)
    assert found is not None
    assert found.names == ("Bo", "Kim Li")
    assert found.speakers[0].count == pytest.approx(36_000, rel=0.2)
    assert found.speakers[1].count == pytest.approx(24_000, rel=0.2)


def test_a_fingerprint_is_no_path(home: Path) -> None:
    (home / "secret.json").write_text("{}")
    assert known_speakers("../" * 9 + str(home / "secret")) is None
    assert known_speakers("\ud800") is None
