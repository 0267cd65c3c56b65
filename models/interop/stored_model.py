"""A model in files of any format: its configuration and tensors, and how a GPT is built from them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..config import ModelConfig, parameter_count
from ..gpt import GPT
from ..tensor_file import CheckpointError
from .huggingface_layouts import Naming, Place, places

WEIGHT_TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_step(step: int) -> None:
    """Raise ValueError for a step that no training reaches."""
    if not 0 <= step < 2**63:
        raise ValueError(f"step cannot be {str(step)[:30]}")


@dataclass(frozen=True)
class StoredModel:
    """A configuration and its tensors, memory-mapped and not yet read.

    `path` is named in messages, `naming` is the naming scheme of the tensors. Step and validation loss (nats per token)
    are those of the weights, where the files have them. Tensors without a parameter in the model are refused unless
    the file is `padded` with constants that another program needs.
    """

    path: Path
    config: ModelConfig
    tensors: Mapping[str, Tensor]
    naming: Naming
    step: int = 0
    validation_loss: float | None = None
    padded: bool = False

    def build(self, device: torch.device | str, compute_dtype: torch.dtype, weight_dtype: torch.dtype | None) -> GPT:
        """The model in evaluation mode, its weights on `device`; float32 unless `weight_dtype` says otherwise.

        With `weight_dtype` the model is only for generation. Every name and shape is checked before memory is
        allocated; the peak is the model and one tensor. Raises CheckpointError for a tensor that is missing, that has
        another shape or no parameter in the model, or that holds NaN or infinity.
        """
        self.check()
        model = GPT(self.config, device="meta", compute_dtype=compute_dtype)
        weights = {name: self.read(name, device, weight_dtype or torch.float32) for name, _ in model.named_parameters()}
        model.load_state_dict(weights, assign=True)
        model.to(device)  # the position tables
        if weight_dtype is not None:
            model.requires_grad_(False)
        return model.eval()

    def check(self) -> None:
        """Raise CheckpointError for a tensor that is missing, has another shape or no parameter in the model."""
        where, shapes = self._places
        for name, place in where.items():
            self._check(name, place.of(torch.empty(shapes[place.parameter], device="meta")).shape)
        if sum(self.tensors[name].numel() for name in where) < parameter_count(self.config):
            raise CheckpointError(f"{self.path} names its tensors as {self.naming} does, which has no such model")
        if not self.padded and (surplus := sorted(self.tensors.keys() - where.keys())):
            raise CheckpointError(
                f"{self.path} holds what such a model does not have: {surplus[0][:80]!r}, {len(surplus)} tensors in "
                "all; use another model"
            )

    def read(self, parameter: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
        """One parameter of a checked model, by our name for it; each tensor is copied straight into its rows.

        Raises CheckpointError for a tensor that holds NaN or infinity.
        """
        where, shapes = self._places
        whole = torch.empty(shapes[parameter], dtype=dtype, device=device)
        for name, place in where.items():
            if place.parameter == parameter:
                self._check_values(name)
                place.of(whole).copy_(self.tensors[name])
        return whole

    def _check_values(self, name: str) -> None:
        # aminmax finds them in one pass without memory; isfinite() of the whole tensor takes several times as long
        if not torch.stack(self.tensors[name].aminmax()).isfinite().all():
            raise CheckpointError(
                f"{self.path} holds NaN or infinity in {name}: its training diverged, or it is damaged; use an earlier "
                "checkpoint, or another model"
            )

    @functools.cached_property
    def _places(self) -> tuple[dict[str, Place], dict[str, torch.Size]]:
        """The rows of our parameters that each tensor holds, and the shapes of our parameters."""
        model = GPT(self.config, device="meta")
        shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
        return places(self.config, shapes, self.naming), shapes

    def _check(self, name: str, shape: torch.Size) -> None:
        tensor = self.tensors.get(name)
        if tensor is None:
            raise CheckpointError(f"{self.path} lacks the tensor {name}; use another checkpoint")
        if tensor.dtype not in WEIGHT_TYPES:
            raise CheckpointError(
                f"{self.path} holds {name} quantized, as {str(tensor.dtype).removeprefix('torch.')}, and only float32, "
                "float16, bfloat16 and float64 are read here; use the model that it was quantized from"
            )
        if tensor.shape != shape:
            raise CheckpointError(
                f"{self.path} holds {name} as {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)} where "
                f"{list(shape)} is needed; use another checkpoint"
            )
