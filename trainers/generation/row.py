"""One row of tokens through the model as it is laid out: along the pipeline from rank to rank, outside its schedules.

Megatron's schedules interleave micro-batches whose shapes they know beforehand; sampling has one row at a
time, of another length each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from megatron.core import parallel_state


def row_output(
    parts: Sequence[Any], tokens: torch.Tensor, positions: torch.Tensor, owners: torch.Tensor | None
) -> torch.Tensor | None:
    """What the last part makes of a row, on the ranks that hold it; None elsewhere in the pipeline.

    Shapes: tokens and positions (b, s), s a multiple of the tensor-parallel ranks; owners (1, s) or None.
    """
    size = parallel_state.get_pipeline_model_parallel_world_size()
    if size == 1:
        told: torch.Tensor = parts[0](tokens, positions, owners)
        return told
    stage = parallel_state.get_pipeline_model_parallel_rank()
    for number, part in enumerate(parts):
        part.set_input_tensor(None if number == stage == 0 else _received(part.config, tokens))
        told = part(tokens, positions, owners)
        if number == len(parts) - 1 and stage == size - 1:
            return told
        torch.distributed.send(told.contiguous(), parallel_state.get_pipeline_model_parallel_next_rank())
    return None


def _received(settings: Any, tokens: torch.Tensor) -> torch.Tensor:
    """The hidden states of the part before, (s of this rank, b, hidden)."""
    rows, length = tokens.shape
    if settings.sequence_parallel:
        length //= settings.tensor_model_parallel_size
    hidden = torch.empty(length, rows, settings.hidden_size, dtype=settings.pipeline_dtype, device=tokens.device)
    torch.distributed.recv(hidden, parallel_state.get_pipeline_model_parallel_prev_rank())
    return hidden


def from_the_last(values: torch.Tensor) -> torch.Tensor:
    """What the last rank of the pipeline holds, on all of its ranks; the others give the shape."""
    if parallel_state.get_pipeline_model_parallel_world_size() > 1:
        source = parallel_state.get_pipeline_model_parallel_last_rank()
        torch.distributed.broadcast(values, source, group=parallel_state.get_pipeline_model_parallel_group())
    return values
