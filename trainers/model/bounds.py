"""Where the sequences of a packed row begin and end, found once a micro-batch and not once a layer.

The bounds are found on the processor before a batch goes to the device, so that no layer waits for a
GPU to tell how long its sequences are. They are known by the memory of the batch's `sequences`, which
Megatron-Core hands through all layers, and through the second forward pass of recomputation.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import torch

MOST_KEPT: Final = 256  # micro-batches under way at once, over all pipeline stages and chunks


@dataclass(frozen=True)
class RowBounds:
    """Lengths of a row's sequences, and where each ends with 0 before the first, int32 on the device."""

    lengths: list[int]
    ends: torch.Tensor


# The tensor is kept with its bounds, so that no other can take its memory meanwhile.
_known: OrderedDict[tuple[int, str], tuple[torch.Tensor, int, list[RowBounds]]] = OrderedDict()


def remember_bounds(sequences: torch.Tensor, on_processor: torch.Tensor) -> None:
    """Find the bounds of `sequences`, shape (batch, tokens), by the same numbers on the processor."""
    rows = [torch.unique_consecutive(row, return_counts=True)[1].tolist() for row in on_processor]
    found = [RowBounds(lengths, _ends(lengths, sequences.device)) for lengths in rows]
    _known[_key(sequences)] = sequences, sequences._version, found
    _known.move_to_end(_key(sequences))
    while len(_known) > MOST_KEPT:
        _known.popitem(last=False)


def bounds_of(sequences: torch.Tensor) -> list[RowBounds]:
    """The bounds of each row; found now where nobody has found them before."""
    known = _known.get(_key(sequences))
    if known is None or known[0].shape != sequences.shape or known[1] != sequences._version:
        remember_bounds(sequences, sequences.cpu())
        known = _known[_key(sequences)]
    return known[2]


def _key(sequences: torch.Tensor) -> tuple[int, str]:
    return sequences.data_ptr(), str(sequences.device)


def _ends(lengths: list[int], device: torch.device) -> torch.Tensor:
    ends = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    return ends.to(device, non_blocking=True)
