"""Losses, perplexities and entropy over what was held out of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from trainers.data.datasets import Blended
from trainers.data.reader import BatchReader
from trainers.loop.forward import beside_frozen, run_micro_batches, summed_entropy
from trainers.loop.measures import held_out
from trainers.objectives.objective import Objective, Told
from trainers.stage import TrainConfig


def validate(
    config: TrainConfig,
    model: list[Any],
    objective: Objective,
    data: Blended,
    vocabulary: int,
    frozen: Sequence[Any] = (),
) -> dict[str, Any]:
    """What the log says of a validation; the model is left in training mode."""
    for part in model:
        part.eval()
    with torch.no_grad():
        told, entropy = evaluate(config, model, objective, data, vocabulary if config.log.entropy else None, frozen)
        found = held_out(told, data.tags)
        if told.more:  # what is learned is no token, and has no perplexity
            found.pop("perplexity")
            found.update({f"validation_{name}": value for name, value in objective.log(told).items()})
        if entropy is not None:
            found["entropy"] = entropy
    for part in model:
        part.train()
    return found


def evaluate(
    config: TrainConfig,
    model: list[Any],
    objective: Objective,
    data: Blended,
    vocabulary: int | None = None,
    frozen: Sequence[Any] = (),
) -> tuple[Told, float | None]:
    """Losses over the held-out samples that the recipe asks for; with a vocabulary also the mean entropy in nats."""
    reader = BatchReader(data, config, 0)
    total, weight, tags = 0.0, 0, [(0.0, 0)] * len(data.tags)
    more = dict.fromkeys(objective.more, 0.0)
    summed = places = 0.0
    for _ in range(config.validation.batches):
        batches = [next(reader) for _ in range(config.whole_micro_batches)]
        if objective.frozen:
            batches = beside_frozen(config, frozen, objective, batches)
        told = run_micro_batches(config, model, objective, batches, len(data.tags), forward_only=True)
        total, weight = total + told.total, weight + told.weight
        tags = [(a + c, b + d) for (a, b), (c, d) in zip(tags, told.by_tag, strict=True)]
        more = {name: value + told.more[name] for name, value in more.items()}
        if vocabulary is not None:
            extra, count = summed_entropy(config, model, batches, vocabulary)
            summed, places = summed + extra, places + count
    reader.close()
    entropy = (summed / places if places else float("nan")) if vocabulary is not None else None
    return Told(total, weight, tags, more), entropy
