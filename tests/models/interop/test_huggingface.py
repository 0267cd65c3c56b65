"""A checkpoint survives the round trip, transformers computes the same from it, and damage is refused in a sentence."""

import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import CheckpointError, load_checkpoint, save_checkpoint
from minigpt_tui.models.interop.huggingface_layouts import model_type
from minigpt_tui.models.interop.stored_model import StoredModel
from minigpt_tui.models.tensor_file import load_tensors, save_tensors

BASE = ModelConfig(vocab_size=23, context_length=32, n_layer=2, n_head=4, d_model=32)
GPT2 = replace(BASE, position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False)
LLAMA3: dict[str, Any] = {"rope_scaling": "llama3", "rope_factor": 8.0, "rope_original_context": 16}

CASES = {
    "qwen3": BASE,
    "qwen3-gqa": replace(BASE, n_kv_head=2, head_dim=16, tied=True, d_ff=40, rope_theta=5000.0),
    "qwen3-no-mlp": replace(BASE, mlp="none", bias=True),
    "qwen3-qkv-bias": replace(BASE, qkv_bias=True),
    "qwen3-linear": replace(BASE, rope_scaling="linear", rope_factor=4.0),
    "qwen3-indivisible": replace(BASE, d_model=30, head_dim=6),
    "llama-qkv-bias": replace(BASE, qk_norm=False, qkv_bias=True, n_kv_head=2, tied=True),
    "minigpt-qkv-bias-indivisible": replace(BASE, qk_norm=False, qkv_bias=True, d_model=30, head_dim=6),
    "llama-qkv-bias-no-mlp": replace(BASE, qk_norm=False, qkv_bias=True, mlp="none", **LLAMA3),
    "llama": replace(BASE, qk_norm=False),
    "llama-llama3": replace(BASE, qk_norm=False, n_kv_head=2, tied=True, **LLAMA3),
    "llama-both-biases": replace(BASE, qk_norm=False, bias=True, qkv_bias=True, head_dim=10),
    "llama-gqa": replace(BASE, qk_norm=False, n_kv_head=1, bias=True, tied=True, norm_eps=1e-5),
    "llama-no-mlp": replace(BASE, qk_norm=False, mlp="none"),
    "arcee": replace(BASE, qk_norm=False, mlp="relu2", n_kv_head=2),
    "arcee-gelu": replace(BASE, qk_norm=False, mlp="gelu", bias=True),
    "arcee-qkv-bias": replace(BASE, qk_norm=False, mlp="relu", qkv_bias=True, **LLAMA3),
    "gpt2": GPT2,
    "gpt2-qkv-bias": replace(GPT2, qkv_bias=True),
    "gpt2-bias": replace(GPT2, bias=True, tied=True, mlp="gelu_tanh"),
    "gpt2-relu": replace(GPT2, mlp="relu", d_ff=48),
    "gpt2-relu2": replace(GPT2, mlp="relu2", bias=True),
    "gpt2-no-mlp": replace(GPT2, mlp="none"),
    "gpt2-no-mlp-bias": replace(GPT2, mlp="none", bias=True),
    "gpt2-sinusoidal": replace(GPT2, position="sinusoidal"),
    "gpt2-no-positions": replace(GPT2, position="none", tied=True),
    "openai-gpt": replace(GPT2, norm_position="post", mlp="relu"),
    "openai-gpt-bias": replace(GPT2, norm_position="post", mlp="gelu_tanh", bias=True, tied=True),
    "openai-gpt-qkv-bias": replace(GPT2, norm_position="post", mlp="relu", qkv_bias=True),
    "minigpt-rms-post": replace(BASE, norm_position="post", qk_norm=False),
    "minigpt-llama-indivisible": replace(BASE, qk_norm=False, d_model=30, head_dim=6),
    "minigpt-sinusoidal-odd": replace(GPT2, position="sinusoidal", d_model=33, n_head=3, norm="rms"),
    "minigpt-layer-rope-scaled": replace(BASE, norm="layer", **LLAMA3),
    "minigpt-post-gelu": replace(GPT2, norm_position="post"),
    "minigpt-relu2-qk-norm": replace(BASE, mlp="relu2"),
    "minigpt-layer-rope": replace(BASE, norm="layer", bias=True),
    "minigpt-learned-gqa": replace(GPT2, n_kv_head=2),
    "minigpt-qwen-bias": replace(BASE, bias=True),
}


class StandInTokenizer:
    kind, begin, end_tokens = "char", (), frozenset[int]()

    def save(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")


def random_model(config: ModelConfig) -> GPT:
    """Every parameter away from its special starting value, so that a forgotten one shows."""
    model, generator = GPT(config), torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if name.endswith("norm.weight") else 0.0)
    return model.eval()


def save(model: GPT, folder: Path, **options) -> Path:
    folder.mkdir()
    save_checkpoint(model, folder, **{"tokenizer": StandInTokenizer(), "step": 7, "validation_loss": 1.5} | options)
    return folder


