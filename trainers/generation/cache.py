"""Keys and values of slots, each of which holds one answer while it is sampled.

A step is one row of tokens, whatever slots they belong to, so that prompts of any lengths are read
together and sequence parallelism goes on working. Megatron-Core's static context wants prompts of one
length and its dynamic one CUDA; this cache stands behind the core attention and needs neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from trainers.model.attention import CoreAttention


class LayerCache:
    """One layer's keys and values, shape (slots, groups, length, d), on this tensor-parallel rank."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.keys = self.values = torch.empty(0)
        self.read: list[tuple[torch.Tensor, torch.Tensor]] = []

    def attend(
        self,
        core: CoreAttention,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        sequences: torch.Tensor | None,
    ) -> torch.Tensor:
        """Prompts, told by `sequences`, are read packed and kept apart; else each token goes on in its slot."""
        if sequences is not None:
            self.read = [
                (k.transpose(0, 1).clone(), v.transpose(0, 1).clone())
                for k, v in zip(key.split(self.cache.lengths), value.split(self.cache.lengths), strict=True)
            ]
            return core.packed(query, key, value, sequences)
        return self._decode(core, query, key, value)

    def _decode(self, core: CoreAttention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """One token a slot, slot by slot in order: query [slots (and padding), heads, d]."""
        rows = len(self.cache.places)
        groups, width = key.shape[1:]
        slots = torch.arange(rows, device=key.device)
        self.keys[slots, :, self.cache.places] = key[:rows]
        self.values[slots, :, self.cache.places] = value[:rows]
        # Query heads that share keys lie side by side: they become queries, and nothing is repeated.
        shared = query[:rows].reshape(rows, groups, -1, width)
        end = self.cache.end
        told = scaled_dot_product_attention(
            shared, self.keys[:rows, :, :end], self.values[:rows, :, :end], attn_mask=self.cache.mask, scale=core.scale
        ).reshape(rows, -1, width)
        padding = query.shape[0] - rows
        return torch.cat([told, told.new_zeros(padding, *told.shape[1:])]) if padding else told

    def fill(self, slot: int, kept: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Put a prompt's keys and values, (groups, tokens, d), into a slot."""
        keys, values = kept
        if not self.keys.numel():
            shape = (self.cache.slots, keys.shape[0], self.cache.length, keys.shape[2])
            self.keys, self.values = keys.new_zeros(shape), values.new_zeros(shape)
        self.keys[slot, :, : keys.shape[1]] = keys
        self.values[slot, :, : values.shape[1]] = values

    def move(self, to: int, source: int, tokens: int) -> None:
        """Let a slot that has ended be taken by another, of which only the first tokens are told."""
        self.keys[to, :, :tokens] = self.keys[source, :, :tokens]
        self.values[to, :, :tokens] = self.values[source, :, :tokens]


class Cache:
    """The caches of this rank's layers, put behind its core attention while the block `with cache:` runs."""

    def __init__(self, parts: Sequence[Any], slots: int, length: int) -> None:
        self.slots, self.length = slots, length
        self.cores = [one for part in parts for one in part.modules() if isinstance(one, CoreAttention)]
        self.layers = [LayerCache(self) for _ in self.cores]
        self.lengths: list[int] = []
        self.places = torch.empty(0, dtype=torch.long)
        self.mask: torch.Tensor | None = None
        self.end = 0

    def __enter__(self) -> Cache:
        for core, layer in zip(self.cores, self.layers, strict=True):
            core.cache = layer
        return self

    def __exit__(self, *_: object) -> None:
        for core in self.cores:
            core.cache = None

    def reading(self, lengths: Sequence[int]) -> None:
        """The next step reads prompts of these lengths, packed into one row."""
        self.lengths = list(lengths)

    def taken(self) -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
        """Keys and values of the prompts just read: for each prompt those of every layer."""
        told = [list(one) for one in zip(*(layer.read for layer in self.layers), strict=True)]
        for layer in self.layers:
            layer.read = []
        return told

    def fill(self, slot: int, kept: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Begin an answer in a slot behind a prompt that was read."""
        for layer, one in zip(self.layers, kept, strict=True):
            layer.fill(slot, one)

    def going_on(self, places: torch.Tensor) -> None:
        """The next step adds one token to each of the first slots, at these places."""
        self.places = places
        self.end = int(places.max()) + 1
        self.mask = (torch.arange(self.end, device=places.device)[None] <= places[:, None])[:, None, None, :]

    def move(self, to: int, source: int, tokens: int) -> None:
        """Move an answer to a slot that has ended."""
        for layer in self.layers:
            layer.move(to, source, tokens)
