"""A foreign config.json means what it means to transformers; what cannot be computed here is refused by name."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from minigpt_tui.models.config import ConfigError, ModelConfig, parameter_count
from minigpt_tui.models.interop.foreign_config import ForeignType, read_foreign_config, read_foreign_model

GPT2 = {
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new", "attn_pdrop": 0.1,
    "embd_pdrop": 0.1, "resid_pdrop": 0.1, "bos_token_id": 50256, "eos_token_id": 50256, "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05, "n_ctx": 1024, "n_positions": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12,
    "summary_type": "cls_index", "task_specific_params": {"text-generation": {"max_length": 50}}, "vocab_size": 50257,
}  # fmt: skip
SMOL = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.041,
    "intermediate_size": 1536, "is_llama_config": True, "max_position_embeddings": 8192, "mlp_bias": False,
    "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_interleaved": False, "rope_scaling": None, "rope_theta": 100000,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.40.1", "use_cache": True,
    "vocab_size": 49152,
}  # fmt: skip
LLAMA32 = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "bos_token_id": 128000, "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
    "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": False, "num_attention_heads": 32,
    "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "vocab_size": 128256,
}  # fmt: skip
QWEN25 = {
    "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
    "hidden_act": "silu", "hidden_size": 896, "intermediate_size": 4864, "max_position_embeddings": 32768,
    "max_window_layers": 24, "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True,
    "use_mrope": False, "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
QWEN3 = {
    "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072,
    "max_position_embeddings": 40960, "max_window_layers": 28, "num_attention_heads": 16, "num_hidden_layers": 28,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000,
    "sliding_window": None, "tie_word_embeddings": True, "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
MODELS: dict[str, tuple[dict[str, Any], int]] = {
    "gpt2": (GPT2, 124_439_808),
    "gpt2-medium": (GPT2 | {"n_embd": 1024, "n_head": 16, "n_layer": 24}, 354_823_168),
    "gpt2-large": (GPT2 | {"n_embd": 1280, "n_head": 20, "n_layer": 36}, 774_030_080),
    "gpt2-xl": (GPT2 | {"n_embd": 1600, "n_head": 25, "n_layer": 48}, 1_557_611_200),
    "SmolLM2-135M": (SMOL, 134_515_008),
    "SmolLM2-360M": (
        SMOL | {"hidden_size": 960, "intermediate_size": 2560, "num_attention_heads": 15, "num_hidden_layers": 32,
                "num_key_value_heads": 5},
        361_821_120,
    ),
    "SmolLM2-1.7B": (
        SMOL | {"hidden_size": 2048, "intermediate_size": 8192, "num_attention_heads": 32, "num_hidden_layers": 24,
                "num_key_value_heads": 32, "rope_theta": 130000},
        1_711_376_384,
    ),
    "Llama-3.2-1B": (LLAMA32, 1_235_814_400),
    "Qwen2.5-0.5B": (QWEN25, 494_032_768),
    "Qwen3-0.6B": (QWEN3, 596_049_920),
}  # fmt: skip


def write(folder: Path, values: Any) -> Path:
    (folder / "config.json").write_text(values if isinstance(values, str) else json.dumps(values))
    return folder


def refused(folder: Path, values: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read_foreign_config(write(folder, values))
    message = str(caught.value)
    assert str(folder / "config.json") in message
    assert message.isprintable()
    assert len(message) < 800
    return message


@pytest.mark.parametrize("name", MODELS)
def test_known_models_have_their_known_sizes(name, tmp_path):
    values, parameters = MODELS[name]
    assert parameter_count(read_foreign_config(write(tmp_path, values))) == parameters


def test_every_option_arrives(tmp_path):
    assert read_foreign_config(write(tmp_path, GPT2)) == ModelConfig(
        vocab_size=50257, context_length=1024, n_layer=12, n_head=12, d_model=768, d_ff=3072, position="learned",
        norm="layer", norm_eps=1e-5, mlp="gelu_tanh", qk_norm=False, tied=True, bias=True,
        attention_dropout=0.1, residual_dropout=0.1, embedding_dropout=0.1,
    )  # fmt: skip
    assert read_foreign_config(write(tmp_path, LLAMA32)) == ModelConfig(
        vocab_size=128256, context_length=131072, n_layer=16, n_head=32, n_kv_head=8, d_model=2048,
        d_ff=8192, rope_theta=5e5, rope_scaling="llama3", rope_factor=32.0, rope_low_frequency_factor=1.0,
        rope_high_frequency_factor=4.0, rope_original_context=8192, norm_eps=1e-5, qk_norm=False, tied=True,
    )  # fmt: skip
    qwen2, qwen3 = read_foreign_config(write(tmp_path, QWEN25)), read_foreign_config(write(tmp_path, QWEN3))
    assert (qwen2.qkv_bias, qwen2.bias, qwen2.qk_norm, qwen2.rope_theta) == (True, False, False, 1e6)
    assert (qwen3.qkv_bias, qwen3.bias, qwen3.qk_norm, qwen3.size_per_head) == (False, False, True, 128)


@pytest.mark.parametrize("kind", get_args(ForeignType))
def test_what_a_file_leaves_out_means_what_it_means_in_transformers(kind, tmp_path):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoConfig.for_model(kind).to_dict()
    assert read_foreign_config(write(tmp_path, {"model_type": kind})) == read_foreign_config(write(tmp_path, theirs))
    config = read_foreign_config(tmp_path)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(kind))
    assert parameter_count(config) == model.num_parameters()


@pytest.mark.parametrize("scaling", ["rope_scaling", "rope_parameters"])
def test_both_words_for_stretched_positions_are_read(scaling, tmp_path):
    plain = {name: value for name, value in LLAMA32.items() if not name.startswith("rope")}
    linear = {"type": "linear", "factor": 4, "rope_theta": 77.0}
    config = read_foreign_config(write(tmp_path, plain | {scaling: linear}))
    assert (config.rope_scaling, config.rope_factor, config.rope_theta) == ("linear", 4.0, 77.0)
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = read_foreign_config(write(tmp_path, plain | {"rope_theta": 9, scaling: llama3}))
    assert (config.rope_scaling, config.rope_original_context, config.rope_theta) == ("llama3", 131072, 9.0)


@pytest.mark.parametrize(
    ("base", "biases", "expected"),
    [
        (SMOL, {"attention_bias": True}, (True, ("mlp",))),
        (SMOL, {"mlp_bias": True}, (True, ("self_attn",))),
        (SMOL, {"attention_bias": True, "mlp_bias": True}, (True, ())),
        (SMOL, {}, (False, ())),
        (QWEN3, {"attention_bias": True}, (True, ("mlp",))),
        (QWEN3, {"mlp_bias": True}, (False, ())),  # which transformers ignores there
        (QWEN25, {"attention_bias": False}, (False, ())),
        (GPT2, {}, (True, ())),
    ],
)
def test_biases_of_one_kind_of_layer_alone(base, biases, expected, tmp_path):
    model = read_foreign_model(write(tmp_path, base | biases))
    assert (model.config.bias, model.unbiased) == expected


@pytest.mark.parametrize(
    ("base", "change", "named"),
    [
        (SMOL, {"model_type": "bert"}, "says model_type 'bert'; the types known here are gpt2, openai-gpt, llama"),
        (SMOL, {"model_type": None}, "says no model_type"),
        (SMOL, {"model_type": ["llama"]}, "says model_type ['llama']"),
        (SMOL, {"model_type": "x" * 10_000}, "says model_type 'xxx"),
        (SMOL, {"model_type": "[bold]\x1b[31m\n"}, "says model_type '[bold]"),
        (SMOL, {"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_type is 'yarn'"),
        (SMOL, {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}, "rope_type is 'dynamic'"),
        (SMOL, {"rope_parameters": {"rope_type": "longrope"}}, "rope_type is 'longrope'"),
        (SMOL, {"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}, "rope_parameters is {'full_attention'"),
        (SMOL, {"rope_scaling": {"type": "linear"}}, "rope_scaling lacks what would be rope_factor"),
        (SMOL, {"rope_scaling": {"type": "llama3", "factor": 8.0}}, "rope_scaling lacks"),
        (SMOL, {"rope_scaling": {"type": "linear", "factor": -1.0}}, "rope_factor is -1.0"),
        (SMOL, {"rope_scaling": "linear"}, "rope_scaling: an object is needed"),
        (SMOL, {"rope_theta": 0}, "rope_theta is 0.0"),
        (SMOL, {"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor is 0.5"),
        (SMOL, {"partial_rotary_factor": 0.25}, "partial_rotary_factor is 0.25"),
        (SMOL, {"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        (QWEN3, {"hidden_act": "relu2"}, "hidden_act is 'relu2'"),
        (SMOL | {"model_type": "arcee", "hidden_act": "relu2"}, {"hidden_act": "silu"}, "hidden_act is 'silu'"),
        (GPT2, {"activation_function": "silu"}, "activation_function is 'silu'"),
        (GPT2 | {"model_type": "openai-gpt"}, {"afn": "gelu_new"}, "afn is 'gelu_new'"),
        (GPT2, {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        (GPT2, {"scale_attn_weights": False}, "scale_attn_weights is False"),
        (GPT2, {"add_cross_attention": True}, "add_cross_attention is True"),
        (SMOL, {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping is 50.0"),
        (SMOL, {"final_logit_softcapping": 30.0}, "final_logit_softcapping is 30.0"),
        (SMOL, {"num_local_experts": 8}, "num_local_experts is 8"),
        (SMOL, {"quantization_config": {"quant_method": "gptq"}}, "quantization_config is {'quant_method': 'gptq'}"),
        (QWEN25, {"use_sliding_window": True, "max_window_layers": 21}, "sliding_window is 32768"),
        (QWEN3, {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types is ['full_attention', 'sli"),
        (SMOL, {"num_attention_heads": 0}, "n_head is 0"),
        (SMOL, {"num_attention_heads": 7}, "not divisible by n_head 7"),
        (SMOL, {"num_key_value_heads": 2}, "not divisible by n_kv_head 2"),
        (SMOL, {"num_key_value_heads": 0}, "num_key_value_heads is 0"),
        (SMOL, {"vocab_size": 0}, "vocab_size is 0"),
        (SMOL, {"vocab_size": -5}, "vocab_size is -5"),
        (SMOL, {"vocab_size": 10**30}, "vocab_size: the number is too large"),
        (SMOL, {"hidden_size": -576}, "d_model is -576"),
        (SMOL, {"hidden_size": "576"}, "hidden_size: int is needed, found str '576'"),
        (SMOL, {"hidden_size": 576.0}, "hidden_size: int is needed"),
        (SMOL, {"hidden_size": True}, "hidden_size: int is needed"),
        (SMOL, {"hidden_size": None}, "hidden_size: int is needed, found null"),
        (SMOL, {"intermediate_size": 10**12}, "d_ff is 1000000000000"),
        (SMOL, {"num_hidden_layers": 10**9}, "n_layer is 1000000000"),
        (SMOL, {"max_position_embeddings": 10**9}, "context_length is 1000000000"),
        (SMOL, {"head_dim": 33}, "even head width, not 33"),
        (SMOL, {"rms_norm_eps": math.nan}, "norm_eps is nan"),
        (SMOL, {"rms_norm_eps": 10**400}, "rms_norm_eps: the number is too large"),
        (SMOL, {"rms_norm_eps": "__import__('os')"}, "rms_norm_eps: float is needed"),
        (SMOL, {"tie_word_embeddings": 1}, "tie_word_embeddings: bool is needed"),
        (SMOL, {"attention_dropout": 1.5}, "attention_dropout is 1.5"),
        (GPT2, {"n_inner": 0}, "n_inner is 0"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name_and_value(base, change, named, tmp_path):
    read_foreign_config(write(tmp_path, base))
    assert named in refused(tmp_path, base | change)


@pytest.mark.parametrize(
    ("base", "change"),
    [
        (QWEN25, {"use_sliding_window": True, "max_window_layers": 24}),
        (QWEN25, {"layer_types": ["full_attention"] * 24}),
        (SMOL, {"sliding_window": 4096}),
        (SMOL, {"partial_rotary_factor": 1.0, "num_experts": 0, "rope_scaling": {}}),
        (SMOL, {"rope_parameters": {"rope_type": "default", "rope_theta": 1e5}}),
        (SMOL, {"dtype": "float16", "torch_dtype": "nonsense", "auto_map": {}, "newer_field": [1]}),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_let_through(base, change, tmp_path):
    expected = read_foreign_config(write(tmp_path, base))
    assert read_foreign_config(write(tmp_path, base | change)) == expected


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", "\x00", "[" * 100_000, '{"a":' * 100_000, "9" * 5000, '"\ud800']
)
def test_what_is_no_configuration_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError, match=r"config\.json is damaged"):
        read_foreign_config(tmp_path)


def test_a_file_that_is_not_there_or_not_a_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json is missing"):
        read_foreign_config(tmp_path)
    with pytest.raises(ConfigError, match=r"config\.json is missing"):
        read_foreign_config(tmp_path / "nowhere")
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ConfigError, match=r"config\.json is no plain file"):
        read_foreign_config(tmp_path)


def test_an_endless_file_is_refused(tmp_path):
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match="too large"):
        read_foreign_config(tmp_path)


def test_reading_it_loads_no_torch():
    program = "import minigpt_tui.models.interop.foreign_config, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert not {"torch", "numpy", "safetensors"} & set(result.stdout.split())


def test_a_file_that_an_editor_of_windows_has_saved_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(QWEN3).encode())
    marked = read_foreign_config(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(QWEN3))
    assert read_foreign_config(tmp_path) == marked
