"""Group-relative advantages (GRPO: Shao et al. 2024, section 4.1.2; without deviation: Liu et al. 2025).

A reward that is not a number is a rollout without a verdict (a crash, a time-out): it is no zero, it
leaves the group, and those that stay are compared with one another alone.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Normalise = Literal["std", "none", "leave_one_out"]


def group_advantages(
    rewards: Tensor, normalise: Normalise = "std", ddof: int = 1, eps: float = 1e-6
) -> tuple[Tensor, bool]:
    """Advantages of one group, shape (samples,), and whether it is to be dropped for want of variance.

    `std` subtracts the mean of the survivors and divides by their standard deviation plus `eps`
    (`ddof` 1 as TRL and verl have it, 0 as the paper's population form); `none` only subtracts the mean;
    `leave_one_out` subtracts the mean of the others (RLOO: Ahmadian et al. 2024).

    Args:
        rewards: shape (samples,); NaN marks a failed rollout, whose advantage is NaN.

    A group whose rewards are all equal, or with fewer than two survivors, has advantages of zero and is dropped.
    """
    if normalise not in ("std", "none", "leave_one_out"):
        raise ValueError(f"normalise is std, none or leave_one_out, not {normalise!r}")
    if rewards.dim() != 1:
        raise ValueError(f"one group has one dimension, not {rewards.dim()}")
    alive = ~torch.isnan(rewards)
    survivors = rewards[alive]
    told = torch.full_like(rewards, float("nan"))
    count = survivors.numel()
    if count < 2 or bool((survivors == survivors[0]).all()):
        told[alive] = 0.0
        return told, True
    centred = survivors - survivors.mean()
    if normalise == "std":
        centred = centred / (survivors.std(correction=ddof) + eps)
    elif normalise == "leave_one_out":
        centred = centred * (count / (count - 1))
    told[alive] = centred
    return told, False
