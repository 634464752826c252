"""Pretraining: next-token prediction over a blended mixture, resumable to the bit.

Run by `curate train`, alone or under torchrun: `torchrun --nproc-per-node 2 -m trainers.pretrain
CONFIG MANIFEST OUT`.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.distributed import finalize_model_grads
from megatron.core.num_microbatches_calculator import (
    init_num_microbatches_calculator,
    unset_num_microbatches_calculator,
)
from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler
from megatron.core.pipeline_parallel import get_forward_backward_func

from schemas.errors import CurateError
from schemas.files import write_json
from schemas.manifest import load_manifest
from trainers import checkpoint
from trainers.config import TrainConfig, load_train_config
from trainers.data import Batch, BatchReader, build_datasets, check_manifest
from trainers.model import build_model, wrap_for_data_parallel
from trainers.parallel import is_first, start_parallel, stop_parallel
from trainers.training_log import TrainingLog


def build_optimizer(config: TrainConfig, model: Any) -> tuple[Any, OptimizerParamScheduler]:
    """Megatron's distributed AdamW and its learning-rate schedule (in samples)."""
    schedule, settings = config.schedule, config.optimizer
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=schedule.learning_rate,
            min_lr=schedule.min_learning_rate,
            weight_decay=settings.weight_decay,
            adam_beta1=settings.betas[0],
            adam_beta2=settings.betas[1],
            adam_eps=settings.epsilon,
            clip_grad=settings.clip,
            bf16=config.precision == "bf16",
            params_dtype=torch.bfloat16 if config.precision == "bf16" else torch.float32,
            use_distributed_optimizer=True,
        ),
        [model],
    )
    batch = config.batch.global_
    scheduler = OptimizerParamScheduler(
        optimizer,
        init_lr=0.0,
        max_lr=schedule.learning_rate,
        min_lr=schedule.min_learning_rate,
        lr_warmup_steps=schedule.warmup * batch,
        lr_decay_steps=schedule.steps * batch,
        lr_decay_style=schedule.decay,
        start_wd=settings.weight_decay,
        end_wd=settings.weight_decay,
        wd_incr_steps=schedule.steps * batch,
        wd_incr_style="constant",
    )
    return optimizer, scheduler


