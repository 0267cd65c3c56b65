"""A folder that transformers saved computes the same here, and again there once saved from here; others are refused."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import CheckpointError, load_checkpoint, save_checkpoint
from minigpt_tui.models.tensor_file import load_tensors, save_tensors

transformers = pytest.importorskip("transformers")

VOCAB = 23
LLAMA = {
    "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_theta": 5000.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "factor": 3.0, "rope_theta": 5000.0}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", GPT2),
    "gpt2 untied": ("gpt2", GPT2 | {"tie_word_embeddings": False}),
    "gpt2 gelu, narrow": ("gpt2", GPT2 | {"activation_function": "gelu", "n_inner": 24}),
    "gpt2 relu": ("gpt2", GPT2 | {"activation_function": "relu", "layer_norm_epsilon": 1e-3}),
    "gpt2 upcast attention": ("gpt2", GPT2 | {"reorder_and_upcast_attn": True, "activation_function": "gelu_fast"}),
    "openai-gpt": ("openai-gpt", GPT2),
    "openai-gpt relu untied": ("openai-gpt", GPT2 | {"afn": "relu", "tie_word_embeddings": False}),
    "llama": ("llama", LLAMA),
    "llama tied, one head each": ("llama", LLAMA | {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    "llama wide heads": ("llama", LLAMA | {"head_dim": 12, "num_key_value_heads": 1, "rms_norm_eps": 1e-3}),
    "llama all biases": ("llama", LLAMA | {"attention_bias": True, "mlp_bias": True}),
    "llama attention biases": ("llama", LLAMA | {"attention_bias": True}),
    "llama mlp biases": ("llama", LLAMA | {"mlp_bias": True}),
    "llama llama3": ("llama", LLAMA | {"rope_parameters": LLAMA3}),
    "llama linear": ("llama", LLAMA | {"rope_parameters": LINEAR}),
    "qwen2": ("qwen2", LLAMA),
    "qwen2 tied llama3": ("qwen2", LLAMA | {"tie_word_embeddings": True, "rope_parameters": LLAMA3}),
    "qwen2 full window": ("qwen2", LLAMA | {"use_sliding_window": True, "max_window_layers": 2}),
    "qwen3": ("qwen3", LLAMA | {"head_dim": 8}),
    "qwen3 wide heads, tied": ("qwen3", LLAMA | {"head_dim": 20, "tie_word_embeddings": True}),
    "qwen3 attention biases": ("qwen3", LLAMA | {"head_dim": 8, "attention_bias": True}),
    "qwen3 linear": ("qwen3", LLAMA | {"head_dim": 8, "rope_parameters": LINEAR}),
    "arcee": ("arcee", LLAMA),
    "arcee gelu, mlp biases": ("arcee", LLAMA | {"hidden_act": "gelu", "mlp_bias": True}),
    "arcee attention biases, llama3": ("arcee", LLAMA | {"attention_bias": True, "rope_parameters": LLAMA3}),
}  # fmt: skip


class StandInTokenizer:
    kind, begin, end_tokens = "char", (), frozenset[int]()

    def save(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")


def their_model(case: str) -> Any:
    """transformers' model with every parameter away from its special starting value, so that a forgotten one shows."""
    kind, options = CASES[case]
    special = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    config = transformers.AutoConfig.for_model(kind, vocab_size=VOCAB, **special, **options)
    model, generator = transformers.AutoModelForCausalLM.from_config(config), torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if parameter.ndim == 1 and not name.endswith("bias") else 0.0)
    return model.eval()


def tokens(batch: int = 2, length: int = 40) -> torch.Tensor:
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(3))


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found = model(ids)
    return found if isinstance(found, torch.Tensor) else found.logits


def greedy(model: GPT, ids: torch.Tensor, n: int) -> list[int]:
    cache, chosen = KVCache(model.config, 1, model.config.context_length), []
    with torch.inference_mode():
        for _ in range(n):
            ids = model(ids, cache)[:, -1].argmax(-1, keepdim=True)
            chosen.append(int(ids))
    return chosen


