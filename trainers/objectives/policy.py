"""The clipped policy loss on sampled answers (`trainers.rl.losses`): the objective of reinforcement learning.

Log-probabilities are those that the answers were drawn with: temperature, top-p and top-k are part of
the policy. With a KL term the frozen first model is looked at.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.tensor_parallel import gather_from_tensor_model_parallel_region

from schemas.errors import CurateError
from trainers.data.rows import Rows, SampleSettings
from trainers.data.samples import Samples
from trainers.generation.sampling import Sampling, log_probabilities
from trainers.objectives.objective import Batch, MicroLoss, Told, objective
from trainers.rl.losses import token_losses
from trainers.rl.settings import RlConfig
from trainers.stage import TrainConfig


def sampling_of(rl: RlConfig) -> Sampling:
    """How a stage's answers are drawn."""
    return Sampling(rl.temperature, rl.top_p, rl.top_k, rl.max_tokens)


@objective("policy")
class Policy:
    """Group-relative policy optimisation of rollouts, one a row."""

    more: tuple[str, ...] = ("clip_low", "clip_high", "kl", "entropy", "tokens", "moved")

    def __init__(self, config: TrainConfig) -> None:
        assert config.rl is not None
        self.rl = config.rl
        self.sampling = sampling_of(config.rl)
        self.vocabulary: int | None = None  # columns of logits that are tokens; set with the model

    @property
    def frozen(self) -> bool:
        """Whether the first model is looked at."""
        return self.rl.kl > 0

    def samples(
        self, rows: Rows, config: TrainConfig, settings: SampleSettings, wanted: int, column: str, base: int
    ) -> Samples:
        """Rollouts come from a source that makes them, never from shards."""
        raise CurateError("the objective 'policy' learns from rollouts, not from rows of shards")

    def inputs(self, batch: Batch) -> dict[str, Any]:
        """Without labels the model returns logits, (b, s, this rank's columns)."""
        return {}

    def _log_probabilities(self, batch: Batch, output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = gather_from_tensor_model_parallel_region(output)[..., : self.vocabulary].float()
        return log_probabilities(logits, batch["labels"], self.sampling), logits

    def look(self, batch: Batch, output: torch.Tensor) -> torch.Tensor:
        """The frozen model's log-probability of each token."""
        return self._log_probabilities(batch, output)[0]

    def loss(self, batch: Batch, output: torch.Tensor) -> MicroLoss:
        """The clipped loss of the answers' tokens, aggregated as the recipe says."""
        new, logits = self._log_probabilities(batch, output)
        rl = self.rl
        losses, chosen, sums = token_losses(
            new, batch["old"], batch["advantages"][:, 0], batch["loss_mask"], clip_low=rl.clip_low,
            clip_high=rl.clip_high, ratio=rl.ratio, reference=batch.get("frozen"), kl=rl.kl,
            sampler=batch.get("sampler"), importance_cap=None if rl.served is None else rl.served.importance_cap,
            importance="token" if rl.served is None else rl.served.importance,
        )  # fmt: skip
        told, weights = self._weighed(torch.where(chosen, losses, torch.zeros_like(losses)), chosen, batch)
        with torch.no_grad():
            full = torch.log_softmax(logits[chosen], -1)
            entropy = -(full.exp() * full).sum()
            moved = (new - batch["old"])[chosen].abs().sum()
        more = {**sums, "entropy": entropy, "tokens": chosen.sum(), "moved": moved}
        return MicroLoss(told.sum(), weights.sum(), told.detach(), weights, more)

    def _weighed(self, losses: torch.Tensor, chosen: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses by place, and what their sum over all ranks is divided by, told at places too."""
        if self.rl.aggregation == "token":
            return losses, chosen.float()
        lengths = chosen.sum(1, keepdim=True)
        weights = torch.zeros_like(losses)
        weights[:, 0] = (lengths[:, 0] > 0).float()
        if self.rl.aggregation == "sequence":
            return losses / lengths.clamp(min=1), weights
        weights[:, 0] = (~torch.isnan(batch["advantages"][:, 0])).float() * self.rl.max_tokens
        return losses, weights

    def log(self, told: Told) -> dict[str, float]:
        """Means over learned tokens; `log_ratio` is how far the policy is from the one that answered, without sign."""
        count = max(1.0, told.more["tokens"])
        return {
            "learned_tokens": told.more["tokens"],
            "clip_low_share": told.more["clip_low"] / count,
            "clip_high_share": told.more["clip_high"] / count,
            "kl": told.more["kl"] / count,
            "log_ratio": told.more["moved"] / count,
            "entropy": told.more["entropy"] / count,
        }
