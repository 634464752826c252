"""Every token of a document, from those before it (Radford et al. 2018): the objective of pretraining."""

from __future__ import annotations

from typing import Any

import torch

from trainers.data.epochs import EpochWindows
from trainers.data.packs import Packs
from trainers.data.rows import Rows, SampleSettings
from trainers.data.windows import Windows
from trainers.objectives.objective import Batch, MicroLoss, Told, objective
from trainers.stage import TrainConfig


@objective("next_token")
class NextToken:
    """Cross-entropy of each token, summed over the tokens that are learned."""

    more: tuple[str, ...] = ()
    frozen = False

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def samples(
        self, rows: Rows, config: TrainConfig, settings: SampleSettings, wanted: int, column: str, base: int
    ) -> Packs | Windows | EpochWindows:
        """Windows over documents laid end to end; conversations, which a replay may bring, as packs."""
        if rows.kind in ("prompts", "preferences"):
            rows.needs("documents", config.stage)
        if rows.packing is not None:
            data = config.data
            return Packs(rows.tokens, rows.packing, data.sequence_length, config.seed, data.loss, column, base)
        if config.data.order == "by_epoch":
            return EpochWindows(rows.tokens, settings.sequence_length, settings.seed, column, base)
        return Windows(rows.tokens, settings, max(1, wanted), column, base)

    def inputs(self, batch: Batch) -> dict[str, Any]:
        """Given labels, the model returns the loss of each token, shape (b, s)."""
        return {"labels": batch["labels"]}

    def look(self, batch: Batch, output: torch.Tensor) -> torch.Tensor:
        """Nothing is asked of a frozen model."""
        raise NotImplementedError

    def loss(self, batch: Batch, output: torch.Tensor) -> MicroLoss:
        """Summed loss of the learned tokens, and how many they are."""
        mask = batch["loss_mask"]
        losses = output.float() * mask
        return MicroLoss(losses.sum(), mask.sum(), losses.detach(), mask, {})

    def log(self, told: Told) -> dict[str, float]:
        """How many tokens were learned."""
        return {"learned_tokens": told.weight}
