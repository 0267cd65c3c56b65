"""A GGUF file holds every weight of ours under llama.cpp's names; what it cannot hold is refused by name."""

from __future__ import annotations

import itertools
import re
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.models.config import ConfigError, ModelConfig, parameter_count
from minigpt_tui.models.gpt import GPT, rotary_frequencies, sinusoidal_positions
from minigpt_tui.models.interop.gguf import GgufSummary, GgufType, Vocabulary, write_gguf
from minigpt_tui.models.interop.gguf_layouts import NoCounterpart, architecture, parts
from minigpt_tui.models.presets import PRESETS

gguf = pytest.importorskip("gguf")

BASE = ModelConfig(vocab_size=23, context_length=40, n_layer=2, n_head=4, d_model=32)
LLAMA = replace(BASE, qk_norm=False)
GPT2 = replace(BASE, position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False)
LLAMA3 = {"rope_scaling": "llama3", "rope_factor": 8.0, "rope_original_context": 16}
LINEAR = {"rope_scaling": "linear", "rope_factor": 2.5}

CASES = {
    "qwen3": BASE,
    "qwen3-gqa": replace(BASE, n_kv_head=2, head_dim=16, tied=True, d_ff=40, rope_theta=5000.0),
    "qwen3-qkv": replace(BASE, qkv_bias=True, **LINEAR),
    "qwen3-no-mlp": replace(BASE, mlp="none"),
    "qwen2": replace(LLAMA, qkv_bias=True, n_kv_head=2),
    "llama": LLAMA,
    "llama-bias": replace(LLAMA, n_kv_head=1, bias=True, tied=True, norm_eps=1e-5),
    "llama-no-mlp": replace(LLAMA, mlp="none", bias=True),
    "llama-linear": replace(LLAMA, head_dim=16, qkv_bias=True, **LINEAR),
    "llama-llama3": replace(LLAMA, qkv_bias=True, **LLAMA3),
    "arcee": replace(LLAMA, mlp="relu2", n_kv_head=2),
    "arcee-qkv": replace(LLAMA, mlp="relu2", qkv_bias=True, **LLAMA3),
    "gpt2": GPT2,
    "gpt2-bias": replace(GPT2, bias=True, tied=True, mlp="gelu_tanh", n_kv_head=2),
    "gpt2-qkv": replace(GPT2, qkv_bias=True, d_ff=48),
    "gpt2-no-mlp": replace(GPT2, mlp="none"),
    "gpt2-sinusoidal": replace(GPT2, position="sinusoidal"),
    "gpt2-no-positions": replace(GPT2, position="none", mlp="none", bias=True),
}
OURS = {  # llama.cpp's module -> ours
    "token_embd": "embedding", "position_embd": "positions", "output_norm": "norm", "output": "head",
    "attn_norm": "attention_norm", "attn_qkv": "attention.qkv", "attn_output": "attention.out",
    "attn_q_norm": "attention.q_norm", "attn_k_norm": "attention.k_norm",
    "ffn_norm": "mlp_norm", "ffn_up": "mlp.up", "ffn_down": "mlp.down",
}  # fmt: skip


def random_model(config: ModelConfig) -> GPT:
    """Every parameter away from its special starting value, so that a forgotten one shows."""
    model, generator = GPT(config), torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if name.endswith("norm.weight") else 0.0)
    return model.eval()


def vocabulary(config: ModelConfig, added: int = 1) -> Vocabulary:
    tokens = [f"token {n}" for n in range(config.vocab_size + added)]
    return Vocabulary("gpt-2", tokens, [1] * len(tokens), ["t o", "to k"], 3, len(tokens) - 1, False, 5, (7,))


def write(path: Path, model: GPT, dtype: GgufType = "f32", added: int = 1, **options: Any) -> GgufSummary:
    weights, words = dict(model.named_parameters()), vocabulary(model.config, added)
    return write_gguf(path, model.config, weights, words, general={"name": "a test"}, dtype=dtype, **options)


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any], dict[str, str]]:
    """Tensors in float32, metadata, and the type of each tensor."""
    reader = gguf.GGUFReader(path)
    tensors = {
        tensor.name: torch.tensor(gguf.quants.dequantize(tensor.data, tensor.tensor_type)) for tensor in reader.tensors
    }
    types = {tensor.name: tensor.tensor_type.name.lower() for tensor in reader.tensors}
    return tensors, {key: field.contents() for key, field in reader.fields.items()}, types


