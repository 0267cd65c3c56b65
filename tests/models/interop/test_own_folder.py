"""minigpt.json is believed only beside the weights that it was written with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from minigpt_tui.models.interop.huggingface import CheckpointError, load_checkpoint
from minigpt_tui.models.interop.own_folder import is_own
from minigpt_tui.models.tensor_file import load_tensors, save_tensors

from .test_huggingface import BASE, CASES, random_model, save

TOKENS = torch.randint(23, (2, 20), generator=torch.Generator().manual_seed(3))


def without_digest(folder: Path) -> Path:
    """A folder as it was written before minigpt.json had a digest."""
    values = json.loads((folder / "minigpt.json").read_text())
    assert len(values.pop("weights_sha256")) == 64
    (folder / "minigpt.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("minigpt")])
def test_weights_that_transformers_saved_in_place_are_read_as_transformers_reads_them(case, old, tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = save(random_model(CASES[case]), tmp_path / "checkpoint")
    if old:
        without_digest(folder)
    assert is_own(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    model.save_pretrained(folder)
    assert not is_own(folder)
    loaded = load_checkpoint(folder)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(TOKENS), model(TOKENS).logits, atol=1e-4, rtol=1e-4)
    assert (loaded.step, loaded.validation_loss) == (0, None)


def test_shards_are_foreign_once_the_whole_file_is_gone(tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.save_pretrained(folder, max_shard_size="20KB")
    assert load_checkpoint(folder).step == 7  # the whole file comes first, as in transformers, and it is still ours
    (folder / "model.safetensors").unlink()
    loaded = load_checkpoint(folder)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(TOKENS), model.eval()(TOKENS).logits, atol=1e-4, rtol=1e-4)
    assert loaded.step == 0


def test_a_folder_written_before_the_digest_is_ours_by_the_step_in_its_weights(tmp_path):
    folder = without_digest(save(random_model(BASE), tmp_path / "checkpoint"))
    loaded = load_checkpoint(folder)
    assert (loaded.config, loaded.step, loaded.validation_loss) == (BASE, 7, 1.5)


def test_weights_changed_under_our_own_metadata_are_foreign(tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    tensors, metadata = load_tensors(folder / "model.safetensors")
    changed = {name: tensor + 0.01 for name, tensor in tensors.items()}
    save_tensors(folder / "model.safetensors", changed, metadata)
    assert not is_own(folder)
    loaded = load_checkpoint(folder)
    assert (loaded.step, loaded.validation_loss) == (0, None)
    name = "model.layers.1.self_attn.o_proj.weight"
    assert torch.equal(loaded.model.get_parameter("blocks.1.attention.out.weight"), changed[name])


def test_a_block_that_no_other_program_has_is_refused_with_other_weights(tmp_path):
    folder = save(random_model(CASES["minigpt-layer-rope"]), tmp_path / "checkpoint")
    tensors, metadata = load_tensors(folder / "model.safetensors")
    save_tensors(folder / "model.safetensors", {name: tensor + 1 for name, tensor in tensors.items()}, metadata)
    with pytest.raises(CheckpointError, match=r"model\.safetensors holds other weights than those that minigpt\.json"):
        load_checkpoint(folder)


def test_damage_is_named_and_not_taken_for_another_model(tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    whole = (folder / "model.safetensors").read_bytes()
    for content in (b"", whole[:5], whole[:-1], whole + b"x", b"\xff" * len(whole)):
        (folder / "model.safetensors").write_bytes(content)
        assert is_own(folder)
        with pytest.raises(CheckpointError, match="damaged or incomplete"):
            load_checkpoint(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        load_checkpoint(folder)


def test_a_folder_that_was_written_as_qwen2_still_opens(tmp_path):
    """Blocks with biases of queries, keys and values had this type before."""
    config = replace(BASE, qk_norm=False, qkv_bias=True)
    folder = without_digest(save(random_model(config), tmp_path / "checkpoint"))
    tensors, metadata = load_tensors(folder / "model.safetensors")
    kept = {name: tensor.clone() for name, tensor in tensors.items() if not name.endswith("o_proj.bias")}
    save_tensors(folder / "model.safetensors", kept, metadata)
    for name in ("minigpt.json", "config.json"):
        values = json.loads((folder / name).read_text()) | {"model_type": "qwen2"}
        (folder / name).write_text(json.dumps(values))
    loaded, expected = load_checkpoint(folder), random_model(config)
    assert (loaded.config, loaded.step) == (config, 7)
    assert torch.equal(loaded.model(TOKENS), expected(TOKENS))
