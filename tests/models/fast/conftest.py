from __future__ import annotations

import pytest
from minigpt_tui.models.native import library as native


@pytest.fixture(params=["native", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a token is decoded: by the compiled file, which is skipped where it is not installed, or by torch."""
    if request.param == "torch":
        monkeypatch.setenv("MINIGPT_NATIVE", "0")
    else:
        monkeypatch.delenv("MINIGPT_NATIVE", raising=False)
        if native.library() is None:
            pytest.skip(native.absence())
    return request.param


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only with the compiled file."""
    monkeypatch.delenv("MINIGPT_NATIVE", raising=False)
    if native.library() is None:
        pytest.skip(native.absence())
