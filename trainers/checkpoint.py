"""Distributed checkpoints that say what they were trained on and how far.

A checkpoint is a folder `step-00000100`, written under a temporary name and renamed when whole, so
that a killed save leaves nothing that looks like a checkpoint.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing
from megatron.core.dist_checkpointing.strategies.torch import TorchDistSaveShardedStrategy
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer

from schemas.errors import CurateError, WrongCall
from schemas.files import read_json, write_json
from trainers.parallel import is_first

SHARDING = {"distrib_optim_sharding_type": "fully_reshardable", "distrib_optim_fully_reshardable_mem_efficient": False}


@dataclass(frozen=True)
class Position:
    """How far a run is: steps done, samples consumed, and what it consumes them from."""

    step: int
    samples: int
    manifest_digest: str
    mixture: str
    trajectory_digest: str


def checkpoint_folder(out: Path, step: int) -> Path:
    """Folder of the checkpoint after `step` steps."""
    return out / "checkpoints" / f"step-{step:08d}"


def latest(out: Path) -> Path | None:
    """The newest whole checkpoint of a run, or None."""
    found = sorted((out / "checkpoints").glob("step-*/position.json"))
    return found[-1].parent if found else None


def read_position(folder: Path) -> Position:
    """What a checkpoint says of itself."""
    return Position(**read_json(folder / "position.json"))


def _state(model: Any, optimizer: Any, scheduler: Any, loading: bool) -> dict[str, Any]:
    model_state = model.module.sharded_state_dict(metadata=SHARDING)
    return {
        "model": model_state,
        "optimizer": optimizer.sharded_state_dict(model_state, is_loading=loading, metadata=SHARDING),
        "scheduler": scheduler.state_dict(),
    }


def save(out: Path, model: Any, optimizer: Any, scheduler: Any, position: Position, keep: int) -> Path:
    """Write a checkpoint from all ranks, then drop the oldest beyond `keep`."""
    target = checkpoint_folder(out, position.step)
    temporary = target.with_name(f".{target.name}.part")
    if is_first():
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    torch.distributed.barrier()
    strategy = TorchDistSaveShardedStrategy("torch_dist", 1, thread_count=1)
    dist_checkpointing.save(
        _state(model, optimizer, scheduler, loading=False), str(temporary), strategy, content_metadata=SHARDING
    )
    torch.distributed.barrier()
    if is_first():
        write_json(temporary / "position.json", asdict(position))
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        for old in sorted((out / "checkpoints").glob("step-*"))[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
    torch.distributed.barrier()
    return target


def _set_states_but_step(self: Any, model_param: Any, tensors: dict[str, Any]) -> None:
    """Megatron restores `step` with the parameter groups, yet asks each parameter's tensors for it."""
    group, order = self.model_param_group_index_map[model_param]
    state = self.optimizer.state[self.optimizer.param_groups[group]["params"][order]]
    _set_states(self, model_param, {**({"step": state["step"]} if "step" in state else {}), **tensors})


_set_states = DistributedOptimizer._set_main_param_and_optimizer_states
DistributedOptimizer._set_main_param_and_optimizer_states = _set_states_but_step


def _with_empty_moments(optimizer: Any) -> None:
    """Give torch's Adam its moments before the first step; Megatron fills them in place on loading."""
    for part in getattr(optimizer, "chained_optimizers", [optimizer]):
        inner = part.optimizer
        for group in inner.param_groups:
            for parameter in group["params"]:
                if not inner.state[parameter]:
                    inner.state[parameter] = {
                        "step": torch.zeros((), dtype=torch.float32),
                        "exp_avg": torch.zeros_like(parameter),
                        "exp_avg_sq": torch.zeros_like(parameter),
                    }


def _with_own_steps(optimizer: Any) -> None:
    """Megatron gives all parameters one step counter on loading, which torch's Adam would advance for each."""
    for part in getattr(optimizer, "chained_optimizers", [optimizer]):
        for state in part.optimizer.state.values():
            if isinstance(state.get("step"), torch.Tensor):
                state["step"] = state["step"].clone()


def restore(folder: Path, model: Any, optimizer: Any, scheduler: Any) -> Position:
    """Load weights, optimizer and schedule; layouts other than the saved one are resharded."""
    _with_empty_moments(optimizer)
    try:
        loaded = dist_checkpointing.load(_state(model, optimizer, scheduler, loading=True), str(folder))
    except Exception as error:
        raise CurateError(
            f"checkpoint {folder} cannot be read: {type(error).__name__}: {error}; "
            "delete it to go on from the one before"
        ) from error
    model.module.load_state_dict(loaded["model"])
    optimizer.load_state_dict(loaded["optimizer"])
    _with_own_steps(optimizer)
    scheduler.load_state_dict(loaded["scheduler"])
    return read_position(folder)


def check_same_run(position: Position, manifest_digest: str, mixture: str, trajectory: str, folder: Path) -> None:
    """Refuse to go on from a checkpoint of other data or another recipe."""
    if position.manifest_digest != manifest_digest or position.mixture != mixture:
        raise WrongCall(
            f"checkpoint {folder} was trained on mixture '{position.mixture}' of manifest "
            f"{position.manifest_digest[:12]}, not '{mixture}' of {manifest_digest[:12]}; choose another --out"
        )
    if position.trajectory_digest != trajectory:
        raise WrongCall(f"checkpoint {folder} belongs to another training recipe; choose another --out")
