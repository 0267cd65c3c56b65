"""The trial of products: made once, remembered for this processor and this torch, and any choice computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.storage.memo import recall, remember
from minigpt_tui.engine import paths
from minigpt_tui.engine.generation.fastest_product import fastest_product, ways
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.fast.decoding import prepare_decoding, set_multiply
from minigpt_tui.models.fast.quantization import quantize_int8
from minigpt_tui.models.gpt import GPT


@pytest.fixture
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, in a home of its own."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    return paths.cache_dir() / "products.json"


def test_what_was_found_is_not_tried_again(remembered: Path) -> None:
    found = fastest_product(1)
    assert found in ways()
    (name,) = recall(remembered)
    assert torch.__version__ in name
    for other in ways():
        remember(remembered, {name: other})
        assert fastest_product(1) == other
    assert fastest_product(2) in ways()
    assert len(recall(remembered)) == 2, "another number of cores"


@pytest.mark.parametrize(
    "value",
    ["abacus", [], {"way": "torch"}, 3, "not written by us"],
    ids=["unknown way", "list", "object", "number", "no checksum"],
)
def test_what_cannot_be_is_tried_anew(remembered: Path, value: object) -> None:
    fastest_product(1)
    (name,) = recall(remembered)
    if value == "not written by us":
        remembered.write_text(json.dumps({name: "torch"}))
    else:
        remember(remembered, {name: value})
    assert fastest_product(1) in ways()
    assert recall(remembered)[name] in ways()


def test_the_threads_are_as_before(remembered: Path) -> None:
    before = torch.get_num_threads()
    fastest_product(2)
    assert torch.get_num_threads() == before


def test_a_file_that_cannot_be_written_is_no_matter(remembered: Path) -> None:
    remembered.parent.parent.mkdir(exist_ok=True)
    remembered.parent.write_text("a file where the folder would be")
    assert fastest_product(1) in ways()


@pytest.mark.parametrize("way", ways())
@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
def test_every_way_computes_the_same(way: str, int8: bool) -> None:
    model = GPT(ModelConfig(vocab_size=19, tied=True, bias=True)).eval()
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3
    if int8:
        quantize_int8(model)
    tokens = torch.arange(40)[None] % 19
    with torch.inference_mode():
        expected = model(tokens)
        prepare_decoding(model)
        set_multiply(model, ways()[way])
        torch.testing.assert_close(model(tokens), expected, atol=1e-4, rtol=1e-4)
