"""One step's forward and backward passes through Megatron-Core's schedules, and what the objective tells of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.pipeline_parallel import get_forward_backward_func

from trainers.loop.entropy import entropy_step
from trainers.model.bounds import remember_bounds
from trainers.model.lora import base_alone
from trainers.objectives.objective import Batch, Objective, Told
from trainers.parallel.watchdog import tick
from trainers.stage import TrainConfig


def _called(objective: Objective, batch: Batch, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    output: torch.Tensor = model(batch["tokens"], batch["positions"], batch.get("sequences"), **inputs)
    return output


def _sums(
    objective: Objective, batch: Batch, tags: int, output: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Loss and weight of a micro-batch as Megatron's schedules want them, and both by tag for our own books."""
    found = objective.loss(batch, output)
    told = torch.zeros(2, tags, dtype=torch.float64, device=output.device)
    flat = batch["tags"].reshape(-1).long()
    told[0].index_add_(0, flat, found.losses.double().reshape(-1))
    told[1].index_add_(0, flat, found.weights.double().reshape(-1))
    more = [found.more[name].detach().double().reshape(1) for name in objective.more]
    return found.total, found.weight.to(torch.int), {"told": torch.cat([told.reshape(-1), *more])}


def forward_step(objective: Objective, tags: int, batches: Iterator[Batch], model: Any) -> tuple[torch.Tensor, Any]:
    """One micro-batch through this rank's part of the model, as Megatron's schedules call it."""
    tick("learning from a micro-batch")
    batch = on_device(next(batches))
    output = _called(objective, batch, model, objective.inputs(batch))
    return output, functools.partial(_sums, objective, batch, tags)


def on_device(batch: Batch) -> Batch:
    """The batch where the model is; the bounds of packed sequences are found before it goes there."""
    moved = {name: tensor.cuda(non_blocking=True) for name, tensor in batch.items()}
    if "sequences" in batch:
        remember_bounds(moved["sequences"], batch["sequences"])
    return moved


def run_micro_batches(
    config: TrainConfig,
    model: Sequence[Any],
    objective: Objective,
    batches: Sequence[Batch],
    tags: int,
    forward_only: bool,
    stop: bool = False,
) -> Told:
    """All micro-batches of a step; `stop` is told to all ranks, and any rank's asks all of them."""
    step = functools.partial(forward_step, objective, tags)
    size = 2 * tags + len(objective.more)
    values = _summed_over_ranks(_scheduled(config, model, batches, forward_only, step), size, stop)
    by_tag = [(values[tag], round(values[tags + tag])) for tag in range(tags)]
    more = dict(zip(objective.more, values[2 * tags : -1], strict=True))
    return Told(sum(values[:tags]), round(sum(values[tags : 2 * tags])), by_tag, more, values[-1] > 0)


def beside_frozen(
    config: TrainConfig, frozen: Sequence[Any], objective: Objective, batches: Sequence[Batch]
) -> list[Batch]:
    """The batches with the look of the model that training began with: a second one, or with LoRA the frozen base."""
    with base_alone(frozen):
        return with_frozen(config, frozen, objective, batches)


def with_frozen(
    config: TrainConfig, frozen: Sequence[Any], objective: Objective, batches: Sequence[Batch]
) -> list[Batch]:
    """The batches with what the objective keeps of a frozen model's look at them, shape (b, s), as `frozen`.

    The look is a forward pass of its own, so that it works in every layout; on ranks that compute no
    loss the values are zeros, which nothing reads.
    """

    def kept(batch: Batch, output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        seen = objective.look(batch, output).detach()
        return output.new_zeros(()), output.new_ones((), dtype=torch.int), {"told": seen}

    def step(listed: Iterator[Batch], model: Any) -> tuple[torch.Tensor, Any]:
        batch = on_device(next(listed))
        return _called(objective, batch, model, objective.inputs(batch)), functools.partial(kept, batch)

    with torch.no_grad():
        told = _scheduled(config, frozen, batches, True, step)
    seen = [one["told"] for one in told] or [torch.zeros_like(one["loss_mask"]) for one in batches]
    return [{**batch, "frozen": one} for batch, one in zip(batches, seen, strict=True)]


def summed_entropy(
    config: TrainConfig, model: Sequence[Any], batches: Sequence[Batch], vocabulary: int
) -> tuple[float, int]:
    """Summed entropy of the model at the learned places of micro-batches, and how many there are."""
    step = functools.partial(entropy_step, vocabulary)
    values = _summed_over_ranks(_scheduled(config, model, batches, True, step), 2, False)
    return values[0], round(values[1])


def _scheduled(
    config: TrainConfig, model: Sequence[Any], batches: Sequence[Batch], forward_only: bool, step: Any
) -> Any:
    iterators = [iter(batches) for _ in model]
    rows, length = batches[0]["tokens"].shape  # alike in all of them
    return get_forward_backward_func()(
        forward_step_func=step,
        data_iterator=iterators if len(model) > 1 else iterators[0],
        model=list(model) if len(model) > 1 else model[0],
        num_microbatches=len(batches),
        seq_length=length * config.parallel.context,
        micro_batch_size=rows,
        forward_only=forward_only,
    )


def _summed_over_ranks(told: list[dict[str, torch.Tensor]], size: int, stop: bool) -> list[float]:
    """What micro-batches told, summed over them and all ranks, with the wish to stop as last value.

    Tensor-parallel ranks hold the same losses; only the first of each group tells them.
    """
    sums = torch.zeros(size + 1, dtype=torch.float64, device=torch.cuda.current_device())
    if told and parallel_state.get_tensor_model_parallel_rank() == 0:
        sums[:-1] += torch.stack([one["told"].reshape(-1) for one in told]).sum(0)
    sums[-1] = float(stop)
    torch.distributed.all_reduce(sums)
    return [float(value) for value in sums]
