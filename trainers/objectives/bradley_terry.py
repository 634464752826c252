"""Bradley-Terry: the preferred answer's score is to lie above the other's, by a margin where strongly preferred."""

from __future__ import annotations

from typing import Any

import torch

from trainers.data.pairs import Pairs
from trainers.data.rows import Rows, SampleSettings
from trainers.objectives.objective import Batch, MicroLoss, Told, objective
from trainers.preference.losses import bradley_terry
from trainers.preference.pairs import PairPlaces, by_pairs
from trainers.stage import TrainConfig


@objective("bradley_terry")
class BradleyTerry:
    """Scores from the last token of each answer, one for each aspect, of which a pair's own is learned."""

    more: tuple[str, ...] = ("accuracy", "difference", "score", "squared_score")
    frozen = False

    def __init__(self, config: TrainConfig) -> None:
        assert config.reward is not None
        self.reward = config.reward

    def samples(
        self, rows: Rows, config: TrainConfig, settings: SampleSettings, wanted: int, column: str, base: int
    ) -> Pairs:
        """Packs of pairs of the recipe's aspects."""
        packing = rows.needs("preferences", config.stage)
        length = config.data.sequence_length
        return Pairs(rows.tokens, packing, length, config.seed, column, base, self.reward.aspects)

    def inputs(self, batch: Batch) -> dict[str, Any]:
        """Without labels the model returns a score for each aspect at each place, (b, s, aspects)."""
        return {}

    def look(self, batch: Batch, output: torch.Tensor) -> torch.Tensor:
        """All scores, (b, s, aspects): what is measured when training ends."""
        return output.float()

    def loss(self, batch: Batch, output: torch.Tensor) -> MicroLoss:
        """A loss a pair."""
        places = PairPlaces(batch["sequences"])
        chosen, rejected = scores_of(places, batch, output)
        margin = self.reward.margin * batch["strengths"][places.starts]
        losses = bradley_terry(chosen, rejected, margin)
        more = {
            "accuracy": (chosen > rejected).float(),
            "difference": chosen - rejected,
            "score": (chosen + rejected) / 2,
            "squared_score": (chosen.square() + rejected.square()) / 2,
        }
        return by_pairs(places, losses, more)

    def log(self, told: Told) -> dict[str, float]:
        """How often and by how much the preferred answer's score is the higher one, and where scores lie."""
        pairs = max(1, told.weight)
        mean = told.more["score"] / pairs
        return {
            "pairs": told.weight,
            "accuracy": told.more["accuracy"] / pairs,
            "score_difference": told.more["difference"] / pairs,
            "score_mean": mean,
            "score_deviation": max(0.0, told.more["squared_score"] / pairs - mean**2) ** 0.5,
        }


def scores_of(places: PairPlaces, batch: Batch, output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of chosen and rejected answers in the aspect of their pair, (pairs,) each."""
    aspects = places.of_rank(batch["aspects"])
    values = output.float().gather(-1, aspects[..., None])[..., 0]
    return places.sums(values * places.of_rank(places.ends))
