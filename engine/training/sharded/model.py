"""A model that is sharded over the ranks of a group: each holds a part of the rows of every parameter.

FSDP2 of torch (`fully_shard`; Zhao et al., "PyTorch FSDP", 2023) gathers a block's parameters when a pass comes to it,
frees them after it, and reduce-scatters the gradients into shards. What lies outside the blocks (embedding, output
layer, last norm) is gathered for the whole of a pass.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from ....models.config import ModelConfig
from ....models.gpt import GPT, Block
from ..group import Group
from ..initial_weights import WholeWeights


def sharded_model(
    config: ModelConfig, group: Group, device: torch.device, dtype: torch.dtype, weights: WholeWeights | None
) -> GPT:
    """The model with the `weights` that rank 0 gives, of which each rank keeps its shards; a collective.

    Parameters are gathered, and multiplied, in `dtype`; gradients are summed, not averaged, in float32.
    """
    model = GPT(config, "meta", dtype)
    mesh = init_device_mesh(device.type, (group.size,))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for block in model.blocks:
        cast(Block, block).weights_stay = False
    for module in (*model.blocks, model):
        wrapped = cast(FSDPModule, fully_shard(module, mesh=mesh, mp_policy=policy))
        wrapped.set_gradient_divide_factor(1.0)
        wrapped.set_force_sum_reduction_for_comms(True)  # gloo knows no other
    own: dict[str, nn.Parameter] = {}
    with group.collective():
        for name, parameter in shards_of(model).items():
            whole = torch.empty(parameter.shape, device=device)
            if weights:
                whole.copy_(weights.read(name, parameter.shape))
            group.broadcast(whole)
            own[name] = nn.Parameter(own_shard(whole, parameter))
    model.load_state_dict(own, assign=True)
    return model.to(device)  # the tables of positions


def shards_of(model: GPT) -> dict[str, DTensor]:
    """The parameters by name, while none of them is gathered."""
    return cast(dict[str, DTensor], dict(model.named_parameters()))


def own_shard(whole: Tensor, like: DTensor) -> DTensor:
    """The own shard of a tensor that all ranks have, sharded as `like` is."""
    shard = distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)
    return as_shard(shard.to_local().clone(), like)  # a slice would keep the whole


def as_shard(local: Tensor, like: DTensor) -> DTensor:
    """A tensor with the shape of this rank's shard of `like`, as its shard of another tensor."""
    return DTensor.from_local(
        local, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )


def local_rows(parameter: Tensor) -> Tensor:
    """The own rows of a sharded parameter; the live tensor."""
    assert isinstance(parameter, DTensor)
    return parameter.to_local().detach()


def local_gradient(parameter: Tensor) -> Tensor:
    """The own rows of its gradient."""
    assert isinstance(parameter.grad, DTensor)
    return parameter.grad.to_local()