def put_weights(folder: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Other weights, as if this program had saved them there."""
    save_tensors(folder / "model.safetensors", tensors, metadata)
    description = json.loads((folder / "minigpt.json").read_text())
    description["weights_sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    (folder / "minigpt.json").write_text(json.dumps(description))


def greedy(model: GPT, tokens: torch.Tensor, n: int) -> list[int]:
    cache, chosen = KVCache(model.config, 1, model.config.context_length), []
    with torch.inference_mode():
        for _ in range(n):
            tokens = model(tokens, cache)[:, -1].argmax(-1, keepdim=True)
            chosen.append(int(tokens))
    return chosen


@pytest.mark.parametrize("case", CASES)
def test_round_trip_is_exact(case, tmp_path):
    model = random_model(CASES[case])
    folder = save(model, tmp_path / "checkpoint", extra={"note": "kept"})
    loaded = load_checkpoint(folder, "cpu", torch.float32)
    assert (loaded.config, loaded.step, loaded.validation_loss) == (model.config, 7, 1.5)
    assert not loaded.model.training
    theirs = dict(loaded.model.named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(theirs[name], parameter), name
    assert json.loads((folder / "config.json").read_text())["model_type"] == model_type(model.config)
    assert case.startswith(model_type(model.config))
    assert json.loads((folder / "minigpt.json").read_text())["note"] == "kept"
    tokens = torch.arange(10).view(1, 10)
    assert torch.equal(loaded.model(tokens), model(tokens))


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("minigpt")])
def test_transformers_computes_the_same(case, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = random_model(CASES[case])
    folder = save(model, tmp_path / "checkpoint")
    other, report = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert other.config.model_type == model_type(model.config)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    other.eval()
    tokens = torch.randint(23, (2, 20), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), other(tokens).logits, atol=1e-4, rtol=1e-4)
        text = other.generate(tokens[:1, :6], max_new_tokens=10, do_sample=False, use_cache="openai" not in case)
    assert text[0, 6:].tolist() == greedy(model, tokens[:1, :6], 10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_can_be_kept_in_the_compute_dtype(dtype, tmp_path):
    model = random_model(BASE)
    loaded = load_checkpoint(save(model, tmp_path / "checkpoint"), "cpu", dtype, weight_dtype=dtype).model
    assert {parameter.dtype for parameter in loaded.parameters()} == {dtype}
    tokens = torch.arange(10).view(1, 10)
    expected = GPT(BASE, compute_dtype=dtype).eval()
    expected.load_state_dict(model.state_dict())
    torch.testing.assert_close(loaded(tokens), expected(tokens), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("loss", [None, math.nan, math.inf])
def test_a_loss_that_is_no_number_is_not_stored(loss, tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint", validation_loss=loss)
    assert load_checkpoint(folder, "cpu", torch.float32).validation_loss is None


def refused(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder, "cpu", torch.float32)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1000
    return message


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    whole = (folder / "model.safetensors").read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:length])
        assert "model.safetensors is damaged or incomplete" in refused(folder)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'{"a":1}',
        b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,99999999]}}',
        b'{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}',
        b'{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,16]}}',
        b'{"a":{"dtype":"evil","shape":[4],"data_offsets":[0,16]}}',
        b"\xff\xfe" * 40,
        b"{" * 5000,
    ],
)
def test_a_hostile_header_is_refused(header, tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 16)
    assert "model.safetensors" in refused(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n_layer": 100}, "lacks the tensor model.layers.2."),
        ({"vocab_size": 10**7}, "model.embed_tokens.weight"),
        ({"vocab_size": 10**12}, "vocab_size is 1000000000000"),
        ({"vocab_size": 22}, "model.embed_tokens.weight"),
        ({"n_layer": 1, "n_head": 2}, "model.layers.0"),
        ({"context_length": 10**15}, "context_length is 1000000000000000"),
        ({"n_head": 5}, "not divisible"),
        ({"n_head": "4"}, "n_head"),
        ({"mlp": "__import__"}, "mlp"),
        ({"norm_eps": None}, "norm_eps"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(change, named, tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    description = {"format": 1, "model": asdict(BASE) | change}
    (folder / "minigpt.json").write_text(json.dumps(description))
    assert named in refused(folder)


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"format":1}', "\x00", "[" * 100_000, '{"format":NaN}'])
def test_a_damaged_description_is_refused(text, tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    (folder / "minigpt.json").write_text(text)
    assert "minigpt.json is damaged" in refused(folder)


def test_missing_pieces_are_named(tmp_path):
    assert "neither minigpt.json nor config.json is there" in refused(tmp_path / "nowhere")
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    tensors, metadata = load_tensors(folder / "model.safetensors")
    spare = {name: tensor.clone() for name, tensor in tensors.items() if name != "model.norm.weight"}
    put_weights(folder, spare | {"spare": torch.zeros(99)}, metadata)
    assert "lacks the tensor model.norm.weight" in refused(folder)
    (folder / "model.safetensors").unlink()
    assert "model.safetensors is missing" in refused(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["model.layers.1.mlp.down_proj.weight", "model.norm.weight"])
def test_weights_that_are_no_numbers_are_named(name, value, tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    tensors, metadata = load_tensors(folder / "model.safetensors")
    changed = {name: tensor.clone() for name, tensor in tensors.items()}
    changed[name].view(-1)[17] = value
    put_weights(folder, changed, metadata)
    assert f"model.safetensors holds NaN or infinity in {name}: its training diverged" in refused(folder)


def test_tensors_are_found_by_the_names_they_were_stored_under(tmp_path):
    folder = save(random_model(CASES["minigpt-llama-indivisible"]), tmp_path / "checkpoint")
    description = json.loads((folder / "minigpt.json").read_text())
    for kind, complaint in (("llama", "lacks the tensor"), ("gpt2", "lacks the tensor"), ("bert", "model_type")):
        (folder / "minigpt.json").write_text(json.dumps(description | {"model_type": kind}))
        assert complaint in refused(folder)


def test_names_that_leave_a_parameter_out_are_refused():
    config = replace(GPT2, n_layer=1, mlp="none", tied=True)
    block = {"input_layernorm": (32,), "self_attn.q_proj": (32, 32), "self_attn.k_proj": (32, 32),
             "self_attn.v_proj": (32, 32), "self_attn.o_proj": (32, 32)}  # fmt: skip
    tensors = {f"model.layers.0.{name}.weight": torch.zeros(shape) for name, shape in block.items()}
    tensors |= {"model.embed_tokens.weight": torch.zeros(23, 32), "model.norm.weight": torch.zeros(32)}
    stored = StoredModel(Path("x"), config, tensors, "llama")
    with pytest.raises(CheckpointError, match="names its tensors as llama does"):  # which knows no learned positions
        stored.build("cpu", torch.float32, None)


def test_a_newer_format_asks_for_an_update(tmp_path):
    folder = save(random_model(BASE), tmp_path / "checkpoint")
    description = json.loads((folder / "minigpt.json").read_text()) | {"format": 2}
    (folder / "minigpt.json").write_text(json.dumps(description))
    assert "update" in refused(folder)


def test_the_file_is_what_safetensors_reads(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    tensors = {
        "half": torch.randn(3, 5).bfloat16(), "scalar": torch.tensor(3), "none": torch.zeros(0, 4),
        "turned": torch.randn(4, 6).T, "bytes": torch.arange(7, dtype=torch.uint8),
    }  # fmt: skip
    save_tensors(tmp_path / "x.safetensors", tensors, {"step": "1"})
    theirs, (ours, metadata) = (
        safetensors.load_file(tmp_path / "x.safetensors"),
        load_tensors(tmp_path / "x.safetensors"),
    )
    assert metadata == {"step": "1"}
    for name, tensor in tensors.items():
        assert theirs[name].dtype == tensor.dtype
        assert torch.equal(theirs[name], tensor)
        assert torch.equal(ours[name], tensor)


@pytest.mark.parametrize(("ends", "written"), [((), None), ((3,), 3), ((9, 3), [3, 9])])
def test_the_tokens_that_begin_and_end_a_text_are_told(tmp_path: Path, ends: tuple[int, ...], written: object) -> None:
    class WithSpecialTokens(StandInTokenizer):
        begin, end_tokens = (7,), frozenset(ends)

    save_checkpoint(GPT(BASE), tmp_path, tokenizer=WithSpecialTokens(), step=0, validation_loss=None)
    for name in ("config.json", "generation_config.json"):
        told = json.loads((tmp_path / name).read_text())
        assert (told["bos_token_id"], told["eos_token_id"], told["pad_token_id"]) == (7, written, None)


def test_transformers_samples_from_our_folder_as_we_do(tmp_path):
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(save(random_model(BASE), tmp_path / "checkpoint"))
    settings, _ = model._prepare_generation_config(None)  # what generate() takes: 50 where a file says nothing
    assert (settings.do_sample, settings.temperature, settings.top_k) == (True, 0.8, 0)
    torch.manual_seed(1)
    drawn = model.generate(torch.zeros(400, 1, dtype=torch.long), max_new_tokens=1, temperature=1e6)
    assert set(drawn[:, 1].tolist()) == set(range(23))  # no token is filtered out


def test_saving_and_loading_need_no_numpy(tmp_path):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    program = f"""
import sys
sys.modules["numpy"] = None
from pathlib import Path
import torch
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import load_checkpoint, save_checkpoint
class Tokenizer:
    kind, begin, end_tokens = "char", (), frozenset[int]()
    def save(self, folder): pass
model = GPT(ModelConfig(vocab_size=5, context_length=8, n_layer=1, n_head=2, d_model=8))
save_checkpoint(model, Path({str(folder)!r}), tokenizer=Tokenizer(), step=1, validation_loss=None, extra={{}})
loaded = load_checkpoint(Path({str(folder)!r}), "cpu", torch.float32)
assert torch.equal(loaded.model.embedding, model.embedding)
print("done")
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, env=os.environ, check=False
    )
    assert result.stdout == "done\n", result.stderr
