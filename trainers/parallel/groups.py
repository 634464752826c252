"""Process groups and random states of one training process."""

from __future__ import annotations

import os
import random
import socket
from datetime import timedelta
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from megatron.core import parallel_state, tensor_parallel

from storage.memory import MOST_KEPT, keep_freed_pages
from storage.orphans import forks_end_with_this
from trainers.parallel.cpu_layer import activate_cpu_layer
from trainers.parallel.megatron_changes import change_megatron
from trainers.stage import TrainConfig

TIMEOUT = timedelta(minutes=10)
_ours = False  # whether the process group was made here; one made by the caller is left to it
_told: dict[str, str] = {}  # what was written into the environment here
_wrapped: WeakSet[Any] = WeakSet()  # what hears of its gradients, until the groups are left


def start_parallel(config: TrainConfig) -> None:
    """Join the processes of this run and lay out tensor, pipeline, context and data parallelism.

    Under torchrun the environment says who we are; alone, a world of one is made. NCCL with CUDA,
    gloo without.
    """
    forks_end_with_this()  # writers of checkpoints
    on_cpu = activate_cpu_layer()
    change_megatron()
    if on_cpu:
        keep_freed_pages(MOST_KEPT, one_arena=True)
    if "RANK" not in os.environ:
        alone = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
        _told.update(alone, MASTER_ADDR="127.0.0.1", MASTER_PORT=_free_port())
        os.environ.update(_told)
    if not on_cpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    global _ours
    if not torch.distributed.is_initialized():
        _ours = True
        torch.distributed.init_process_group("gloo" if on_cpu else "nccl", timeout=TIMEOUT)
    if parallel_state.is_initialized():
        parallel_state.destroy_model_parallel()
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=config.parallel.tensor,
        pipeline_model_parallel_size=config.parallel.pipeline,
        virtual_pipeline_model_parallel_size=config.parallel.chunks if config.parallel.chunks > 1 else None,
        context_parallel_size=config.parallel.context,
    )
    seed_everything(config.seed)


def hears_gradients(part: Any) -> Any:
    """Remember a part of Megatron's data parallelism, so that `stop_parallel` can let it go."""
    _wrapped.add(part)
    return part


def seed_everything(seed: int) -> None:
    """One seed for weights on every rank; Megatron's tracker keeps a stream of its own a rank."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    tensor_parallel.model_parallel_cuda_manual_seed(seed)
    torch.manual_seed(seed)


def stop_parallel() -> None:
    """Leave the process groups, and end them.

    Megatron's hooks on gradients hold their model, it its optimizer (by the configuration's function
    that scales the loss), and that the hooks, in a circle that goes through C++ where Python's collector
    sees nothing: fifty threads of gloo a model would stay.
    """
    for part in list(_wrapped):
        part.grad_accs.clear()
        part.config.grad_scale_func = None
    _wrapped.clear()
    if parallel_state.is_initialized():
        parallel_state.destroy_model_parallel()
    if torch.distributed.is_initialized():
        whole = torch.distributed.group.WORLD
        for group in list(torch.distributed.distributed_c10d._world.pg_map):
            if group is not whole:
                torch.distributed.destroy_process_group(group)
    if _ours and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for name in _told:  # processes started later are no ranks of this one's
        os.environ.pop(name, None)
    _told.clear()


def is_first() -> bool:
    """Whether this process writes logs and reports."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
