"""Before the first step: what the sampler says of its tokens and what the trainer says of them are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from megatron.core import parallel_state

from schemas.errors import CurateError
from schemas.rollout import Rollout
from trainers.objectives.objective import Objective
from trainers.rl.looking import looked_at
from trainers.rl.rows import padded_width
from trainers.stage import TrainConfig

SEQUENCES = 64
BOUNDS = {"fp32": 1e-4, "bf16": 5e-2}  # of any token's log-probability


def largest_drift(
    config: TrainConfig, model: Sequence[Any], objective: Objective, rollouts: Sequence[Rollout]
) -> float:
    """The largest difference of a sampled token's log-probability between sampler and trainer."""
    looked = [replace(one, learned=True) for one in rollouts[:SEQUENCES]]
    width = padded_width(max(len(one.prompt_ids) + len(one.ids) for one in looked), config)
    worst = torch.zeros((), device=torch.cuda.current_device())
    for told in looked_at(config, model, objective, looked, width):
        if parallel_state.is_pipeline_last_stage(ignore_virtual=True):
            seen, sampled = told["frozen"].float(), told["old"].to(told["frozen"].device)
            apart = (seen - sampled).abs()[told["loss_mask"].bool().to(seen.device)]
            worst = torch.maximum(worst, torch.nan_to_num(apart, nan=float("inf")).max()) if len(apart) else worst
    torch.distributed.all_reduce(worst, torch.distributed.ReduceOp.MAX)
    return float(worst)


def refuse_drift(worst: float, bound: float, precision: str, remedy: str = "") -> None:
    """Refuse to begin where sampler and trainer disagree by more than a bound.

    Raises:
        CurateError: with the difference and the bound.
    """
    if not worst <= bound:
        raise CurateError(
            f"sampler and trainer differ by {worst:.2e} in a token's log-probability, more than {bound:.0e} in "
            f"{precision}: what would be learned is not what was sampled{remedy}"
        )
