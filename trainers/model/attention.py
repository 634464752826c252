"""Core attention on torch's scaled dot-product attention, in the place of Megatron-Core's local one.

Causal within each packed sequence, with grouped queries, and with context parallelism: keys and
values are gathered over the group, queries stay. Megatron-Core's local attention builds the full
score matrix and refuses packing and context parallelism; torch's kernel (flash on GPUs) does not
build it. Transformer Engine's attention may take this one's place where it is installed.

The `attention_mask` argument, which Megatron hands through untouched, carries the sequence number
of each token, shape (batch, whole sequence), or None where a row is one sequence.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, Protocol

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel.mappings import gather_from_sequence_parallel_region
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.module import MegatronModule
from megatron.core.transformer.transformer_config import TransformerConfig
from torch.nn.functional import scaled_dot_product_attention

from trainers.model.bounds import RowBounds, bounds_of
from trainers.parallel.context import chunk_starts, whole_order


class KeyValues(Protocol):
    """Keys and values of earlier tokens of one layer."""

    def attend(
        self,
        core: CoreAttention,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        sequences: torch.Tensor | None,
    ) -> torch.Tensor:
        """Attention of tokens [n, heads, d] of several sequences in one row, remembering their keys and values."""
        ...


class CoreAttention(MegatronModule):  # type: ignore[misc]
    """Softmax(Q K^T / sqrt(d)) V over one tensor-parallel rank's heads."""

    def __init__(
        self,
        config: TransformerConfig,
        layer_number: int,
        attn_mask_type: AttnMaskType,
        attention_type: str,
        attention_dropout: float | None = None,
        softmax_scale: float | None = None,
        cp_comm_type: str | None = None,
        pg_collection: Any = None,
    ) -> None:
        super().__init__(config=config)
        self.scale = softmax_scale or 1.0 / math.sqrt(config.kv_channels)
        self.dropout = config.attention_dropout if attention_dropout is None else attention_dropout
        self.cache: KeyValues | None = None  # of earlier tokens, while answers are sampled

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        attn_mask_type: AttnMaskType | None = None,
        attention_bias: torch.Tensor | None = None,
        packed_seq_params: Any = None,
    ) -> torch.Tensor:
        """Shapes: query [s, b, heads, d], key and value [s, b, groups, d]; returns [s, b, heads * d]."""
        sequence, batch, heads, width = query.shape
        if self.cache is not None:
            told = self.cache.attend(self, query[:, 0], key[:, 0], value[:, 0], attention_mask)
            return told.reshape(sequence, batch, heads * width)
        size = parallel_state.get_context_parallel_world_size()
        if size > 1:
            key, value = (_gathered(tensor, size) for tensor in (key, value))
        q, k, v = (tensor.permute(1, 2, 0, 3).contiguous() for tensor in (query, key, value))
        if size > 1:
            out = self._over_chunks(q, k, v, attention_mask, size)
        elif attention_mask is None:
            out = self._attend(q, k, v)
        else:
            rows = zip(q.split(1), k.split(1), v.split(1), bounds_of(attention_mask), strict=True)
            out = torch.cat([self._packed(*row) for row in rows])
        return out.permute(2, 0, 1, 3).reshape(sequence, batch, heads * width)

    def packed(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, sequences: torch.Tensor
    ) -> torch.Tensor:
        """Causal within each sequence of one row: query [n, heads, d], sequences [1, n]; returns [n, heads, d]."""
        q, k, v = (tensor[:, None].permute(1, 2, 0, 3).contiguous() for tensor in (query, key, value))
        (bounds,) = bounds_of(sequences)
        return self._packed(q, k, v, bounds)[0].transpose(0, 1)

    def _attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Any = None) -> torch.Tensor:
        """Without a mask causal, which means what it says only where queries and keys are equally many.

        torch lays the triangle into the upper left corner: with keys of a cache before the queries,
        each query would see the first keys and not its own.
        """
        if mask is None and q.shape[2] != k.shape[2]:
            raise ValueError(
                f"causal attention without a mask needs as many keys as queries, found {k.shape[2]} and {q.shape[2]}; "
                "give a mask, as torch.nn.attention.bias.causal_lower_right makes one"
            )
        return scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=mask is None,
            scale=self.scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )

    def _packed(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: RowBounds) -> torch.Tensor:
        """One row, sequence by sequence: the work is the sum of squares, not the square of the sum."""
        if q.is_cuda and q.dtype in (torch.bfloat16, torch.float16):
            return self._flash(q, k, v, bounds)
        parts = [tensor.split(bounds.lengths, dim=2) for tensor in (q, k, v)]
        return torch.cat([self._attend(*part) for part in zip(*parts, strict=True)], dim=2)

    def _flash(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: RowBounds) -> torch.Tensor:
        """All sequences of a row in one call of the flash kernel for sequences of different lengths."""
        from torch.nn.attention.varlen import varlen_attn

        taken = inspect.signature(varlen_attn).parameters
        query, key, value = (tensor[0].transpose(0, 1).contiguous() for tensor in (q, k, v))
        if "enable_gqa" not in taken:  # torch before 2.12
            key, value = (one.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for one in (key, value))
        wanted: dict[str, Any] = {
            "scale": self.scale,
            "window_size": (-1, 0),
            "is_causal": True,
            "enable_gqa": q.shape[1] != k.shape[1],
        }
        longest = max(bounds.lengths)
        out = varlen_attn(
            query,
            key,
            value,
            bounds.ends,
            bounds.ends,
            longest,
            longest,
            **{name: value for name, value in wanted.items() if name in taken},
        )
        assert isinstance(out, torch.Tensor)
        return out.transpose(0, 1)[None]

    def _over_chunks(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, sequences: torch.Tensor | None, size: int
    ) -> torch.Tensor:
        """This rank's two chunks of queries against all keys up to each chunk's end."""
        out = []
        length = q.shape[2] // 2
        starts = chunk_starts(parallel_state.get_context_parallel_rank(), size, length)
        for chunk, start in zip(q.split(length, dim=2), starts, strict=True):
            end = start + length
            mask: Any
            if sequences is not None:
                order = torch.arange(end, device=q.device)
                same = sequences[:, start:end, None] == sequences[:, None, :end]
                mask = (same & (order[None, None, :] <= order[None, start:end, None]))[:, None]
            elif q.device.type == "cpu":
                # torch's lower-right causal bias has no grouped queries on CPUs.
                order = torch.arange(end)
                mask = order[None, :] <= order[start:end, None]
            else:
                from torch.nn.attention.bias import causal_lower_right  # loads torch's compilers

                mask = causal_lower_right(length, end)
            out.append(self._attend(chunk, k[:, :, :end], v[:, :, :end], mask))
        return torch.cat(out, dim=2)


def _gathered(tensor: torch.Tensor, size: int) -> torch.Tensor:
    """All ranks' parts of the sequence (first dimension), in its own order; backward sums over ranks."""
    whole = gather_from_sequence_parallel_region(tensor, group=parallel_state.get_context_parallel_group())
    return whole.index_select(0, whole_order(size, whole.shape[0]).to(whole.device))
