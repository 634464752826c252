"""LoRA (Hu et al. 2021): frozen weights W, and beside them a trained update (alpha / rank) B A.

A starts random and B at zero, so that training begins at the parent. Each adapter is split over
tensor-parallel ranks as its linear layer is: B by rows of a column-parallel layer, A by columns of
a row-parallel one. The other factor is whole on every rank, and its gradient is summed over them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel.layers import ColumnParallelLinear, RowParallelLinear
from megatron.core.tensor_parallel.mappings import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
    reduce_from_tensor_model_parallel_region,
    reduce_scatter_to_sequence_parallel_region,
)
from megatron.core.transformer.mlp import apply_swiglu_sharded_factory
from megatron.core.transformer.utils import make_sharded_tensors_for_checkpoint

from schemas.canonical import canonical_digest
from trainers.model.config import Lora
from trainers.model.families import whole_name

ADAPTED: Final = ("linear_qkv", "linear_proj", "linear_fc1", "linear_fc2")
DOWN, UP = "lora_down", "lora_up"


def is_adapter(name: str) -> bool:
    """Whether a parameter belongs to an adapter."""
    return DOWN in name or UP in name


def add_lora(model: Any, lora: Lora) -> None:
    """Freeze every weight and put adapters beside the linear layers of attention and feed-forward."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    offset = (model.decoder.layers[0].layer_number - 1) if len(model.decoder.layers) else 0
    for name, module in model.named_modules():
        kind = name.rsplit(".", 1)[-1]
        if kind in ADAPTED and isinstance(module, ColumnParallelLinear | RowParallelLinear):
            _adapt(module, whole_name(name + ".", offset), lora)


@contextmanager
def base_alone(parts: Sequence[Any]) -> Iterator[None]:
    """Within, the model computes as if its adapters were not there: what it was before training."""
    layers = [one for part in parts for one in part.modules() if hasattr(one, "lora_scale")]
    scales = [layer.lora_scale for layer in layers]
    for layer in layers:
        layer.lora_scale = 0.0
    try:
        yield
    finally:
        for layer, scale in zip(layers, scales, strict=True):
            layer.lora_scale = scale


def _adapt(layer: Any, name: str, lora: Lora) -> None:
    out, inner = layer.weight.shape
    column = isinstance(layer, ColumnParallelLinear)
    whole_inner = inner if column else inner * parallel_state.get_tensor_model_parallel_world_size()
    stream = torch.Generator().manual_seed(int(canonical_digest(["lora", name])[:15], 16))
    drawn = torch.empty(lora.rank, whole_inner).normal_(0.0, 1.0 / math.sqrt(whole_inner), generator=stream)
    if not column:
        drawn = drawn.chunk(whole_inner // inner, 1)[parallel_state.get_tensor_model_parallel_rank()]
    where = {"dtype": layer.weight.dtype, "device": layer.weight.device}
    down = torch.nn.Parameter(drawn.to(**where).contiguous())
    up = torch.nn.Parameter(torch.zeros(out, lora.rank, **where))
    split = up if column else down
    split.tensor_model_parallel, split.partition_dim, split.partition_stride = True, 0 if column else 1, 1  # type: ignore[attr-defined]
    layer.register_parameter(DOWN, down)
    layer.register_parameter(UP, up)
    layer.lora_scale = lora.alpha / lora.rank
    plain_forward, plain_state = layer.forward, layer.sharded_state_dict
    update = _column_update if column else _row_update
    layer.forward = lambda x, *args, **more: _added(plain_forward(x, *args, **more), update(layer, x))

    def state(prefix: str = "", sharded_offsets: Any = (), metadata: Any = None) -> dict[str, Any]:
        adapters = make_sharded_tensors_for_checkpoint(
            {DOWN: layer.lora_down, UP: layer.lora_up}, prefix, {UP: 0} if column else {DOWN: 1}, sharded_offsets
        )
        if "linear_fc1" in name:  # its rows are gate and up, each split over ranks
            adapters[prefix + UP] = apply_swiglu_sharded_factory(adapters[prefix + UP], sharded_offsets)
        return {**plain_state(prefix, sharded_offsets, metadata), **adapters}

    layer.sharded_state_dict = state


def _added(told: tuple[torch.Tensor, Any], update: torch.Tensor) -> tuple[torch.Tensor, Any]:
    return told[0] + update, told[1]


def _column_update(layer: Any, x: torch.Tensor) -> torch.Tensor:
    if layer.config.sequence_parallel:
        x = gather_from_sequence_parallel_region(x)
    else:
        x = copy_to_tensor_model_parallel_region(x)
    down = copy_to_tensor_model_parallel_region(layer.lora_down)  # backward sums over ranks
    return (x @ down.t()) @ layer.lora_up.t() * layer.lora_scale


def _row_update(layer: Any, x: torch.Tensor) -> torch.Tensor:
    narrow = x @ layer.lora_down.t()
    up = layer.lora_up
    if layer.config.sequence_parallel:
        narrow = reduce_scatter_to_sequence_parallel_region(narrow)
        up = copy_to_tensor_model_parallel_region(up)
    else:
        narrow = reduce_from_tensor_model_parallel_region(narrow)
    return narrow @ up.t() * layer.lora_scale
