"""What an objective is: what a batch is, the loss of a micro-batch, what it is divided by, what it logs.

    @objective("next_token")
    class NextToken:
        def samples(self, rows, config, settings, wanted, column, base): ...
        def loss(self, batch, output): ...

The loop (`trainers.loop.experiment`) knows no loss: it asks for the sums of an objective over the
micro-batches of a step, applies the gradient of their total divided by the weight, and writes down
what the objective tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from plugins.registry import Registry
from trainers.data.rows import Rows, SampleSettings
from trainers.data.samples import Samples
from trainers.stage import TrainConfig

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Told:
    """Sums over the micro-batches of a step, equal on every rank.

    `total` is the loss, `weight` what it is divided by (tokens, mostly), `by_tag` both for each tag of
    the data; `more` are further sums that an objective tells, by name.
    """

    total: float
    weight: int
    by_tag: list[tuple[float, int]]
    more: Mapping[str, float]
    stop_asked: bool = False

    @property
    def mean(self) -> float:
        """Mean loss: of a token, in nats, where the weight counts tokens."""
        return self.total / self.weight if self.weight else float("nan")


@dataclass(frozen=True)
class MicroLoss:
    """One micro-batch: the summed loss to differentiate, its weight, loss and weight by place, further sums.

    `losses` and `weights` have the shape of the batch's `tags`; `more` has the names that the
    objective declares.
    """

    total: torch.Tensor
    weight: torch.Tensor
    losses: torch.Tensor
    weights: torch.Tensor
    more: Mapping[str, torch.Tensor]


class Objective(Protocol):
    """What is learned."""

    @property
    def more(self) -> Sequence[str]:
        """Names of the further sums."""
        ...

    @property
    def frozen(self) -> bool:
        """Whether a second model with the first weights is looked at."""
        ...

    def samples(
        self, rows: Rows, config: TrainConfig, settings: SampleSettings, wanted: int, column: str, base: int
    ) -> Samples:
        """Samples of one component: `wanted` of them, tags by `column` counted on from `base`."""
        ...

    def inputs(self, batch: Batch) -> dict[str, Any]:
        """What the model is called with beside tokens, positions and sequences."""
        ...

    def look(self, batch: Batch, output: torch.Tensor) -> torch.Tensor:
        """Of the frozen model's output on a micro-batch, shape (b, s), what the loss will need of it."""
        ...

    def loss(self, batch: Batch, output: torch.Tensor) -> MicroLoss:
        """The loss of a micro-batch; `output` is the model's, `batch["frozen"]` what `look` kept."""
        ...

    def log(self, told: Told) -> dict[str, float]:
        """Numbers of a step for its record, beside the mean loss."""
        ...


OBJECTIVES: Registry[Callable[[TrainConfig], Objective]] = Registry("objective", ("trainers.objectives",))

Made = Callable[[TrainConfig], Objective]


def objective(name: str) -> Callable[[Made], Made]:
    """Register an objective, made from a stage's recipe, under a name."""

    def register(make: Made) -> Made:
        OBJECTIVES.add(name, make)
        return make

    return register


# What each stage learns unless its recipe says otherwise.
OF_STAGE = {
    "pretrain": "next_token",
    "cpt": "next_token",
    "ift": "answer_tokens",
    "sft": "answer_tokens",
    "cold_start": "answer_tokens",
    "reward_model": "bradley_terry",
    "dpo": "direct_preference",
    "rl_reasoning": "policy",
    "rl_alignment": "policy",
}


def objective_of(config: TrainConfig) -> Objective:
    """The objective of a stage."""
    return OBJECTIVES.get(config.objective or OF_STAGE[config.stage])(config)
