"""One step's forward and backward passes through Megatron-Core's schedules, and its losses by part of the data."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.pipeline_parallel import get_forward_backward_func

from trainers.data.reader import Batch, BatchReader
from trainers.loop.entropy import entropy_step
from trainers.stage import TrainConfig


@dataclass(frozen=True)
class Losses:
    """Summed loss and tokens it was taken over, in all and by tag; equal on every rank."""

    total: float
    tokens: int
    by_tag: list[tuple[float, int]]
    stop_asked: bool = False

    @property
    def mean(self) -> float:
        """Mean loss of a token, in nats."""
        return self.total / self.tokens if self.tokens else float("nan")


def _loss(batch: Batch, tags: int, output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Summed loss of a micro-batch, tokens it was taken over, and both by tag; `output` has shape (b, s)."""
    mask = batch["loss_mask"]
    losses = output.float() * mask
    told = torch.zeros(2, tags, dtype=torch.float64, device=output.device)
    flat = batch["tags"].reshape(-1).long()
    told[0].index_add_(0, flat, losses.detach().double().reshape(-1))
    told[1].index_add_(0, flat, mask.double().reshape(-1))
    return losses.sum(), mask.sum().to(torch.int), {"told": told}


def forward_step(tags: int, batches: Iterator[Batch], model: Any) -> tuple[torch.Tensor, Any]:
    """One micro-batch through this rank's part of the model, as Megatron's schedules call it."""
    batch = {name: tensor.cuda(non_blocking=True) for name, tensor in next(batches).items()}
    output = model(batch["tokens"], batch["positions"], batch.get("sequences"), labels=batch["labels"])
    return output, functools.partial(_loss, batch, tags)


def run_micro_batches(
    config: TrainConfig, model: Sequence[Any], reader: BatchReader, count: int, forward_only: bool, stop: bool = False
) -> Losses:
    """All micro-batches of a step; `stop` is told to all ranks, and any rank's asks all of them."""
    tags = len(reader.data.tags)
    step = functools.partial(forward_step, tags)
    values = _summed_over_ranks(_scheduled(config, model, reader, count, forward_only, step), 2 * tags, stop)
    by_tag = [(values[tag], round(values[tags + tag])) for tag in range(tags)]
    return Losses(sum(values[:tags]), round(sum(values[tags:-1])), by_tag, values[-1] > 0)


def summed_entropy(
    config: TrainConfig, model: Sequence[Any], reader: BatchReader, count: int, vocabulary: int
) -> tuple[float, int]:
    """Summed entropy of the model at the learned places of `count` micro-batches, and how many there are."""
    step = functools.partial(entropy_step, vocabulary)
    values = _summed_over_ranks(_scheduled(config, model, reader, count, True, step), 2, False)
    return values[0], round(values[1])


def _scheduled(
    config: TrainConfig, model: Sequence[Any], reader: BatchReader, count: int, forward_only: bool, step: Any
) -> Any:
    batches = [next(reader) for _ in range(count)]
    iterators = [iter(batches) for _ in model]
    return get_forward_backward_func()(
        forward_step_func=step,
        data_iterator=iterators if len(model) > 1 else iterators[0],
        model=list(model) if len(model) > 1 else model[0],
        num_microbatches=count,
        seq_length=config.data.sequence_length,
        micro_batch_size=config.batch.micro,
        forward_only=forward_only,
    )


def _summed_over_ranks(told: list[dict[str, torch.Tensor]], size: int, stop: bool) -> list[float]:
    """What micro-batches told, summed over them and all ranks, with the wish to stop as last value.

    Tensor-parallel ranks hold the same losses; only the first of each group tells them.
    """
    sums = torch.zeros(size + 1, dtype=torch.float64, device=torch.cuda.current_device())
    if told and parallel_state.get_tensor_model_parallel_rank() == 0:
        sums[:-1] += torch.stack([one["told"] for one in told]).sum(0).reshape(-1)
    sums[-1] = float(stop)
    torch.distributed.all_reduce(sums)
    return [float(value) for value in sums]
