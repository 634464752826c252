"""Entropy of what a model would say at each learned place: how much is left for sampling to choose from."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import torch
from megatron.core import parallel_state
from torch.distributed import ReduceOp

from trainers.data.reader import Batch


def token_entropy(logits: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Entropy in nats at each place, shape (b, s), of logits (b, s, vocabulary / tensor-parallel size).

    Rows that pad the vocabulary have no part in it.
    """
    group = parallel_state.get_tensor_model_parallel_group()
    width = logits.shape[-1]
    columns = torch.arange(width, device=logits.device) + parallel_state.get_tensor_model_parallel_rank() * width
    values = logits.float().masked_fill(columns >= vocabulary, float("-inf"))
    top = values.amax(-1)
    torch.distributed.all_reduce(top, op=ReduceOp.MAX, group=group)
    shifted = values - top[..., None]
    weights = shifted.exp()
    sums = torch.stack([weights.sum(-1), (weights * shifted.nan_to_num(neginf=0.0)).sum(-1)])
    torch.distributed.all_reduce(sums, group=group)
    return sums[0].log() - sums[1] / sums[0]


def entropy_step(vocabulary: int, batches: Iterator[Batch], model: Any) -> tuple[torch.Tensor, Any]:
    """One micro-batch forward, for Megatron's schedules: entropies in the place of losses."""
    batch = {name: tensor.cuda(non_blocking=True) for name, tensor in next(batches).items()}
    output = model(batch["tokens"], batch["positions"], batch.get("sequences"))
    return output, functools.partial(_summed, batch, vocabulary)


def _summed(batch: Batch, vocabulary: int, output: torch.Tensor) -> tuple[Any, Any, dict[str, torch.Tensor]]:
    mask = batch["loss_mask"].double()
    entropies = token_entropy(output, vocabulary).double() * mask
    told = torch.stack([entropies.sum()[None], mask.sum()[None]])
    return output.new_zeros(()), mask.sum().to(torch.int), {"told": told}
