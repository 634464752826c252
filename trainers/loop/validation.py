"""Losses, perplexities and entropy over what was held out of training."""

from __future__ import annotations

from typing import Any

import torch

from trainers.data.datasets import Blended
from trainers.data.reader import BatchReader
from trainers.loop.forward import Losses, run_micro_batches, summed_entropy
from trainers.loop.measures import held_out
from trainers.stage import TrainConfig


def validate(config: TrainConfig, model: list[Any], data: Blended, vocabulary: int) -> dict[str, Any]:
    """What the log says of a validation; the model is left in training mode."""
    for part in model:
        part.eval()
    with torch.no_grad():
        told = held_out(evaluate(config, model, data), data.tags)
        if config.log.entropy:
            told["entropy"] = _entropy(config, model, data, vocabulary)
    for part in model:
        part.train()
    return told


def evaluate(config: TrainConfig, model: list[Any], data: Blended) -> Losses:
    """Losses over the held-out samples that the recipe asks for."""
    reader = BatchReader(data, config, 0)
    total, tokens, tags = 0.0, 0, [(0.0, 0)] * len(data.tags)
    for _ in range(config.validation.batches):
        told = run_micro_batches(config, model, reader, config.whole_micro_batches, forward_only=True)
        total, tokens = total + told.total, tokens + told.tokens
        tags = [(a + c, b + d) for (a, b), (c, d) in zip(tags, told.by_tag, strict=True)]
    reader.close()
    return Losses(total, tokens, tags)


def _entropy(config: TrainConfig, model: list[Any], data: Blended, vocabulary: int) -> float:
    """Mean entropy in nats at the learned places of the same samples."""
    reader = BatchReader(data, config, 0)
    total = places = 0.0
    for _ in range(config.validation.batches):
        summed, count = summed_entropy(config, model, reader, config.whole_micro_batches, vocabulary)
        total, places = total + summed, places + count
    reader.close()
    return total / places if places else float("nan")