def refused(folder: Path) -> str:
    before = sorted(folder.rglob("*"))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1000
    assert sorted(folder.rglob("*")) == before
    return message


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A folder that is in order, for the tests to spoil."""
    their_model("llama").save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_tensors(folder / "model.safetensors")[0].items()}
    change(tensors)
    save_tensors(folder / "model.safetensors", tensors, {"format": "pt"})


@pytest.mark.parametrize("shard", ["1GB", pytest.param("12KB", marks=pytest.mark.long)])
@pytest.mark.parametrize("case", CASES)
def test_both_programs_compute_the_same_in_both_directions(case, shard, tmp_path):
    theirs = their_model(case)
    theirs.save_pretrained(tmp_path / "theirs", max_shard_size=shard)
    assert (tmp_path / "theirs" / "model.safetensors").exists() == (shard == "1GB")
    loaded = load_checkpoint(tmp_path / "theirs")
    assert (loaded.step, loaded.validation_loss, loaded.model.training) == (0, None, False)
    assert sum(p.numel() for p in loaded.model.parameters()) >= theirs.num_parameters()  # zeros stand for no biases
    expected = logits(theirs, tokens())
    torch.testing.assert_close(logits(loaded.model, tokens()), expected, atol=1e-4, rtol=1e-4)
    cached = not case.startswith("openai")
    text = theirs.generate(tokens(1, 6), max_new_tokens=10, do_sample=False, use_cache=cached)
    assert greedy(loaded.model, tokens(1, 6), 10) == text[0, 6:].tolist()

    (tmp_path / "ours").mkdir()
    save_checkpoint(loaded.model, tmp_path / "ours", tokenizer=StandInTokenizer(), step=0, validation_loss=None)
    assert torch.equal(logits(load_checkpoint(tmp_path / "ours").model, tokens()), logits(loaded.model, tokens()))
    if case == "qwen3 attention biases":  # an MLP without biases beside them has no name there with ours
        assert json.loads((tmp_path / "ours" / "config.json").read_text())["model_type"] == "minigpt"
        return
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    assert again.config.model_type == theirs.config.model_type.replace("qwen2", "llama")
    torch.testing.assert_close(logits(again, tokens()), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("case", ["gpt2", "llama tied, one head each", "qwen2 tied llama3"])
def test_a_folder_of_ours_without_our_description_is_a_foreign_one(case, tmp_path):
    their_model(case).save_pretrained(tmp_path / "theirs")
    model = load_checkpoint(tmp_path / "theirs").model
    (tmp_path / "ours").mkdir()
    save_checkpoint(model, tmp_path / "ours", tokenizer=StandInTokenizer(), step=9, validation_loss=None)
    (tmp_path / "ours" / "minigpt.json").unlink()
    again = load_checkpoint(tmp_path / "ours")
    assert again.step == 0
    # the file may have biases of zero more, which other operators add
    torch.testing.assert_close(logits(again.model, tokens()), logits(model, tokens()), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", ["gpt2", "llama"])
def test_half_precision_becomes_float32(case, dtype, tmp_path):
    theirs = their_model(case).to(dtype)
    theirs.save_pretrained(tmp_path / "half")
    model = load_checkpoint(tmp_path / "half").model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "half", dtype=torch.float32)
    torch.testing.assert_close(logits(model, tokens()), logits(theirs, tokens()), atol=1e-4, rtol=1e-4)
    kept = load_checkpoint(tmp_path / "half", weight_dtype=dtype).model
    assert {parameter.dtype for parameter in kept.parameters()} == {dtype}


@pytest.mark.parametrize("case", ["gpt2", "openai-gpt", "llama tied, one head each", "qwen3 wide heads, tied"])
def test_a_model_saved_without_its_head_has_shorter_names(case, tmp_path):
    theirs = their_model(case)
    theirs.base_model.save_pretrained(tmp_path / "base")
    names = load_tensors(tmp_path / "base" / "model.safetensors")[0]
    assert not any(name.startswith(("transformer.", "model.")) for name in names)
    change_tensors(tmp_path / "base", add_buffers)
    model = load_checkpoint(tmp_path / "base").model
    torch.testing.assert_close(logits(model, tokens()), logits(theirs, tokens()), atol=1e-4, rtol=1e-4)


def add_buffers(tensors: dict[str, torch.Tensor]) -> None:
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 8, 8).tril().bool()
    tensors["h.0.attn.masked_bias"] = torch.tensor(-1e4)
    tensors["layers.1.self_attn.rotary_emb.inv_freq"] = torch.ones(4)


def test_a_stored_head_must_be_the_embedding_where_they_are_tied(tmp_path):
    theirs = their_model("gpt2")
    theirs.save_pretrained(tmp_path / "tied")
    embedding = theirs.transformer.wte.weight.detach()
    change_tensors(tmp_path / "tied", lambda tensors: tensors.update({"lm_head.weight": embedding.clone()}))
    expected = logits(load_checkpoint(tmp_path / "tied").model, tokens())
    torch.testing.assert_close(expected, logits(theirs, tokens()), atol=1e-4, rtol=1e-4)

    change_tensors(tmp_path / "tied", lambda tensors: tensors.pop("transformer.wte.weight"))  # one of the two is enough
    assert torch.equal(logits(load_checkpoint(tmp_path / "tied").model, tokens()), expected)

    other = {"lm_head.weight": embedding + 1, "transformer.wte.weight": embedding.clone()}
    change_tensors(tmp_path / "tied", lambda tensors: tensors.update(other))
    assert '"tie_word_embeddings": false' in refused(tmp_path / "tied")
    change_config(tmp_path / "tied", tie_word_embeddings=False)
    assert not torch.equal(logits(load_checkpoint(tmp_path / "tied").model, tokens()), expected)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop("lm_head.weight"), "lacks the tensor lm_head.weight"),
        (lambda t: t.pop("model.layers.1.mlp.up_proj.weight"), "lacks the tensor model.layers.1.mlp.up_proj.weight"),
        (lambda t: t.update({"model.layers.0.mlp.lora_A.weight": torch.ones(4, 4)}), "layers.0.mlp.lora_A.weight"),
        (lambda t: t.update({"model.layers.2.mlp.up_proj.weight": torch.ones(32)}), "'model.layers.2.mlp.up_proj.wei"),
        (lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": torch.ones(32)}), "self_attn.q_proj.bias"),
        (lambda t: t.update({"model.norm.weight": torch.ones(33)}), "holds model.norm.weight as float32 [33]"),
        (lambda t: t.update({"model.norm.weight": torch.ones(32).int()}), "model.norm.weight quantized, as int32"),
        (lambda t: t.update({"model.norm.weight": torch.ones(32, 1)}), "[32, 1] where [32] is needed"),
        (lambda t: t.update({"evil\x1b[31m\n" * 20: torch.ones(1)}), "what such a model does not have"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused_by_name(change, named, llama):
    change_tensors(llama, change)
    assert named in refused(llama)


def test_eight_bit_floats_are_called_quantized(llama):
    transformers.AutoModelForCausalLM.from_pretrained(llama).to(torch.float8_e4m3fn).save_pretrained(llama)
    assert "quantized, as float8_e4m3fn" in refused(llama)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_weight_that_is_no_number_is_refused_by_name(dtype, llama):
    change_tensors(llama, lambda t: t.update({name: tensor.to(dtype) for name, tensor in t.items()}))
    load_checkpoint(llama)
    change_tensors(llama, lambda t: t["model.layers.1.self_attn.k_proj.weight"].view(-1)[5:6].fill_(torch.inf))
    assert f"{llama} holds NaN or infinity in model.layers.1.self_attn.k_proj.weight" in refused(llama)


def test_a_bias_beside_those_that_there_should_be_is_refused(tmp_path):
    their_model("llama mlp biases").save_pretrained(tmp_path / "llama")
    name = "model.layers.0.self_attn.q_proj.bias"
    change_tensors(tmp_path / "llama", lambda tensors: tensors.update({name: torch.ones(32)}))
    assert f"holds {name} although" in refused(tmp_path / "llama")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "bert"}, "the types known here are"),
        ({"hidden_size": -32}, "d_model is -32"),
        ({"vocab_size": 2**23}, "model.embed_tokens.weight as float32 [23, 32] where [8388608, 32] is needed"),
        ({"num_hidden_layers": 100}, "lacks the tensor model.layers.2."),
        ({"num_hidden_layers": 1}, "does not have: 'model.layers.1"),
        ({"num_attention_heads": 8, "head_dim": 4}, "where"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "yarn"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(changes, named, llama):
    change_config(llama, **changes)
    assert named in refused(llama)


def sharded(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    their_model("llama").save_pretrained(tmp_path / "sharded", max_shard_size="12KB")
    index = json.loads((tmp_path / "sharded" / "model.safetensors.index.json").read_text())
    return tmp_path / "sharded", index


@pytest.mark.parametrize(
    "name",
    ["../secret.safetensors", "/etc/passwd", "..", "", "sub/model.safetensors", "C:model.safetensors", "..\\secret",
     "a\0b", "\x1b[2J", "model-99999-of-99999.safetensors", "config.json"],
)  # fmt: skip
def test_a_shard_must_be_a_file_of_the_folder(name, tmp_path):
    folder, index = sharded(tmp_path)
    shard = index["weight_map"]["model.norm.weight"]
    (folder / "sub").mkdir()
    for copy in (tmp_path / "secret.safetensors", folder / "sub" / "model.safetensors"):
        shutil.copy(folder / shard, copy)
    index["weight_map"] = {key: name if value == shard else value for key, value in index["weight_map"].items()}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(folder)


@pytest.mark.parametrize("content", [[], {}, {"weight_map": []}, {"weight_map": {"a": 1}}, {"weight_map": {}}])
def test_a_damaged_index_is_refused(content, tmp_path):
    folder, _ = sharded(tmp_path)
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    refused(folder)


def test_an_index_and_its_shards_must_agree(tmp_path):
    folder, index = sharded(tmp_path)
    path, map = folder / "model.safetensors.index.json", index["weight_map"]
    path.write_text(json.dumps({"weight_map": map | {"model.extra": map["lm_head.weight"]}}))
    assert "lacks 'model.extra'" in refused(folder)
    shards = list(map.values())
    name = next(name for name, shard in map.items() if shards.count(shard) > 1)
    path.write_text(json.dumps({"weight_map": {other: shard for other, shard in map.items() if other != name}}))
    assert f"holds {name!r}, which model.safetensors.index.json does not place there" in refused(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_link_may_not_leave_the_folder(llama, tmp_path):
    weights, outside = llama / "model.safetensors", tmp_path / "outside.safetensors"
    weights.rename(outside)
    weights.symlink_to(outside)
    assert "is a link that leaves its folder" in refused(llama)
    weights.unlink()
    outside.rename(llama / "other.safetensors")
    weights.symlink_to("other.safetensors")
    load_checkpoint(llama)
    for trick in (lambda: weights.symlink_to(weights), lambda: os.mkfifo(weights), lambda: weights.mkdir()):
        weights.unlink()
        trick()
        refused(llama)


def test_a_snapshot_in_the_cache_of_hugging_face_is_made_of_links(llama, tmp_path):
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "0123", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, name in enumerate(("config.json", "model.safetensors")):
        (llama / name).rename(blobs / str(number))
        (snapshot / name).symlink_to(f"../../blobs/{number}")
    load_checkpoint(snapshot)


class Evil:
    def __reduce__(self):
        return os.mkdir, (str(Path(os.environ["EVIL"])),)


def test_a_pickle_is_never_read(llama, tmp_path, monkeypatch):
    monkeypatch.setenv("EVIL", str(tmp_path / "executed"))
    (llama / "model.safetensors").unlink()
    torch.save({"weight": Evil()}, llama / "pytorch_model.bin")
    message = refused(llama)
    assert "pickle" in message
    assert "save_pretrained" in message
    shutil.copy(llama / "pytorch_model.bin", llama / "model.safetensors")
    assert "damaged" in refused(llama)
    assert not (tmp_path / "executed").exists()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_loading_takes_the_memory_of_the_model_and_not_twice(tmp_path):
    kind, options = CASES["llama"]
    large = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 6, "vocab_size": 4096}
    config = transformers.AutoConfig.for_model(kind, **(options | large))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    tensors = {name: torch.zeros(tensor.shape, dtype=torch.bfloat16) for name, tensor in model.state_dict().items()}
    save_tensors(tmp_path / "model.safetensors", tensors, {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    program = f"""
import re
from pathlib import Path
from minigpt_tui.models.interop.huggingface import load_checkpoint
def memory(name): return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
before = memory("VmRSS")
model = load_checkpoint(Path({str(tmp_path)!r})).model
print(memory("VmHWM") - before, sum(parameter.nbytes for parameter in model.parameters()))
"""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    peak, size = map(int, result.stdout.split())
    stored = (tmp_path / "model.safetensors").stat().st_size
    assert size > 80e6
    assert peak < size + stored + 40e6  # the mapped file counts as long as it is mapped
