"""The learning rate of a step, as a function of the step alone."""

from __future__ import annotations

import math

from trainers.stage import ScheduleConfig


def falls_from(schedule: ScheduleConfig, steps: int) -> int:
    """The last step whose rate does not depend on the length of the run; 0 where each does."""
    if schedule.decay in ("constant", "inverse-square-root"):
        return steps
    return steps - max(1, round(schedule.decay_share * steps)) if schedule.decay == "wsd" else 0


def learning_rate(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """Rate of step `step` of `steps`, counted from 1: linear warm-up, then the decay.

    Cosine (Loshchilov and Hutter 2017), linear, constant, inverse square root (Vaswani et al. 2017),
    or warm-up, stable, decay (Hu et al. 2024, here with a linear last part).
    """
    top, low = schedule.learning_rate, schedule.min_learning_rate
    if step <= schedule.warmup:
        return schedule.start_learning_rate + (top - schedule.start_learning_rate) * step / schedule.warmup
    if schedule.decay == "constant":
        return top
    if schedule.decay == "inverse-square-root":
        return max(low, top * math.sqrt(max(schedule.warmup, 1) / step))
    if schedule.decay == "wsd":
        stable = falls_from(schedule, steps)
        done = max(0, step - stable) / (steps - stable)
        return top - (top - low) * done
    done = min(1.0, (step - schedule.warmup) / max(1, steps - schedule.warmup))
    kept = 0.5 * (math.cos(math.pi * done) + 1.0) if schedule.decay == "cosine" else 1.0 - done
    return low + (top - low) * kept
