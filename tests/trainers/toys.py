"""A toy for each of the loop's two seams: an objective with a frozen model, a source that looks at the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from trainers.data.reader import Batch
from trainers.loop.source import ShardSource
from trainers.objectives.next_token import NextToken
from trainers.objectives.objective import MicroLoss, Told, objective


@objective("stay_near")
class StayNear(NextToken):
    """Next tokens, and no token's loss far from what the first weights had: a leash as RL's KL term is one."""

    more = ("distance",)
    frozen = True

    def look(self, batch: Batch, output: torch.Tensor) -> torch.Tensor:
        """The frozen model's loss of each token."""
        return output.float()

    def loss(self, batch: Batch, output: torch.Tensor) -> MicroLoss:
        """The loss of each token, and half the square of how far it is from the frozen model's."""
        mask = batch["loss_mask"]
        distance = 0.5 * (output.float() - batch["frozen"]).square() * mask
        losses = output.float() * mask + distance
        return MicroLoss(losses.sum(), mask.sum(), losses.detach(), mask, {"distance": distance.sum()})

    def log(self, told: Told) -> dict[str, float]:
        """The mean distance beside the learned tokens."""
        return {**super().log(told), "distance": told.more["distance"] / told.weight}


class MadeBetween(ShardSource):
    """Batches made from what the model is before a step: here only every second token is learned in odd steps."""

    def __init__(self, data: Any, config: Any, position: int) -> None:
        super().__init__(data, config, position)
        self.seen: list[float] = []

    def prepare(self, model: Sequence[Any], step: int) -> None:
        """Look at the weights as they are."""
        self.odd = step % 2
        self.seen.append(
            float(sum(one.detach().double().square().sum() for part in model for one in part.parameters()))
        )

    def micro_batches(self, count: int) -> list[Batch]:
        """The next samples, half of their tokens left out in odd steps."""
        batches = super().micro_batches(count)
        if self.odd:
            for batch in batches:
                batch["loss_mask"][:, ::2] = 0.0
        return batches
