"""How a sequence is divided over context-parallel ranks so that causal work is even.

The sequence is cut into 2 * size chunks; rank r takes chunk r and chunk 2 * size - 1 - r, so that each
rank has one cheap and one dear chunk. The order is Megatron-Core's.
"""

from __future__ import annotations

from functools import lru_cache

import torch


def chunk_starts(rank: int, size: int, length: int) -> tuple[int, int]:
    """First positions of a rank's two chunks of `length` tokens."""
    return rank * length, (2 * size - 1 - rank) * length


@lru_cache(maxsize=32)
def own_positions(rank: int, size: int, sequence: int) -> torch.Tensor:
    """Positions in the whole sequence of one rank's tokens; shape (sequence / size,)."""
    length = sequence // (2 * size)
    return torch.cat([torch.arange(start, start + length) for start in chunk_starts(rank, size, length)])


@lru_cache(maxsize=32)
def whole_order(size: int, sequence: int) -> torch.Tensor:
    """Where each position of the whole sequence lies in the ranks' parts laid end to end; shape (sequence,)."""
    laid = torch.cat([own_positions(rank, size, sequence) for rank in range(size)])
    return torch.argsort(laid)
