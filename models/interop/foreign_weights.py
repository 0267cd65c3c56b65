"""The weights of a foreign Hugging Face folder: memory-mapped from one safetensors file or several shards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...data.storage.typed_json import SchemaError, from_plain
from ..config import ConfigError
from ..tensor_file import CheckpointError, load_tensors
from .foreign_config import ForeignModel, read_foreign_model
from .foreign_folder import INDEX, WHOLE, file_within, read_json
from .stored_model import StoredModel

PICKLE = "pytorch_model.bin"
BUFFERS = re.compile(r"(?:.*\.)?(?:attn\.bias|attn\.masked_bias|rotary_emb\.inv_freq|position_ids)")  # not learned
HEAD = "lm_head.weight"


@dataclass(frozen=True)
class _Index:
    """model.safetensors.index.json: tensor name -> the file that holds it."""

    weight_map: dict[str, str]


def open_foreign(folder: Path) -> StoredModel:
    """The model in a foreign folder. Raises CheckpointError, in one sentence, for anything damaged or incomplete."""
    try:
        model = read_foreign_model(folder)
        tensors = _read_tensors(folder)
    except ConfigError as error:
        raise CheckpointError(str(error)) from None
    tensors = {name: tensor for name, tensor in _full_names(model, tensors).items() if not BUFFERS.fullmatch(name)}
    if model.config.tied:
        _tie(folder, _embedding(model), tensors)
    absent = _absent_biases(model)
    if unexpected := sorted(absent.keys() & tensors.keys()):
        raise CheckpointError(f"{folder} holds {unexpected[0]} although its config.json says that there are no biases")
    return StoredModel(folder, model.config, tensors | absent, model.model_type)


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors by their names in the files. Raises ConfigError or CheckpointError."""
    if not (folder / WHOLE).exists() and (folder / INDEX).exists():
        return _read_shards(folder)
    if not (folder / WHOLE).exists() and list(folder.glob("pytorch_model*.bin*")):
        raise CheckpointError(
            f"{folder} holds its weights as a pickle ({PICKLE}), which can run code and is never read; save the model "
            "as safetensors with transformers' save_pretrained and open that folder"
        )
    return load_tensors(file_within(folder, WHOLE))[0]


def _read_shards(folder: Path) -> dict[str, Tensor]:
    """The tensors of all shards. Raises CheckpointError where shards and index differ."""
    path = file_within(folder, INDEX)
    try:
        index = from_plain(_Index, read_json(path), INDEX).weight_map
    except SchemaError as error:
        raise CheckpointError(f"{path} is damaged ({str(error)[:300]}); use another model") from None
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(index.values())):
        for name, tensor in load_tensors(file_within(folder, shard))[0].items():
            if index.get(name) != shard:
                raise CheckpointError(f"{folder / shard} holds {name[:80]!r}, which {INDEX} does not place there")
            tensors[name] = tensor
    for name in index.keys() - tensors.keys():
        raise CheckpointError(f"{folder / index[name]} lacks {name[:80]!r}, which {INDEX} places there")
    return tensors


def _full_names(model: ForeignModel, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names with their prefix, which is missing where a base model was saved without its output layer."""
    prefix = "transformer." if model.model_type in ("gpt2", "openai-gpt") else "model."
    if any(name.startswith(prefix) for name in tensors):
        return tensors
    return {name if name == HEAD else prefix + name: tensor for name, tensor in tensors.items()}


def _embedding(model: ForeignModel) -> str:
    return {"gpt2": "transformer.wte.weight", "openai-gpt": "transformer.tokens_embed.weight"}.get(
        model.model_type, "model.embed_tokens.weight"
    )


def _tie(folder: Path, embedding: str, tensors: dict[str, Tensor]) -> None:
    """Keep the shared weight under the embedding's name; where the output layer is stored as well it must be equal."""
    head = tensors.pop(HEAD, None)
    if head is not None and not torch.equal(tensors.setdefault(embedding, head), head):
        raise CheckpointError(
            f"{folder} holds an {HEAD} other than {embedding} although its config.json ties them; if the output layer "
            'is meant to be its own, write "tie_word_embeddings": false there'
        )


def _absent_biases(model: ForeignModel) -> dict[str, Tensor]:
    """Zeros for the missing biases: our block has them everywhere or nowhere. Expanded views, which take no memory."""
    config, zero = model.config, torch.zeros(1)
    queries, keys = config.n_head * config.size_per_head, config.kv_heads * config.size_per_head
    gate = {"gate_proj": config.hidden_size} if config.mlp == "swiglu" else {}
    sizes = {
        "self_attn": {"q_proj": queries, "k_proj": keys, "v_proj": keys, "o_proj": config.d_model},
        "mlp": gate | {"up_proj": config.hidden_size, "down_proj": config.d_model},
    }
    return {
        f"model.layers.{layer}.{part}.{name}.bias": zero.expand(size)
        for layer in range(config.n_layer)
        for part in model.unbiased
        for name, size in sizes[part].items()
    }
