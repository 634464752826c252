"""Megatron-Core on CPUs: a thin layer under its CUDA calls, active only where there is no CUDA.

Megatron-Core asks torch for CUDA devices, streams and random states in about 175 places. Without
CUDA each of those calls has one meaning on a CPU, given here, so that every parallel layout runs
and is tested on gloo processes with the same files that run on GPUs.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.utils._device

FACTORIES = ("tensor", "zeros", "ones", "empty", "full", "arange", "rand", "randn", "randint", "as_tensor", "linspace")


class _NoStream:
    """Stands for a CUDA stream or event: on a CPU everything is already in order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: None


def _nothing(told: Any = None) -> Callable[..., Any]:
    """A function of its own each time: torch's compiler keeps a table of functions and wants them distinct."""
    return lambda *args, **kwargs: told


def _on_cpu(factory: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(factory)
    def made(*args: Any, **kwargs: Any) -> Any:
        if str(kwargs.get("device", "")).startswith("cuda"):
            kwargs["device"] = "cpu"
        return factory(*args, **kwargs)

    return made


def _type_name(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """Megatron's optimizers sort parameters by type names such as `torch.cuda.FloatTensor`."""
    told = _plain_type(tensor, *args, **kwargs)
    return told.replace("torch.", "torch.cuda.", 1) if isinstance(told, str) else told


def _unless_alone(collective: Callable[..., Any]) -> Callable[..., Any]:
    """A collective that does nothing in a group of one over the same memory, where gloo would copy it onto itself."""

    def called(output: torch.Tensor, given: torch.Tensor, *args: Any, group: Any = None, **more: Any) -> Any:
        if group is not None and group.size() == 1 and output.data_ptr() == given.data_ptr():
            return None
        return collective(output, given, *args, group=group, **more)

    return called


def _add_weight_gradient(given: torch.Tensor, gradient: torch.Tensor, total: torch.Tensor) -> None:
    """total [out, in] += gradient [tokens, out]^T given [tokens, in]; `total` is fp32."""
    if given.dtype == total.dtype:
        total.addmm_(gradient.t(), given)
    else:
        total.add_(gradient.t().matmul(given))


_plain_type = torch.Tensor.type
_active = False


def activate_cpu_layer() -> bool:
    """Give Megatron-Core's CUDA calls their meaning on CPUs; does nothing, and returns False, with CUDA."""
    global _active
    if torch.cuda.is_available():
        return False
    if _active:
        return True
    _active = True
    cuda: Any = torch.cuda
    cuda.current_device = lambda: torch.device("cpu")
    for name in ("set_device", "synchronize", "empty_cache"):
        setattr(cuda, name, _nothing())
    cuda.Stream = cuda.Event = _NoStream
    cuda.current_stream = lambda *args, **kwargs: _NoStream()
    cuda.default_stream = lambda *args, **kwargs: _NoStream()
    cuda.stream = lambda *args: contextlib.nullcontext()
    cuda.manual_seed = lambda seed: torch.default_generator.manual_seed(int(seed))
    cuda.manual_seed_all = lambda seed: None
    cuda.get_rng_state = cuda.random.get_rng_state = lambda *args, **kwargs: torch.get_rng_state()
    cuda.set_rng_state = cuda.random.set_rng_state = lambda state, *args, **kwargs: torch.set_rng_state(state)
    for name in ("memory_allocated", "max_memory_allocated"):
        setattr(cuda, name, _nothing(0))
    cuda.nvtx.range_push, cuda.nvtx.range_pop = _nothing(), _nothing()
    # `with torch.device(…)` knows its factories by what they were when it was first used; these are the true ones.
    torch.utils._device._device_constructors()
    for name in FACTORIES:
        setattr(torch, name, _on_cpu(getattr(torch, name)))
    torch.Tensor.cuda = lambda self, *args, **kwargs: self  # type: ignore[method-assign]
    torch.nn.Module.cuda = lambda self, *args, **kwargs: self  # type: ignore[method-assign]
    torch.Tensor.type = _type_name  # type: ignore[method-assign, assignment]
    import megatron.core.distributed.param_and_grad_buffer as buffers
    import megatron.core.tensor_parallel.random as megatron_random
    from megatron.core.tensor_parallel import layers

    from trainers.parallel.guards import guard

    guard(
        {
            "_get_cuda_rng_state": "aa26caaa069c5c4feff0f9f4e69f0f2a",
            "_set_cuda_rng_state": "b179c9d95438b61c1d9b58e8e13cc653",
        },
        {
            "_get_cuda_rng_state": megatron_random._get_cuda_rng_state,
            "_set_cuda_rng_state": megatron_random._set_cuda_rng_state,
        },
    )
    layers.fused_weight_gradient_mlp_cuda = SimpleNamespace(wgrad_gemm_accum_fp32=_add_weight_gradient)
    layers._grad_accum_fusion_available = True
    buffers.dist_all_gather_func = _unless_alone(buffers.dist_all_gather_func)
    buffers.dist_reduce_scatter_func = _unless_alone(buffers.dist_reduce_scatter_func)
    megatron_random._get_cuda_rng_state = lambda *args, **kwargs: torch.get_rng_state()
    megatron_random._set_cuda_rng_state = lambda state, *args, **kwargs: torch.set_rng_state(state)
    return True
