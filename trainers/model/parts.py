"""Cutting whole weights into tensor-parallel parts and joining Hugging Face's parts into Megatron-Core's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from trainers.model.config import ModelConfig
from trainers.model.families import Weight

# Reads a range of rows (or columns, for dimension 1) of a Hugging Face tensor: (name, dimension, start, stop).
ReadRange = Callable[[str, int, int, int], torch.Tensor]


def own_part(
    weight: Weight, model: ModelConfig, read: ReadRange, sizes: Sequence[int], rank: int, size: int, rows: int
) -> torch.Tensor:
    """This tensor-parallel rank's part of a weight, read range by range.

    `sizes`: length of each Hugging Face part along the split dimension; `rows`: rows of this rank's
    vocabulary, the rows beyond the vocabulary's end being zeros.
    """
    dimension = weight.split or 0
    if weight.split is None:
        return read(weight.parts[0], 0, 0, sizes[0])
    if weight.join == "vocabulary":
        start, stop = min(rank * rows, sizes[0]), min((rank + 1) * rows, sizes[0])
        found = read(weight.parts[0], 0, start, stop)
        return torch.cat([found, found.new_zeros(rows - found.shape[0], *found.shape[1:])])
    pieces = [
        read(name, dimension, rank * whole // size, (rank + 1) * whole // size)
        for name, whole in zip(weight.parts, sizes, strict=True)
    ]
    if weight.join == "qkv":
        return join_qkv(pieces, model.width)
    return torch.cat(pieces, dimension)


def join_qkv(pieces: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    """Queries, keys, values (rows by head) as Megatron-Core lays them: each group's queries, its key, its value."""
    groups = pieces[1].shape[0] // width
    grouped = [piece.reshape(groups, -1, *piece.shape[1:]) for piece in pieces]
    joined = torch.cat(grouped, dim=1)
    return joined.reshape(-1, *pieces[0].shape[1:])


def split_qkv(joined: torch.Tensor, model: ModelConfig) -> list[torch.Tensor]:
    """The inverse of `join_qkv` for a whole weight."""
    per_group = model.heads // model.kv_heads
    grouped = joined.reshape(model.kv_heads, (per_group + 2) * model.width, *joined.shape[1:])
    pieces = grouped.split([per_group * model.width, model.width, model.width], dim=1)
    return [piece.reshape(-1, *joined.shape[1:]) for piece in pieces]


def hf_parts(weight: Weight, model: ModelConfig, whole: torch.Tensor, vocabulary: int) -> dict[str, torch.Tensor]:
    """A whole Megatron-Core weight as Hugging Face tensors by name."""
    if weight.join == "vocabulary":
        pieces: Sequence[torch.Tensor] = [whole[:vocabulary]]
    elif weight.join == "qkv":
        pieces = split_qkv(whole, model)
    elif weight.join == "gated":
        pieces = whole.chunk(2)
    else:
        pieces = [whole]
    return {name: piece.contiguous() for name, piece in zip(weight.parts, pieces, strict=True)}
