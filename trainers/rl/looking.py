"""What the trainer says of sampled tokens, outside a step: rows of rollouts through the schedules that steps take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.rollout import Rollout
from trainers.data.reader import Batch
from trainers.loop.forward import with_frozen
from trainers.objectives.objective import Objective
from trainers.rl.rows import collated
from trainers.stage import TrainConfig


def looked_at(
    config: TrainConfig, model: Sequence[Any], objective: Objective, rollouts: Sequence[Rollout], width: int
) -> list[Batch]:
    """Micro-batches of the rollouts in their order with `frozen`, (b, width of this rank): log-probabilities of now.

    The schedules of pipelines want whole micro-batches, in a multiple of the pipeline's stages: the first rollouts come
    again behind the last ones.
    """
    micro = config.batch.micro
    whole = micro * config.parallel.pipeline
    rows = [*rollouts, *(rollouts[at % len(rollouts)] for at in range(-len(rollouts) % whole))]
    batches = [collated(rows[at : at + micro], width) for at in range(0, len(rows), micro)]
    for part in model:
        part.eval()
    told = with_frozen(config, model, objective, batches)
    for part in model:
        part.train()
    return told
