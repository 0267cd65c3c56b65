"""Reads nanoGPT's `ckpt.pt`, and the `meta.pkl` of its character data sets. Light: no torch here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...data.storage.errors import UserError
from ...data.storage.plain_files import read_plain
from ...data.storage.printable import printable
from ..config import ConfigError, ModelConfig, parameter_count
from .inert_pickle import Call, read_pickle
from .torch_archive import ITEM_SIZES, StoredTensor, TorchArchive, listed, open_archive

_PREFIXES = re.compile(r"(?:_orig_mod\.|module\.)*")  # added to names by torch.compile and DistributedDataParallel
_MASK = re.compile(r"transformer\.h\.\d+\.attn\.(?:masked_)?bias")  # a buffer with the causal mask
_SIZES = {"vocab_size": "vocab_size", "block_size": "context_length", "n_layer": "n_layer", "n_head": "n_head",
          "n_embd": "d_model"}  # fmt: skip
_BLOCK = ModelConfig(position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False)
_DATASET = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_MAX_META_SIZE = 1 << 23  # bytes: enough for all of Unicode


@dataclass(frozen=True)
class NanoGpt:
    """A checkpoint that nanoGPT's train.py wrote. The validation loss is its estimate, in nats per token."""

    path: Path
    config: ModelConfig
    step: int
    validation_loss: float | None
    dataset: str | None  # the folder in nanoGPT's data/ that it was trained on
    tensors: Mapping[str, StoredTensor]


def read_nanogpt(path: Path) -> NanoGpt:
    """What the checkpoint holds, without its weights. Raises UserError."""
    with open_archive(path) as archive:
        return _checkpoint(path, archive, archive.description())


def find_meta(checkpoint: NanoGpt) -> Path | None:
    """The meta.pkl with the characters of a checkpoint: beside it, or in nanoGPT's data folder."""
    folder = checkpoint.path.absolute().parent
    places = [folder / "meta.pkl"]
    if checkpoint.dataset:
        places += [above / "data" / checkpoint.dataset / "meta.pkl" for above in (folder, *folder.parents)]
    return next((place for place in places if place.is_file()), None)


def read_alphabet(path: Path) -> str:
    """The characters in nanoGPT's meta.pkl, in the order of their ids. Raises UserError."""
    try:
        if path.stat().st_size > _MAX_META_SIZE:
            raise UserError(f"{path} is too large to be a list of characters; use another one")
        meta = read_pickle(read_plain(path), path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    if not isinstance(meta, dict) or not isinstance(meta.get("itos"), dict) or not isinstance(meta.get("stoi"), dict):
        raise UserError(f"{path} lacks itos and stoi, the characters of nanoGPT's data; {_found(meta)}")
    itos: dict[Any, Any] = meta["itos"]
    characters = [itos.get(token) for token in range(len(itos))]
    if not characters or any(not isinstance(character, str) or len(character) != 1 for character in characters):
        raise UserError(f"{path} does not number single characters from 0 on; use the one that nanoGPT prepared")
    agrees = meta["stoi"] == {character: token for token, character in enumerate(characters)}
    if not agrees or meta.get("vocab_size", len(characters)) != len(characters):
        raise UserError(f"{path} contradicts itself (vocab_size, itos and stoi differ); use another one")
    return "".join(map(str, characters))


def _checkpoint(path: Path, archive: TorchArchive, content: Any) -> NanoGpt:
    if not isinstance(content, dict) or not isinstance(content.get("model_args"), dict):
        raise UserError(
            f"{path} is no checkpoint of nanoGPT's (it has no model_args); {_found(content)}; make a Hugging Face "
            "folder of that model with the program that wrote it, and open that"
        )
    if {"dim", "n_layers", "n_heads"} <= content["model_args"].keys():
        raise UserError(
            f"{path} is a checkpoint of llama2.c's; make a Hugging Face folder of it with its export.py and --version "
            "-1, save that as safetensors with transformers' save_pretrained, and open it"
        )
    model, settings = content.get("model"), content.get("config")
    if not isinstance(model, dict):
        raise UserError(f"{path} has no weights; {_found(content)}")
    tensors: dict[str, StoredTensor] = {}
    for name, value in model.items():
        if isinstance(name, str) and not _MASK.fullmatch(name := _PREFIXES.sub("", name, count=1)):
            tensors[name] = archive.tensor(name, value)
    if tensors.get("lm_head.weight") == tensors.get("transformer.wte.weight"):
        tensors.pop("lm_head.weight", None)  # one tensor under two names
    config = _config(path, content["model_args"], tensors)
    storages = {tensor.start: tensor for tensor in tensors.values()}.values()
    if sum(tensor.n_items * ITEM_SIZES[tensor.dtype] for tensor in storages) > archive.size:
        raise UserError(f"{path} holds parts that overlap; use the file that torch wrote")
    if parameter_count(config) > sum(tensor.n_items for tensor in storages):
        raise UserError(
            f"{path} has fewer weights than the {parameter_count(config):,} that its model_args ask for; use another "
            "checkpoint"
        )
    dataset = settings.get("dataset") if isinstance(settings, dict) else None
    if not isinstance(dataset, str) or not _DATASET.fullmatch(dataset):
        dataset = None
    step, loss = content.get("iter_num"), content.get("best_val_loss")
    if isinstance(loss, Call):
        loss = archive.number(archive.tensor("best_val_loss", loss))
    return NanoGpt(
        path,
        config,
        step if type(step) is int and step >= 0 else 0,
        float(loss) if isinstance(loss, (int, float)) and math.isfinite(loss) else None,
        dataset,
        tensors,
    )


def _config(path: Path, arguments: dict[Any, Any], tensors: Mapping[str, StoredTensor]) -> ModelConfig:
    """The model of nanoGPT's model.py: learned positions, pre-LayerNorm, exact GELU, a tied head."""
    sizes: dict[str, int] = {}
    for theirs, ours in _SIZES.items():
        value = arguments.get(theirs)
        if type(value) is not int:
            raise UserError(f"{path} does not say its {theirs} in model_args; use another checkpoint")
        sizes[ours] = value
    dropout = arguments.get("dropout", 0.0)
    if not isinstance(dropout, (int, float)):
        raise UserError(f"{path} has a dropout in model_args that is no number; use another checkpoint")
    try:
        if sizes["vocab_size"] < 1:
            raise ConfigError(f"vocab_size is {sizes['vocab_size']}")
        return replace(
            _BLOCK,
            **sizes,
            tied="lm_head.weight" not in tensors,
            bias="transformer.ln_f.bias" in tensors,
            attention_dropout=dropout,
            residual_dropout=dropout,
            embedding_dropout=dropout,
        )
    except ConfigError as error:
        raise UserError(f"{path} describes a model that cannot be built ({error}); use another one") from None


def _found(content: Any) -> str:
    """A description of a foreign object, for the end of a sentence."""
    if isinstance(content, dict):
        return listed("its keys are", [key for key in content if isinstance(key, str)])
    kind = content.function if isinstance(content, Call) else type(content).__name__
    return f"it holds a {printable(str(kind))}"
