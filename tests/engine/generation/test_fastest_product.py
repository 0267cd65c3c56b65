"""The trial of products: made once, remembered for this processor and this torch, and any choice computes the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.storage.memo import recall, remember
from minigpt_tui.engine import paths
from minigpt_tui.engine.generation.fastest_product import ProductSpeed, fastest_product, ways
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
    assert found.way in ways()
    assert found.speed > 1e6
    (name,) = recall(remembered)
    assert torch.__version__ in name
    other = replace(found, speed=123.0)
    remember(remembered, {name: {"way": other.way, "speed": other.speed}})
    assert fastest_product(1) == other
    assert fastest_product(2).speed != 123.0  # another number of cores
    assert len(recall(remembered)) == 2


@pytest.mark.parametrize(
    "value",
    ["damaged", [], {"way": "abacus", "speed": 1e9}, {"way": "torch", "speed": -1.0}, {"way": 3}, "not written by us"],
    ids=["text", "list", "unknown way", "no speed", "wrong type", "no checksum"],
)
def test_what_cannot_be_is_tried_anew(remembered: Path, value: object) -> None:
    fastest_product(1)
    (name,) = recall(remembered)
    if value == "not written by us":
        remembered.write_text(json.dumps({name: {"way": "torch", "speed": 123.0}}))
    else:
        remember(remembered, {name: value})
    assert fastest_product(1).speed not in (123.0, -1.0)
    assert recall(remembered)[name]["way"] in ways()


def test_the_threads_are_as_before(remembered: Path) -> None:
    before = torch.get_num_threads()
    fastest_product(2)
    assert torch.get_num_threads() == before


def test_a_file_that_cannot_be_written_is_no_matter(remembered: Path) -> None:
    remembered.parent.parent.mkdir(exist_ok=True)
    remembered.parent.write_text("a file where the folder would be")
    assert fastest_product(1).way in ways()


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
        set_multiply(model, ProductSpeed(way, 1.0).multiply)
        torch.testing.assert_close(model(tokens), expected, atol=1e-4, rtol=1e-4)
