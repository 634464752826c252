"""Direct preference optimisation: the likelier answer is to be the preferred one, measured from the first model."""

from __future__ import annotations

from typing import Any

import torch

from trainers.data.pairs import Pairs
from trainers.data.rows import Rows, SampleSettings
from trainers.objectives.objective import Batch, MicroLoss, Told, objective
from trainers.preference.losses import dpo
from trainers.preference.pairs import PairPlaces, by_pairs
from trainers.stage import TrainConfig


@objective("direct_preference")
class DirectPreference:
    """DPO or IPO (`trainers.preference.losses`) on packs of pairs, a mean over pairs."""

    more: tuple[str, ...] = ("accuracy", "chosen_reward", "rejected_reward", "chosen_nats", "chosen_tokens")
    frozen = True

    def __init__(self, config: TrainConfig) -> None:
        assert config.dpo is not None
        self.dpo = config.dpo

    def samples(
        self, rows: Rows, config: TrainConfig, settings: SampleSettings, wanted: int, column: str, base: int
    ) -> Pairs:
        """Packs of pairs."""
        packing = rows.needs("preferences", config.stage)
        return Pairs(rows.tokens, packing, config.data.sequence_length, config.seed, column, base)

    def inputs(self, batch: Batch) -> dict[str, Any]:
        """Given labels, the model returns the loss of each token, shape (b, s)."""
        return {"labels": batch["labels"]}

    def look(self, batch: Batch, output: torch.Tensor) -> torch.Tensor:
        """The first model's loss of each token."""
        return output

    def loss(self, batch: Batch, output: torch.Tensor) -> MicroLoss:
        """A loss a pair."""
        places, mask = PairPlaces(batch["sequences"]), batch["loss_mask"]
        chosen, rejected = places.sums(-output.float() * mask)
        first_chosen, first_rejected = places.sums(-batch["frozen"].float() * mask)
        lengths = places.sums(mask)
        by_length = {"lengths_chosen": lengths[0], "lengths_rejected": lengths[1]} if self.dpo.length_normalised else {}
        losses = dpo(
            chosen, rejected, first_chosen, first_rejected, beta=self.dpo.beta, kind=self.dpo.kind, **by_length
        )
        rewards = [self.dpo.beta * (now - first) for now, first in ((chosen, first_chosen), (rejected, first_rejected))]
        more = {
            "accuracy": (rewards[0] > rewards[1]).float(),
            "chosen_reward": rewards[0],
            "rejected_reward": rewards[1],
            "chosen_nats": -chosen,
            "chosen_tokens": lengths[0],
        }
        return by_pairs(places, losses, more)

    def log(self, told: Told) -> dict[str, float]:
        """How often the preferred answer gained more, by how much, and how likely preferred answers are by now."""
        pairs = max(1, told.weight)
        return {
            "pairs": told.weight,
            "accuracy": told.more["accuracy"] / pairs,
            "reward_margin": (told.more["chosen_reward"] - told.more["rejected_reward"]) / pairs,
            "chosen_reward": told.more["chosen_reward"] / pairs,
            "rejected_reward": told.more["rejected_reward"] / pairs,
            "chosen_loss": told.more["chosen_nats"] / max(1.0, told.more["chosen_tokens"]),
        }
