"""Before the first step: what the sampler says of its tokens and what the trainer says of them are one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from schemas.errors import CurateError
from schemas.rollout import Rollout
from trainers.loop.forward import with_frozen
from trainers.objectives.objective import Objective
from trainers.rl.rows import collated, padded_width
from trainers.stage import TrainConfig

SEQUENCES = 64
BOUNDS = {"fp32": 1e-4, "bf16": 5e-2}  # of any token's log-probability


def largest_drift(
    config: TrainConfig, model: Sequence[Any], objective: Objective, rollouts: Sequence[Rollout]
) -> float:
    """The largest difference of a sampled token's log-probability between sampler and trainer."""
    looked = list(rollouts)[:SEQUENCES]
    width = padded_width(max(len(one.prompt_ids) + len(one.ids) for one in looked), config)
    worst = 0.0
    for at in range(0, len(looked), config.batch.micro):
        batch = collated(looked[at : at + config.batch.micro], width)
        rows = batch["tokens"].shape[0]
        for part in model:
            part.eval()
        (told,) = with_frozen(config, model, objective, [batch])
        for row, one in zip(range(rows), looked[at : at + rows], strict=True):
            start = len(one.prompt_ids) - 1
            seen = told["frozen"][row, start : start + len(one.ids)].float().cpu()
            sampled = torch.tensor(one.log_probabilities)
            apart = (seen - sampled).abs()[~torch.isnan(sampled)]  # what was written for the model was not sampled
            worst = max([worst, *apart.tolist()], key=lambda value: (math.isnan(value), value))
    for part in model:
        part.train()
    return worst


def check_parity(config: TrainConfig, model: Sequence[Any], objective: Objective, rollouts: Sequence[Rollout]) -> float:
    """Refuse to begin where sampler and trainer disagree; returns by how much at most.

    Raises:
        CurateError: with the difference and the bound.
    """
    worst = largest_drift(config, model, objective, rollouts)
    bound = BOUNDS[config.precision]
    if not worst <= bound:
        raise CurateError(
            f"sampler and trainer differ by {worst:.2e} in a token's log-probability, more than {bound:.0e} in "
            f"{config.precision}: what would be learned is not what was sampled"
        )
    return worst
