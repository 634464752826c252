"""Rollouts as rows of a micro-batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from megatron.core import parallel_state

from schemas.rollout import Rollout
from trainers.data.reader import Batch
from trainers.parallel.context import own_positions
from trainers.stage import TrainConfig

ROW_MULTIPLE = 8  # tokens of a row are padded to a multiple of this, times the tensor- and context-parallel ranks


def padded_width(tokens: int, config: TrainConfig) -> int:
    """The width of rows that hold so many tokens, which tensor- and context-parallel ranks can share evenly."""
    multiple = ROW_MULTIPLE * config.parallel.tensor * config.parallel.context
    return -(-tokens // multiple) * multiple


def collated(rollouts: Sequence[Rollout], width: int) -> Batch:
    """A micro-batch, one rollout a row: shapes (b, width of this context-parallel rank), `advantages` (b, 1)."""
    count = len(rollouts)
    tokens, labels = torch.zeros(count, width, dtype=torch.long), torch.zeros(count, width, dtype=torch.long)
    mask, old, sampler = (torch.zeros(count, width) for _ in range(3))
    advantages = torch.zeros(count, 1)
    for row, one in enumerate(rollouts):
        ids = torch.tensor([*one.prompt_ids, *one.ids])
        tokens[row, : len(ids) - 1], labels[row, : len(ids) - 1] = ids[:-1], ids[1:]
        start, end = len(one.prompt_ids) - 1, len(ids) - 1
        told = torch.tensor(one.log_probabilities)
        drawn = ~torch.isnan(told)  # the others were written for the model
        mask[row, start:end] = drawn * float(one.learned)
        sampler[row, start:end] = torch.nan_to_num(told)
        old[row, start:end] = sampler[row, start:end] if one.trained is None else torch.tensor(one.trained)
        advantages[row] = float("nan") if one.advantage is None else one.advantage
    positions = torch.arange(width)[None]
    tags = torch.zeros(count, width, dtype=torch.long)
    batch = {"tokens": tokens, "labels": labels, "loss_mask": mask, "positions": positions, "tags": tags, "old": old}
    if any(one.trained is not None for one in rollouts):
        batch["sampler"] = sampler
    if (size := parallel_state.get_context_parallel_world_size()) > 1:
        own = own_positions(parallel_state.get_context_parallel_rank(), size, width)
        batch = {name: values[:, own] for name, values in batch.items()}
    return {**batch, "advantages": advantages}
