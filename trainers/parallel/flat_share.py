"""The optimizer's state as each data-parallel rank holds it, named by its place in the whole weight.

Megatron's distributed optimizer (ZeRO stage 1, Rajbhandari et al. 2020, arXiv:1910.02054) gives each data rank
a stretch of all weights laid end to end, which may begin and end inside a row. Cut where rows begin, a stretch
is a few boxes of the weight, so that a checkpoint needs no gathering to be loaded in another layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import torch
from megatron.core.dist_checkpointing import ShardedTensor
from megatron.core.dist_checkpointing.mapping import ShardedTensorFactory

from trainers.parallel.boxes import Box, boxes


def sharded_shares(
    weight: Any, shares: Mapping[str, torch.Tensor], start: int, end: int
) -> dict[str, list[ShardedTensor]]:
    """Each of `shares`, elements `start` to `end` of this rank's part of `weight`, as boxes of the whole weight.

    `weight` is Megatron's sharded tensor of the part, or its factory where the whole keeps the part in several
    places (the two halves of a gated feed-forward). Every data rank holds another share, so none is a replica.
    """
    places = list(_places(weight, start, end))
    return {
        name: [_sharded(piece, name, share[at : at + prod(box.shape)], box) for piece, box, at in places]
        for name, share in shares.items()
    }


def _places(weight: Any, start: int, end: int) -> Iterator[tuple[ShardedTensor, Box, int]]:
    """Boxes of elements `start` to `end`, each with the piece it lies in and where in the share it begins."""
    for piece in weight.build() if isinstance(weight, ShardedTensorFactory) else [weight]:
        begin = piece.data.storage_offset() - weight.data.storage_offset()
        low, high = max(start, begin), min(end, begin + piece.data.numel())
        for box in boxes(low - begin, high - begin, piece.data.shape):
            yield piece, box, low - start
            low += prod(box.shape)


def _sharded(piece: ShardedTensor, name: str, data: torch.Tensor, box: Box) -> ShardedTensor:
    before = piece.prepend_axis_num  # the number of the layer, which Megatron prepends; here it is an axis of the data
    offset = (*(0 for _ in range(before)), *box.offset)
    shape = (*(1 for _ in range(before)), *box.shape)
    return ShardedTensor(
        key=f"optimizer.state.{name}.{piece.key}",
        data=data.detach().view(shape),
        dtype=data.dtype,
        local_shape=shape,
        global_shape=piece.global_shape,
        global_offset=tuple(whole + own for whole, own in zip(piece.global_offset, offset, strict=True)),
        axis_fragmentations=None,
        replica_id=(*piece.replica_id[:2], 0),
        allow_shape_mismatch=piece.allow_shape_mismatch,
    )
