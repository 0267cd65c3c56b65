"""Every field of transformers' configuration classes that the reader of config.json does not take itself.

A test holds these tables against the classes: a field is read, or refused here unless it has a value with which it
changes nothing, or listed with the reason why it cannot matter. Light: no torch here.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..config import ConfigError

REFUSED: dict[str, tuple[object, ...]] = {
    "scale_attn_weights": (True,), "scale_attn_by_inverse_layer_idx": (False,), "add_cross_attention": (False,),
    "is_encoder_decoder": (False,), "partial_rotary_factor": (1.0,), "attn_logit_softcapping": (),
    "final_logit_softcapping": (), "quantization_config": (), "compression_config": (), "quantization": (),
    "num_experts": (0,), "num_local_experts": (0,), "n_routed_experts": (0,), "is_causal": (True,),
    "pruned_heads": ({},), "per_layer_config": ({},), "cross_attention_hidden_size": (),
    "tie_encoder_decoder": (False,),
}  # fmt: skip
"""Fields that change the computation, and the values (beside null) with which they do not."""

QUANTIZED = ("quantization_config", "compression_config", "quantization")

NULL_MATTERS = ("is_causal",)  # transformers takes null for false

ALIASES: dict[str, str] = {
    "hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}  # fmt: skip
"""Of gpt2 and openai-gpt: names that transformers maps to others, in whose place they count where both are there."""

_NAMES = "describes the file or its maker"
_TRAINING = "matters when new weights are drawn"
_OUTPUT = "chooses what a call in Python returns"
_CLASSIFIER = "belongs to heads for other tasks, whose tensors are refused"
_PRECISION = "chooses the type of numbers; this program has --dtype"
_FAST = "chooses between ways to compute the same"
_SAMPLING = "a default for sampling; here the settings of the reply say it"
_TOKENS = "read with the tokenizer, where a reply begins and ends"
_WINDOW = "read where the type has sliding windows; the others attend to everything"

IGNORED: dict[str, str] = {
    "model_type": "says which class reads the rest", "_name_or_path": _NAMES, "_commit_hash": _NAMES,
    "architectures": "the tensors themselves say which head they have", "transformers_version": _NAMES,
    "auto_map": "names code in the folder, which is never run", "task_specific_params": _SAMPLING,
    "finetuning_task": _NAMES, "tokenizer_class": "the files of the tokenizer say it", "prefix": _SAMPLING,
    "initializer_range": _TRAINING, "dtype": _PRECISION, "torch_dtype": _PRECISION, "use_bfloat16": _PRECISION,
    "reorder_and_upcast_attn": _PRECISION, "output_attentions": _OUTPUT, "_output_attentions": _OUTPUT,
    "output_hidden_states": _OUTPUT, "return_dict": _OUTPUT, "tie_last_hidden_states": _OUTPUT, "use_cache": _FAST,
    "chunk_size_feed_forward": _FAST, "pretraining_tp": _FAST, "torchscript": _FAST, "attn_implementation": _FAST,
    "_attn_implementation": _FAST, "_attn_implementation_internal": _FAST, "_experts_implementation": _FAST,
    "is_decoder": "these types are decoders either way", "n_ctx": "an old name that n_positions replaced",
    "id2label": _CLASSIFIER, "label2id": _CLASSIFIER, "num_labels": _CLASSIFIER, "problem_type": _CLASSIFIER,
    "summary_type": _CLASSIFIER, "summary_use_proj": _CLASSIFIER, "summary_activation": _CLASSIFIER,
    "summary_proj_to_labels": _CLASSIFIER, "summary_first_dropout": _CLASSIFIER, "tf_legacy_loss": _CLASSIFIER,
    "bos_token_id": _TOKENS, "eos_token_id": _TOKENS, "pad_token_id": "fills up batches; here no row is filled up",
    "sep_token_id": _TOKENS, "decoder_start_token_id": "belongs to models with an encoder",
    "layer_types": _WINDOW, "sliding_window": _WINDOW, "use_sliding_window": _WINDOW, "max_window_layers": _WINDOW,
} | dict.fromkeys(
    ("bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
     "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id",
     "length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams",
     "num_return_sequences", "output_scores", "remove_invalid_values", "repetition_penalty",
     "return_dict_in_generate", "suppress_tokens", "temperature", "top_k", "top_p", "typical_p"),
    _SAMPLING,
)  # fmt: skip
"""Fields that cannot change what the model computes from tokens, each with the reason."""


def refuse_fields(values: Mapping[str, object]) -> None:
    """Raise ConfigError, by name and value, for a field that changes the computation to one that is not done here."""
    for name, harmless in REFUSED.items():
        value = values.get(name)
        if name in values and not ((value is None and name not in NULL_MATTERS) or value in harmless):
            quantized = (
                "; its weights are quantized, the model that they were made from opens" if name in QUANTIZED else ""
            )
            raise ConfigError(f"{name} is {repr(value)[:80]}{quantized}")
