"""Losses on pairs: DPO (Rafailov et al. 2023), IPO (Azar et al. 2023), Bradley-Terry with a margin (Llama 2, 2023)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Kind = Literal["sigmoid", "ipo"]


def dpo(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float,
    kind: Kind = "sigmoid",
    lengths_chosen: Tensor | None = None,
    lengths_rejected: Tensor | None = None,
) -> Tensor:
    """A loss for each pair, (pairs,), of log-probabilities summed over the tokens of each answer.

    `sigmoid`: -log sigmoid(beta x margin), equation 7 of DPO. `ipo`: (margin - 1 / (2 beta))^2, equation 17
    of IPO. With both lengths, each answer's log ratio is divided by its tokens before the margin is
    taken (length-normalised DPO, Meng et al. 2024; for IPO as its authors average).
    """
    chosen, rejected = policy_chosen - reference_chosen, policy_rejected - reference_rejected
    if (lengths_chosen is None) != (lengths_rejected is None):
        raise ValueError("both lengths, or none")
    if lengths_chosen is not None and lengths_rejected is not None:
        chosen, rejected = chosen / lengths_chosen.clamp(min=1), rejected / lengths_rejected.clamp(min=1)
    margin = chosen - rejected
    if kind == "sigmoid":
        return -F.logsigmoid(beta * margin)
    if kind == "ipo":
        return (margin - 1.0 / (2.0 * beta)).square()
    raise ValueError(f"kind is sigmoid or ipo, not {kind!r}")


def bradley_terry(chosen: Tensor, rejected: Tensor, margin: Tensor | float | None = None) -> Tensor:
    """A loss for each pair, (pairs,): -log sigmoid(chosen - rejected - margin), of scalar rewards.

    The margin asks for a greater difference where the preference is stronger (Llama 2, equation 2).
    """
    difference = chosen - rejected
    if margin is not None:
        difference = difference - torch.as_tensor(margin, dtype=difference.dtype, device=difference.device)
    return -F.logsigmoid(difference)
