"""Each field of transformers' configuration classes is read, refused by name, or listed because it cannot matter."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.models.interop.foreign_config import FIELDS, ForeignType, read_foreign_config
from minigpt_tui.models.interop.foreign_fields import ALIASES, IGNORED, REFUSED
from minigpt_tui.models.interop.huggingface import CheckpointError, load_checkpoint

from .test_foreign_weights import change_config, logits, their_model, tokens

transformers = pytest.importorskip("transformers")

CASES = ("gpt2", "openai-gpt", "llama", "qwen2", "qwen3", "arcee")
OTHERWISE: dict[str, Any] = {
    "reorder_and_upcast_attn": True, "use_cache": False, "chunk_size_feed_forward": 8, "pretraining_tp": 2,
    "initializer_range": 0.5, "is_decoder": True, "n_ctx": 7, "summary_type": "mean", "summary_use_proj": False,
    "summary_activation": "tanh", "summary_proj_to_labels": False, "summary_first_dropout": 0.9, "num_labels": 5,
    "temperature": 0.3, "top_k": 2, "repetition_penalty": 3.0, "suppress_tokens": [1, 2], "tokenizer_class": "Nothing",
    "problem_type": "regression", "bos_token_id": 3, "eos_token_id": 4, "pad_token_id": None, "prefix": "x",
    "tf_legacy_loss": True, "torchscript": False, "use_bfloat16": True, "tie_last_hidden_states": False,
}  # fmt: skip


COMMON_IN_4_57 = """
    _attn_implementation _commit_hash _name_or_path add_cross_attention architectures attn_implementation bad_words_ids
    begin_suppress_tokens bos_token_id chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id
    diversity_penalty do_sample dtype early_stopping encoder_no_repeat_ngram_size eos_token_id
    exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id id2label initializer_range
    is_decoder is_encoder_decoder label2id length_penalty max_length min_length model_type no_repeat_ngram_size
    num_beam_groups num_beams num_labels num_return_sequences output_attentions output_hidden_states output_scores
    pad_token_id prefix problem_type pruned_heads quantization_config remove_invalid_values repetition_penalty
    return_dict return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss
    tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript transformers_version
    typical_p use_bfloat16 vocab_size
"""
GPT_IN_4_57 = """
    attn_pdrop embd_pdrop hidden_size layer_norm_epsilon max_position_embeddings n_embd n_head n_layer n_positions
    num_attention_heads num_hidden_layers resid_pdrop summary_activation summary_first_dropout summary_proj_to_labels
    summary_type summary_use_proj
"""
LLAMA_IN_4_57 = """
    attention_dropout head_dim hidden_act hidden_size intermediate_size max_position_embeddings num_attention_heads
    num_hidden_layers num_key_value_heads rms_norm_eps rope_scaling rope_theta use_cache
"""
WINDOWS_IN_4_57 = "layer_types max_window_layers sliding_window use_sliding_window"
IN_4_57: dict[ForeignType, str] = {
    "gpt2": GPT_IN_4_57 + "activation_function n_inner reorder_and_upcast_attn scale_attn_by_inverse_layer_idx "
    "scale_attn_weights use_cache",
    "openai-gpt": GPT_IN_4_57 + "afn",
    "llama": LLAMA_IN_4_57 + "attention_bias mlp_bias pretraining_tp",
    "arcee": LLAMA_IN_4_57 + "attention_bias mlp_bias",
    "qwen2": LLAMA_IN_4_57 + WINDOWS_IN_4_57,
    "qwen3": LLAMA_IN_4_57 + WINDOWS_IN_4_57 + " attention_bias",
}
"""The fields of version 4.57's classes, which are not installed beside those of version 5."""


def answered(kind: ForeignType) -> set[str]:
    """The fields that are read, refused by name, or listed with the reason why they cannot matter."""
    read = {field.name for field in dataclasses.fields(FIELDS[kind])} | {"rope_parameters", "rope_scaling"}
    aliases = ALIASES.keys() if kind in ("gpt2", "openai-gpt") else set[str]()
    return read | aliases | REFUSED.keys() | IGNORED.keys()


@pytest.mark.parametrize("kind", FIELDS)
def test_no_field_of_version_4_57_is_left_without_an_answer(kind):
    assert {*COMMON_IN_4_57.split(), *IN_4_57[kind].split()} <= answered(kind)
    assert all(reason.strip() for reason in IGNORED.values())


@pytest.mark.parametrize("kind", FIELDS)
def test_no_field_is_left_without_an_answer(kind):
    config = transformers.AutoConfig.for_model(kind)
    aliases: dict[str, str] = config.attribute_map
    theirs = {*config.to_dict(), *aliases}
    if dataclasses.is_dataclass(config):
        theirs |= {field.name for field in dataclasses.fields(config)}
    assert aliases in ({}, ALIASES)
    assert theirs <= answered(kind)
    assert not REFUSED.keys() & IGNORED.keys()


@pytest.mark.parametrize("kind", CASES)
def test_what_is_listed_does_not_change_a_logit_there(kind, tmp_path):
    assert OTHERWISE.keys() <= IGNORED.keys()
    model = their_model(kind)
    model.save_pretrained(tmp_path)
    change_config(tmp_path, **OTHERWISE)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(logits(theirs, tokens()), logits(model, tokens()), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        logits(load_checkpoint(tmp_path).model, tokens()), logits(model, tokens()), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("kind", ["gpt2", "openai-gpt"])
@pytest.mark.parametrize("both", [False, True])
def test_the_common_names_count_as_they_do_in_transformers(kind, both, tmp_path):
    their_model(kind).save_pretrained(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    values["num_attention_heads"] = 2
    if not both:
        del values["n_head"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    model = load_checkpoint(tmp_path).model
    assert model.config.n_head == theirs.config.n_head == 2
    torch.testing.assert_close(logits(model, tokens()), logits(theirs, tokens()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["rope_scaling", "rope_parameters"])
@pytest.mark.parametrize("kind", ["llama llama3", "qwen2 tied llama3"])
def test_an_original_context_outside_comes_before_the_one_inside(kind, name, tmp_path):
    their_model(kind).save_pretrained(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    values[name] = values.pop("rope_parameters")
    (tmp_path / "config.json").write_text(json.dumps(values | {"original_max_position_embeddings": 40}))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    model = load_checkpoint(tmp_path).model
    assert model.config.rope_original_context == 40
    torch.testing.assert_close(logits(model, tokens()), logits(theirs, tokens()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"is_causal": False},
        {"is_causal": None},  # which transformers takes for false
        {"pruned_heads": {"0": [1]}},
        {"per_layer_config": {"0": {"sliding_window": 4}}},
        {"quantization": {"bits": 4, "group_size": 64}},
        {"cross_attention_hidden_size": 8},
    ],
)
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_what_changes_the_attention_or_the_weights_is_refused(kind, change, tmp_path):
    their_model(kind).save_pretrained(tmp_path)
    change_config(tmp_path, **change)
    ((name, value),) = change.items()
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path)
    assert f"{name} is {value!r}" in str(caught.value)


@pytest.mark.parametrize(("kind", "tied"), [("gpt2", True), ("llama", False)])
def test_null_does_not_tie_the_output_layer(kind, tied, tmp_path):
    folder = Path(tmp_path)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    assert read_foreign_config(folder).tied is tied
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "tie_word_embeddings": None}))
    assert not read_foreign_config(folder).tied