def _mean_loss(loss_mask: torch.Tensor, output: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean over unmasked tokens of a micro-batch; shapes (b, s)."""
    loss = (output.float() * loss_mask).sum() / loss_mask.sum().clamp(min=1)
    return loss, {"loss": loss.detach().clone()}  # the schedule scales `loss` in place


def forward_step(batches: Iterator[Batch], model: Any) -> tuple[torch.Tensor, Any]:
    """One micro-batch through this rank's part of the model, as Megatron's schedules call it."""
    batch = {name: tensor.cuda(non_blocking=True) for name, tensor in next(batches).items()}
    output = model(batch["tokens"], batch["position_ids"], None, labels=batch["labels"])
    return output, functools.partial(_mean_loss, batch["loss_mask"])


def _run_micro_batches(config: TrainConfig, model: Any, batches: Iterator[Batch], forward_only: bool) -> float:
    """All micro-batches of a step; returns the mean loss over the whole global batch on every rank."""
    losses = get_forward_backward_func()(
        forward_step_func=forward_step,
        data_iterator=batches,
        model=[model],
        num_microbatches=config.micro_batches,
        seq_length=config.model.sequence_length,
        micro_batch_size=config.batch.micro,
        forward_only=forward_only,
    )
    total = torch.zeros(1, dtype=torch.float64, device=torch.cuda.current_device())
    if parallel_state.is_pipeline_last_stage():
        total += sum(one["loss"].double() for one in losses) / config.micro_batches
    # Tensor-parallel ranks hold the same loss: the sum over the world counts it that many times.
    torch.distributed.all_reduce(total)
    return float(total) / (config.parallel.data * config.parallel.tensor)


def train_step(config: TrainConfig, model: Any, optimizer: Any, batches: Iterator[Batch]) -> tuple[float, float]:
    """One optimizer step; returns loss and gradient norm before clipping."""
    model.zero_grad_buffer()
    optimizer.zero_grad()
    loss = _run_micro_batches(config, model, batches, forward_only=False)
    updated, norm, _ = optimizer.step()
    if not updated:
        raise CurateError(
            "the gradient is not finite; lower the learning rate, or look at the batch with `curate trace`"
        )
    return loss, float(norm)


def validate(config: TrainConfig, model: Any, dataset: Any) -> float:
    """Mean loss over the first validation batches."""
    model.eval()
    reader = BatchReader(dataset, config, 0)
    with torch.no_grad():
        losses = [
            _run_micro_batches(config, model, reader, forward_only=True) for _ in range(config.validation.batches)
        ]
    reader.close()
    model.train()
    return sum(losses) / len(losses)


def pretrain(
    config: TrainConfig, manifest_path: Path, out: Path, stop_after: int | None = None, quiet: bool = False
) -> None:
    """Train to the end of the schedule, or to `stop_after`; goes on from the last checkpoint in `out`."""
    folder = manifest_path if manifest_path.is_dir() else manifest_path.parent
    manifest = load_manifest(manifest_path)
    check_manifest(manifest, folder, config.data.mixture)
    start_parallel(config)
    try:
        _train(config, manifest, folder, out, stop_after, quiet)
    finally:
        unset_num_microbatches_calculator()
        stop_parallel()


def _train(config: TrainConfig, manifest: Any, folder: Path, out: Path, stop_after: int | None, quiet: bool) -> None:
    init_num_microbatches_calculator(
        torch.distributed.get_rank(), None, config.batch.global_, config.batch.micro, config.parallel.data
    )
    trajectory = config.trajectory_digest()
    resumed = checkpoint.latest(out)
    if resumed:
        checkpoint.check_same_run(
            checkpoint.read_position(resumed), manifest.digest, config.data.mixture, trajectory, resumed
        )
    training, validation = build_datasets(config, manifest, folder, out / "dataset-cache")
    model = wrap_for_data_parallel(build_model(config, manifest.tokenizer.vocabulary))
    model.broadcast_params()
    optimizer, scheduler = build_optimizer(config, model)
    model.config.finalize_model_grads_func = finalize_model_grads
    model.config.grad_scale_func = optimizer.scale_loss
    position = checkpoint.Position(0, 0, manifest.digest, config.data.mixture, trajectory)
    if resumed:
        position = checkpoint.restore(resumed, model, optimizer, scheduler)
    if is_first():
        write_json(out / "train.json", config.model_dump(mode="json", by_alias=True))
    log = TrainingLog(out, position.step, quiet)
    reader = BatchReader(training, config, position.samples)
    model.train()
    last = min(config.schedule.steps, stop_after or config.schedule.steps)
    for step in range(position.step + 1, last + 1):
        started, waited = time.perf_counter(), reader.waited
        scheduler.step(increment=config.batch.global_)  # first, so that no step is taken at rate 0
        rate = max(group["lr"] for group in optimizer.param_groups)
        loss, norm = train_step(config, model, optimizer, reader)
        seconds = time.perf_counter() - started
        values: dict[str, Any] = {
            "loss": loss,
            "grad_norm": norm,
            "learning_rate": rate,
            "tokens": step * config.batch.global_ * config.model.sequence_length,
            "tokens_per_second": config.batch.global_ * config.model.sequence_length / seconds,
            "data_wait_share": (reader.waited - waited) / seconds,
        }
        if validation is not None and (step % config.validation.every == 0 or step == config.schedule.steps):
            values["validation_loss"] = validate(config, model, validation)
        log.write(step, values, say=step == 1 or step % 10 == 0 or step == last)
        position = checkpoint.Position(
            step, step * config.batch.global_, manifest.digest, config.data.mixture, trajectory
        )
        if step % config.checkpoint.every == 0 or step == last:
            checkpoint.save(out, model, optimizer, scheduler, position, config.checkpoint.keep)
    reader.close()
    log.close()


def main() -> None:
    """Entry for torchrun: CONFIG MANIFEST OUT [STOP_AFTER]."""
    config, manifest, out = (Path(argument) for argument in sys.argv[1:4])
    stop_after = int(sys.argv[4]) if len(sys.argv) > 4 else None
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    try:
        pretrain(load_train_config(config), manifest, out, stop_after)
    except CurateError as error:
        if int(os.environ.get("RANK", "0")) == 0:
            print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
