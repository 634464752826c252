"""Megatron's distributed AdamW: groups, rates, norms, and a step that may be refused."""

from __future__ import annotations

import fnmatch
from typing import Any

import torch
from megatron.core.distributed import finalize_model_grads
from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer.optimizer_config import ParamKey, ParamWithNamePredicate

from trainers.loop.schedule import learning_rate
from trainers.stage import Group, TrainConfig

CLIP_EPSILON = 1e-6  # as torch's clip_grad_norm_ and Megatron have it


def build_optimizer(config: TrainConfig, model: list[Any]) -> Any:
    """The optimizer over this rank's share of the state (ZeRO stage 1), and the model's finishing of gradients."""
    settings, schedule = config.optimizer, config.schedule
    on_gpu, bf16 = torch.cuda.is_available(), config.precision == "bf16"
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
            bf16=bf16,
            params_dtype=torch.bfloat16 if bf16 else torch.float32,
            use_distributed_optimizer=True,
            overlap_param_gather=on_gpu,
        ),
        model,
        config_overrides=_overrides(config),
    )
    for part in parts_of(optimizer):
        for group in part.optimizer.param_groups:
            group.update(fused=True, foreach=False)  # one pass over memory instead of six, on CPUs as well
    for part in model:
        part.config.finalize_model_grads_func = _finished_unscaled
        part.config.grad_scale_func = optimizer.scale_loss
        if on_gpu:
            part.config.no_sync_func = part.no_sync if len(model) == 1 else [one.no_sync for one in model]
    return optimizer


def _finished_unscaled(model: list[Any], tokens: Any, **more: Any) -> None:
    """Gradients reduced over all ranks, as sums: the step divides by the tokens as it passes over them."""
    finalize_model_grads(model, None, **more)


def _overrides(config: TrainConfig) -> dict[ParamKey, dict[str, float]]:
    """Each parameter belongs to the first group that matches it; biases and norms have no decay otherwise."""
    groups = config.optimizer.groups

    def first(name: str, group: Group | None) -> bool:
        # Names come with "module." for every wrapper; patterns are meant for the bare name.
        bare = name.removeprefix("module.").removeprefix("module.")
        return next((one for one in groups if fnmatch.fnmatch(bare, one.match)), None) is group

    keys: dict[ParamKey, dict[str, float]] = {}
    schedule = config.schedule
    for number, group in enumerate(groups):
        values = {
            "max_lr": schedule.learning_rate * group.learning_rate,
            "min_lr": schedule.min_learning_rate * group.learning_rate,
        }
        for flat in (True, False):
            decay = group.weight_decay if group.weight_decay is not None else (0.0 if flat else 1.0)
            keys[_key(f"group-{number}-{flat}", lambda p, n, g=group, f=flat: first(n, g) and (p.dim() == 1) is f)] = {
                **values,
                "wd_mult": decay,
            }
    keys[_key("flat", lambda p, n: first(n, None) and p.dim() == 1)] = {"wd_mult": 0.0}
    return keys


def _key(name: str, predicate: Any) -> ParamKey:
    return ParamKey(with_name_predicate=ParamWithNamePredicate(name=name, fn=predicate))


def parts_of(optimizer: Any) -> list[Any]:
    """Megatron chains optimizers where parameters need several; mostly there is one."""
    return list(getattr(optimizer, "chained_optimizers", [optimizer]))


def group_factors(config: TrainConfig, optimizer: Any) -> list[tuple[float, float]]:
    """Factors of every parameter group on learning rate and weight decay.

    Read once after building: Megatron-Core tells groups apart by their weight decay alone on loading
    a checkpoint, and may give one the other's rate.
    """
    top = config.schedule.learning_rate or 1.0  # whatever the factors are, a rate of 0 stays 0
    return [((group.get("max_lr") or top) / top, group.get("wd_mult", 1.0)) for group in optimizer.param_groups]


def set_rate(config: TrainConfig, optimizer: Any, factors: list[tuple[float, float]], step: int, steps: int) -> float:
    """Set every group's learning rate and weight decay for a step; returns the rate without factors."""
    rate = learning_rate(config.schedule, step, steps)
    for group, (on_rate, on_decay) in zip(optimizer.param_groups, factors, strict=True):
        group["lr"] = rate * on_rate
        group["weight_decay"] = config.optimizer.weight_decay * on_decay
    return rate


def gradient_norm(optimizer: Any, tokens: int) -> float:
    """Norm of the mean gradient of a token, over all ranks; gradients are ready to be applied or thrown away.

    Squares of the tensors' norms are summed in fp64: how a layout cuts the gradient hardly shows.
    """
    optimizer.prepare_grads()
    squares = torch.zeros(1, dtype=torch.float64, device=torch.cuda.current_device())
    parts = parts_of(optimizer)
    for part in parts:
        gradients = part.get_main_grads_for_grad_norm()
        if gradients:
            squares += torch.stack(torch._foreach_norm(gradients)).double().square().sum()  # type: ignore[arg-type]
    torch.distributed.all_reduce(squares, group=parts[0].get_grad_stats_parallel_group())
    return float(squares.sqrt()) / tokens


def apply_gradients(optimizer: Any, norm: float, clip: float, tokens: int) -> None:
    """Take the optimizer's step with the mean gradient of a token, clipped to `clip` (0: not at all)."""
    clipped = clip / (norm + CLIP_EPSILON) if clip > 0 else 1.0
    divisor = tokens / clipped if clipped < 1 else float(tokens)
    for part in parts_of(optimizer):
        if isinstance(part.optimizer, torch.optim.AdamW):  # divides as it goes, where it is fused
            part.optimizer.grad_scale = torch.tensor(divisor, device=torch.cuda.current_device())  # type: ignore[attr-defined]
        else:
            gradients = [one.grad for one in part.get_parameters() if one.grad is not None]
            torch._foreach_div_(gradients, divisor)
    optimizer.step_with_ready_grads()