def in_halves(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows whose rotary pairs are neighbours, row by row back to where the pairs are half a head apart."""
    width, back = len(rows) // heads, torch.empty_like(rows)
    for head, pair, second in itertools.product(range(heads), range(width // 2), range(2)):
        back[head * width + second * width // 2 + pair] = rows[head * width + 2 * pair + second]
    return back


def our_weights(tensors: dict[str, torch.Tensor], config: ModelConfig, kind: str) -> dict[str, torch.Tensor]:
    """The parameters that a file's tensors hold, by our names; the tensors that are used up are taken away."""
    found: dict[str, torch.Tensor] = {}
    turned = in_halves if kind in ("llama", "arcee") else lambda rows, heads: rows
    for layer, end in itertools.product(range(config.n_layer), (".weight", ".bias")):
        block = f"blk.{layer}"
        if f"{block}.attn_q{end}" in tensors:
            q, k, v = (tensors.pop(f"{block}.attn_{name}{end}") for name in "qkv")
            found[f"blocks.{layer}.attention.qkv{end}"] = torch.cat(
                (turned(q, config.n_head), turned(k, config.kv_heads), v)
            )
        if f"{block}.ffn_gate{end}" in tensors and config.mlp != "none":
            gate, up = tensors.pop(f"{block}.ffn_gate{end}"), tensors.pop(f"{block}.ffn_up{end}")
            found[f"blocks.{layer}.mlp.up{end}"] = torch.cat((gate, up))
    names = {name for name, _ in GPT(config, device="meta").named_parameters()}
    for name in list(tensors):
        *where, module, end = name.split(".")
        ours = ".".join([*(["blocks", where[1]] if where else []), OURS.get(module, "?")])
        ours = ours if ours in names else f"{ours}.{end}"
        if ours in names:
            found[ours] = tensors.pop(name)
    return found


@pytest.mark.parametrize("case", CASES)
def test_every_weight_is_in_the_file_and_nothing_else(case: str, tmp_path: Path) -> None:
    config, model = CASES[case], random_model(CASES[case])
    written = write(tmp_path / "x.gguf", model)
    tensors, _, types = read(tmp_path / "x.gguf")
    assert written.architecture == case.split("-")[0]
    assert written.parameters == sum(tensor.numel() for tensor in tensors.values())
    assert set(types.values()) == {"f32"}
    found = our_weights(tensors, config, written.architecture)
    assert {*found} == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        rows = found[name][: len(parameter)]  # the vocabulary has grown, and a table of positions
        assert torch.equal(rows, parameter), name
    for name in ("embedding", *([] if config.tied else ["head"])):
        mean = dict(model.named_parameters())[name].mean(0)
        torch.testing.assert_close(found[name][-1], mean)
    # what is left over is what llama.cpp wants and we do not have; it must not change what is computed
    for name, tensor in tensors.items():
        if name == "rope_freqs.weight":
            plain = rotary_frequencies(replace(config, rope_scaling="none"))
            torch.testing.assert_close(plain / tensor, rotary_frequencies(config))
        elif name == "position_embd.weight" and config.position == "sinusoidal":
            assert torch.equal(tensor, sinusoidal_positions(256, config.d_model))
        elif name.endswith("ffn_norm.weight"):
            assert torch.equal(tensor, torch.ones(config.d_model))
        else:
            assert not tensor.any(), name
    assert ("rope_freqs.weight" in types) == (config.rope_scaling == "llama3")
    assert ("output.weight" in types) != config.tied


def test_the_metadata_describes_the_model(tmp_path: Path) -> None:
    config = replace(BASE, n_kv_head=2, head_dim=16, d_ff=40, rope_theta=5000.0, **LINEAR)
    write(tmp_path / "x.gguf", random_model(config), "bf16")
    _, keys, _ = read(tmp_path / "x.gguf")
    expected = {
        "general.architecture": "qwen3", "general.name": "a test", "general.file_type": 32,
        "qwen3.context_length": 40, "qwen3.embedding_length": 32, "qwen3.block_count": 2, "qwen3.vocab_size": 24,
        "qwen3.feed_forward_length": 40, "qwen3.attention.head_count": 4, "qwen3.attention.head_count_kv": 2,
        "qwen3.attention.key_length": 16, "qwen3.attention.value_length": 16, "qwen3.rope.dimension_count": 16,
        "qwen3.rope.freq_base": 5000.0, "qwen3.rope.scaling.type": "linear", "qwen3.rope.scaling.factor": 2.5,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.merges": ["t o", "to k"],
        "tokenizer.ggml.tokens": [f"token {n}" for n in range(24)], "tokenizer.ggml.token_type": [1] * 24,
        "tokenizer.ggml.bos_token_id": 3, "tokenizer.ggml.eos_token_id": 23, "tokenizer.ggml.unknown_token_id": 5,
        "tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.suppress_tokens": [7],
    }  # fmt: skip
    assert {key: keys[key] for key in expected} == expected
    assert keys["qwen3.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    write(tmp_path / "y.gguf", random_model(GPT2))
    _, keys, _ = read(tmp_path / "y.gguf")
    assert keys["gpt2.attention.layer_norm_epsilon"] == pytest.approx(1e-5)
    assert keys["gpt2.context_length"] == 256  # llama.cpp reads up to here, so there must be something to read


def test_no_option_of_a_model_is_forgotten(tmp_path: Path) -> None:
    """Each option changes the file, is refused, or is one that only training uses."""
    changes: dict[str, Any] = {
        "vocab_size": 29, "context_length": 300, "n_layer": 3, "n_head": 2, "n_kv_head": 1, "d_model": 64,
        "head_dim": 16, "d_ff": 64, "position": "none", "rope_theta": 500.0, "rope_scaling": "linear",
        "rope_factor": 3.0, "rope_low_frequency_factor": 2.0, "rope_high_frequency_factor": 8.0,
        "rope_original_context": 64, "norm": "layer", "norm_position": "post", "norm_eps": 1e-3, "mlp": "relu2",
        "qk_norm": True, "tied": True, "bias": True, "qkv_bias": True,
    }  # fmt: skip
    for_training = {"attention_dropout", "residual_dropout", "embedding_dropout"}
    assert {field.name for field in fields(ModelConfig)} == changes.keys() | for_training
    base = replace(LLAMA, **LLAMA3)

    def content(config: ModelConfig) -> str:
        write(tmp_path / "x.gguf", random_model(config))
        tensors, keys, _ = read(tmp_path / "x.gguf")
        return repr((sorted(keys.items()), {name: tensor.tolist() for name, tensor in tensors.items()}))

    before, refused = content(base), set[str]()
    for name, value in changes.items():
        try:
            assert content(replace(base, **{name: value})) != before, name
        except (NoCounterpart, ConfigError):
            refused.add(name)
    assert refused == {"position", "norm", "norm_position", "qk_norm"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (replace(GPT2, norm_position="post"), "norms after the residual sum"),
        (replace(BASE, norm_position="post"), "norms after the residual sum"),
        (replace(GPT2, mlp="relu"), "a relu MLP and learned positions"),
        (replace(GPT2, mlp="swiglu"), "a swiglu MLP and learned positions"),
        (replace(GPT2, norm="rms", position="none"), "RMSNorm and no positions"),
        (replace(GPT2, qk_norm=True, position="sinusoidal"), "QK-norm and sinusoidal positions"),
        (replace(GPT2, head_dim=16), "heads wider or narrower"),
        (replace(BASE, norm="layer"), "LayerNorm and rotary positions"),
        (replace(LLAMA, mlp="gelu"), "a gelu MLP and rotary positions"),
        (replace(BASE, mlp="relu2"), "QK-norm and a relu2 MLP"),
        (replace(LLAMA, mlp="relu2", bias=True), "a relu2 MLP and biases"),
        (replace(BASE, bias=True), "QK-norm and biases"),
        (replace(BASE, **LLAMA3), "QK-norm and llama3 rope_scaling"),
    ],
)
def test_what_llama_cpp_cannot_compute_is_refused_by_name(config: ModelConfig, words: str, tmp_path: Path) -> None:
    with pytest.raises(NoCounterpart, match=re.escape(words)):
        write(tmp_path / "x.gguf", random_model(config))
    assert not (tmp_path / "x.gguf").exists()


def test_every_combination_is_refused_or_has_a_place_for_all_its_weights() -> None:
    """And so has every preset."""
    choices = itertools.product(
        ("learned", "sinusoidal", "rope", "none"), ("layer", "rms"), ("pre", "post"),
        ("gelu", "gelu_tanh", "relu", "relu2", "swiglu", "none"), *[(False, True)] * 4, (0, 2), (0, 16),
    )  # fmt: skip
    names = ("position", "norm", "norm_position", "mlp", "qk_norm", "bias", "qkv_bias", "tied", "n_kv_head", "head_dim")
    configs = [replace(BASE, n_layer=1, **dict(zip(names, choice, strict=True))) for choice in choices]
    configs += [replace(recipe.model, vocab_size=29, n_layer=1) for recipe in PRESETS.values()]
    kinds = set[str]()
    for config in configs:
        try:
            kinds.add(kind := architecture(config))
        except NoCounterpart:
            continue
        weights = dict(GPT(config, device="meta").named_parameters())
        layout = parts(config, weights)  # raises NoCounterpart for a weight without a place
        held = sum(torch.Size(part.shape).numel() for part in layout)
        assert held >= parameter_count(config), (kind, config)
    assert kinds == {"gpt2", "llama", "qwen2", "qwen3", "arcee"}


@pytest.mark.parametrize(("dtype", "tolerance"), [("f16", 1e-3), ("bf16", 8e-3), ("q8_0", 1e-2)])
def test_matrices_have_the_type_and_the_rest_stays_exact(dtype: GgufType, tolerance: float, tmp_path: Path) -> None:
    model = random_model(replace(GPT2, bias=True))
    seen: list[float] = []
    written = write(tmp_path / "x.gguf", model, dtype, progress=seen.append)
    tensors, _, types = read(tmp_path / "x.gguf")
    exact = {name for name in types if "norm" in name or name.endswith("bias") or name.startswith("position")}
    assert {name for name, kind in types.items() if kind == "f32"} == exact
    assert {types[name] for name in types.keys() - exact} == {dtype}
    found = our_weights(tensors, model.config, "gpt2")
    for name, parameter in model.named_parameters():
        difference = (found[name][: len(parameter)] - parameter).abs().max()
        assert difference <= tolerance * parameter.abs().max(), name
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert any("GELU" in notice for notice in written.notices)
    assert any("40 learned positions" in notice for notice in written.notices)


def test_rows_that_q8_0_cannot_hold_are_f16_and_named(tmp_path: Path) -> None:
    written = write(tmp_path / "x.gguf", random_model(replace(BASE, d_model=48, d_ff=40)), "q8_0")
    _, _, types = read(tmp_path / "x.gguf")
    assert {types[name] for name in types if not name.endswith("norm.weight")} == {"f16"}
    (notice,) = written.notices
    assert "token_embd.weight" in notice
    assert notice.endswith("more")
    write(tmp_path / "y.gguf", random_model(replace(BASE, d_ff=40)), "q8_0")
    _, _, types = read(tmp_path / "y.gguf")
    assert {name for name, kind in types.items() if kind == "f16"} == {f"blk.{n}.ffn_down.weight" for n in range(2)}


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = random_model(BASE)
    dict(model.named_parameters())["blocks.1.mlp.down.weight"].data[3, 4] = 1e6
    with pytest.raises(UserError, match=r"blk\.1\.ffn_down\.weight holds values that f16 cannot"):
        write(tmp_path / "x.gguf", model, "f16")
    write(tmp_path / "x.gguf", model, "bf16")
    model.embedding.data[0, 0] = float("nan")
    with pytest.raises(UserError, match=r"token_embd\.weight holds NaN"):
        write(tmp_path / "x.gguf", model)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"package numpy.*pip install 'minigpt-tui\[gguf\]'"):
        write(tmp_path / "x.gguf", random_model(BASE))
