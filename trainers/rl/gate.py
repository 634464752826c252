"""Before the first step: what the sampler says of its tokens and what the trainer says of them are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
BOUNDS = {"fp32": 1e-4, "bf16": 5e-2}


@dataclass(frozen=True)
class Drift:
    """How far sampler and trainer are apart in the log-probabilities of sampled tokens: at most, and in the mean."""

    largest: float
    mean: float

    def of(self, precision: str) -> float:
        """What is held against the bound.

        In fp32 any token's difference. In bf16 rounding of hidden states moves single tokens by 0.2 to 0.3 in a real
        model (SmolLM2-135M; 0.14 with an output matrix in fp32), so there it is the mean.
        """
        return self.largest if precision == "fp32" else self.mean


def drift_of(config: TrainConfig, model: Sequence[Any], objective: Objective, rollouts: Sequence[Rollout]) -> Drift:
    """Sampler against trainer on the first rollouts, in every layout."""
    looked = [replace(one, learned=True) for one in rollouts[:SEQUENCES]]
    width = padded_width(max(len(one.prompt_ids) + len(one.ids) for one in looked), config)
    told = torch.zeros(3, dtype=torch.float64, device=torch.cuda.current_device())  # largest, sum, tokens
    for batch in looked_at(config, model, objective, looked, width):
        if parallel_state.is_pipeline_last_stage(ignore_virtual=True):
            seen, sampled = batch["frozen"].double(), batch["old"].to(batch["frozen"].device)
            apart = (seen - sampled).abs()[batch["loss_mask"].bool().to(seen.device)]
            apart = torch.nan_to_num(apart, nan=float("inf"))
            if len(apart):
                told[0] = torch.maximum(told[0], apart.max())
                told[1:] += torch.stack([apart.sum(), apart.new_tensor(float(len(apart)))])
    largest = told[:1].clone()
    torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
    torch.distributed.all_reduce(told)
    return Drift(float(largest), float(told[1] / told[2].clamp(min=1)))


def refuse_drift(drift: Drift, bound: float | None, precision: str, remedy: str = "") -> None:
    """Refuse to begin where sampler and trainer disagree by more than a bound (default: the precision's).

    Raises:
        CurateError: with the difference and the bound.
    """
    bound = bound or BOUNDS[precision]
    if not drift.of(precision) <= bound:
        raise CurateError(
            f"sampler and trainer differ by {drift.largest:.2e} in a token's log-probability, {drift.mean:.2e} in the "
            f"mean, more than {bound:.0e} in {precision}: what would be learned is not what was sampled{remedy}"
        )
