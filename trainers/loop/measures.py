"""Numbers about a step beyond its loss: speed, model FLOP utilisation, memory, losses by part of the data."""

from __future__ import annotations

import math
import resource
from functools import lru_cache
from typing import Any, Final

import torch

from trainers.model.config import ModelConfig
from trainers.objectives.objective import Told
from trainers.stage import TrainConfig

# Dense bf16 peak of one device, from the makers' data sheets.
PEAK_FLOPS: Final = {"H100": 989e12, "H200": 989e12, "H800": 989e12, "A100": 312e12, "A800": 312e12, "B200": 2250e12}
UNGRADED: Final = "ungraded"


@lru_cache(maxsize=1)
def peak_flops() -> float:
    """Floating-point operations a second of this process's device.

    Known GPUs by name; a CPU's is measured once as the best of three fp32 matrix products, so that
    utilisation there means "of what torch reaches on this machine".
    """
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        return next((peak for key, peak in PEAK_FLOPS.items() if key in name), float("nan"))
    import time

    size = 1024
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = math.inf
    for _ in range(3):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


def utilisation(config: TrainConfig, model: ModelConfig, vocabulary: int, tokens_per_second: float) -> float:
    """Model FLOP utilisation (Chowdhery et al. 2022): operations the model needs, over what the devices could do."""
    peak = (config.log.peak_flops or peak_flops()) * config.parallel.world_size
    return tokens_per_second * model.flops_per_token(vocabulary, config.data.sequence_length) / peak


def memory_bytes() -> int:
    """Peak memory of this process: the device's where there is one, else resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def by_part(losses: Told, tags: list[str]) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Mean losses by component and by authority grade, of tags `component|grade`, and tokens by component."""
    parts = [tag.rsplit("|", 1) for tag in tags]
    means = {kind: _means(losses.by_tag, [part[n] for part in parts]) for n, kind in enumerate(("component", "grade"))}
    tokens: dict[str, int] = {}
    for (component, _), (_, count) in zip(parts, losses.by_tag, strict=True):
        tokens[component] = tokens.get(component, 0) + count
    return means, tokens


def held_out(losses: Told, tags: list[str]) -> dict[str, Any]:
    """What is told of validation, of tags `component|source`: loss, loss by component, perplexity by source."""
    parts = [tag.rsplit("|", 1) for tag in tags]
    by_component, by_source = (_means(losses.by_tag, [part[place] for part in parts]) for place in (0, 1))
    return {
        "validation_loss": losses.mean,
        "validation_by_component": by_component,
        "perplexity": {name: math.exp(min(700.0, mean)) for name, mean in sorted(by_source.items())},
    }


def _means(losses: list[tuple[float, int]], names: list[str]) -> dict[str, float]:
    sums: dict[str, tuple[float, int]] = {}
    for name, (total, count) in zip(names, losses, strict=True):
        before = sums.get(name, (0.0, 0))
        sums[name] = (before[0] + total, before[1] + count)
    return {name: total / count for name, (total, count) in sums.items() if count}
