"""Every option beside every other: refused by name, or a model that computes and is as large as it says."""

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import ConfigError, ModelConfig, parameter_count
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import load_checkpoint, save_checkpoint
from minigpt_tui.models.interop.huggingface_layouts import model_type

OPTIONS: dict[str, tuple[Any, ...]] = {
    "position": ("learned", "sinusoidal", "rope", "none"),
    "rope_scaling": ("none", "linear", "llama3"),
    "norm": ("layer", "rms"),
    "norm_position": ("pre", "post"),
    "mlp": ("gelu", "gelu_tanh", "relu", "relu2", "swiglu", "none"),
    "d_ff": (0, 20),
    "d_model": (24, 27),
    "head_dim": (0, 9, 10),
    "n_kv_head": (0, 1, 3),
    "qk_norm": (True, False),
    "tied": (True, False),
    "bias": (True, False),
    "qkv_bias": (True, False),
    "attention_dropout": (0.0, 0.2),
}
BASE: dict[str, Any] = {
    "vocab_size": 17, "context_length": 12, "n_layer": 2, "n_head": 3, "d_model": 24, "d_ff": 20, "rope_factor": 4.0,
    "rope_original_context": 8,
}  # fmt: skip


def build(options: dict[str, Any]) -> GPT | None:
    """The model with random weights; None where the configuration is refused."""
    try:
        config = ModelConfig(**BASE | options)
    except ConfigError:
        return None
    model, generator = GPT(config), torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if name.endswith("norm.weight") else 0.0)
    return model.eval()


def impossible(options: dict[str, Any]) -> bool:
    """The rules, said once more."""
    config = {"position": "rope", "rope_scaling": "none", "head_dim": 0} | BASE | options
    width = config["head_dim"] or config["d_model"] / 3
    rotary = config["position"] == "rope"
    return (rotary and width % 2 != 0) or (not rotary and config["rope_scaling"] != "none")


@pytest.mark.parametrize(("first", "second"), itertools.combinations(OPTIONS, 2))
def test_each_option_goes_with_each_other_or_is_refused(first, second):
    tokens = torch.arange(12).view(1, 12)
    for a, b in itertools.product(OPTIONS[first], OPTIONS[second]):
        options = {first: a, second: b}
        model = build(options)
        assert (model is None) == impossible(options), options
        if model is None:
            continue
        assert sum(parameter.numel() for parameter in model.parameters()) == parameter_count(model.config)
        trained = model(tokens)
        with torch.inference_mode():
            cache = KVCache(model.config, 1, 12)
            parts = torch.cat([model(tokens[:, :5], cache), model(tokens[:, 5:], cache)], 1)
        torch.testing.assert_close(trained.detach(), parts, atol=2e-5, rtol=1e-4)
        assert trained.isfinite().all()


class StandInTokenizer:
    kind, begin, end_tokens = "char", (), frozenset[int]()

    def save(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")


@pytest.mark.parametrize("seed", range(80))
def test_any_block_survives_the_disk_and_computes_the_same_in_transformers(seed, tmp_path):
    transformers = pytest.importorskip("transformers")
    chance = random.Random(seed)
    model = None
    while model is None or (model_type(model.config) == "minigpt" and chance.random() < 0.9):
        model = build({name: chance.choice(values) for name, values in OPTIONS.items()})
    save_checkpoint(model, tmp_path, tokenizer=StandInTokenizer(), step=0, validation_loss=None)
    tokens = torch.randint(17, (2, 12), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        expected = model(tokens)
        assert torch.equal(load_checkpoint(tmp_path).model(tokens), expected)
        if model_type(model.config) == "minigpt":
            return
        theirs, report = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
        assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
        torch.testing.assert_close(theirs.eval()(tokens).logits, expected, atol=1e-4, rtol=1e-4)
        (tmp_path / "minigpt.json").unlink()  # now it is a foreign folder
        foreign = load_checkpoint(tmp_path)
        torch.testing.assert_close(foreign.model(tokens), expected, atol=1e-4, rtol=1e-4)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == model_type(model.config)
