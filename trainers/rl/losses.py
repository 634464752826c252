"""The clipped policy loss of GRPO and its relatives, as pure functions of log-probabilities.

- Clipping with bounds of its own below and above: PPO (Schulman et al. 2017), "clip-higher" (DAPO, Yu et al. 2025).
- Aggregation: `token`, the mean over all learned tokens of the batch (DAPO); `sequence`, the mean over
  sequences of each one's mean (GRPO), sequences without a learned token left out of the divisor;
  `constant`, the sum over (sequences with a verdict x `length`) (Dr. GRPO), which favours no length.
- Ratio: by token, or the sequence's geometric mean for all its tokens (GSPO, Zheng et al. 2025, equation 7).
- KL to a reference by the estimator k3 (Schulman 2020), a term of the loss and no part of the reward.
- Truncated importance weights for tokens that another engine sampled (Yao et al. 2025).

Values under the mask are never looked at: they may be anything, also no numbers.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Aggregation = Literal["token", "sequence", "constant"]
Level = Literal["token", "sequence"]
Estimator = Literal["k1", "k2", "k3"]


def kl(new: Tensor, reference: Tensor, kind: Estimator = "k3") -> Tensor:
    """Estimate, token by token, of KL(new || reference) on tokens that `new` sampled (Schulman 2020).

    k1 is unbiased and may be negative; k2 is half the squared log ratio; k3 is unbiased and never negative.
    Shapes: as given, log-probabilities in and an estimate each out.
    """
    log_ratio = reference - new
    if kind == "k1":
        return -log_ratio
    if kind == "k2":
        return 0.5 * log_ratio.square()
    if kind == "k3":
        return torch.expm1(log_ratio) - log_ratio
    raise ValueError(f"kind is k1, k2 or k3, not {kind!r}")


def policy_loss(
    new: Tensor,
    old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.28,
    aggregation: Aggregation = "token",
    length: int | None = None,
    ratio: Level = "token",
    reference: Tensor | None = None,
    kl: float = 0.0,
    sampler: Tensor | None = None,
    importance_cap: float | None = None,
    importance: Level = "token",
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss to descend, a scalar, and what to log.

    Args:
        new: log-probabilities under the policy that learns, (sequences, tokens).
        old: those under the policy at the beginning of this batch, same shape, no gradient.
        advantages: (sequences,); one that is not a number takes its sequence out.
        mask: (sequences, tokens), bool or 0 and 1: which tokens are learned.
        length: divisor of `constant`: the longest that an answer may be (default: the tokens of `new`).
        reference: log-probabilities under the reference, for the KL term weighted by `kl`.
        sampler: log-probabilities that the sampling engine told; with `importance_cap` the loss of a token
            (or of a sequence, by the sum of its log ratios) is weighted by min(old / sampler, cap).

    Returns:
        The loss; metrics `clip_low_share`, `clip_high_share` (of learned tokens whose clipped branch was
        taken below and above), `kl` (k3, a mean over learned tokens; 0 without a reference).
    """
    losses, chosen, counts = token_losses(
        new, old, advantages, mask, clip_low=clip_low, clip_high=clip_high, ratio=ratio, reference=reference, kl=kl,
        sampler=sampler, importance_cap=importance_cap, importance=importance,
    )  # fmt: skip
    alive = int((~torch.isnan(advantages)).sum())
    loss = aggregated(losses, chosen, aggregation, length, alive)
    count = chosen.sum().clamp(min=1)
    names = {"clip_low": "clip_low_share", "clip_high": "clip_high_share", "kl": "kl"}
    return loss, {name: counts[key] / count for key, name in names.items()}


def token_losses(
    new: Tensor,
    old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    ratio: Level,
    reference: Tensor | None,
    kl: float,
    sampler: Tensor | None = None,
    importance_cap: float | None = None,
    importance: Level = "token",
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The loss of each token, which tokens are learned, both (sequences, tokens), and sums over these to log."""
    chosen = mask.bool() & ~torch.isnan(advantages)[:, None]
    new, old = _under(new, chosen), _under(old, chosen)
    gains = torch.nan_to_num(advantages, nan=0.0).to(new.dtype)[:, None]
    log_ratio = new - old
    if ratio == "sequence":
        mean = _sequence_mean(log_ratio, chosen)[:, None]
        # The value is the sequence's, the gradient each token's share (GSPO-token with equal advantages).
        log_ratio = torch.where(chosen, mean, torch.zeros_like(log_ratio))
    elif ratio != "token":
        raise ValueError(f"ratio is token or sequence, not {ratio!r}")
    ratios = log_ratio.exp()
    clipped = ratios.clamp(1.0 - clip_low, 1.0 + clip_high)
    losses = -torch.minimum(ratios * gains, clipped * gains)
    if sampler is not None and importance_cap is not None:
        losses = losses * _importance(old, _under(sampler, chosen), chosen, importance_cap, importance)
    estimate = torch.zeros((), dtype=new.dtype, device=new.device)
    if reference is not None:
        each = _k3(new, _under(reference, chosen))
        estimate = torch.where(chosen, each, torch.zeros_like(each)).sum()
        if kl:
            losses = losses + kl * each
    with torch.no_grad():
        low = chosen & (gains < 0) & (ratios < 1.0 - clip_low)
        high = chosen & (gains > 0) & (ratios > 1.0 + clip_high)
        sums = {"clip_low": low.sum(), "clip_high": high.sum(), "kl": estimate.detach()}
    return losses, chosen, sums


_k3 = kl  # `policy_loss` has an argument of this name


def aggregated(
    losses: Tensor, chosen: Tensor, aggregation: Aggregation, length: int | None = None, sequences: int | None = None
) -> Tensor:
    """One number from losses of tokens, (sequences, tokens); 0, with a gradient of 0, where none is learned.

    `sequences` divides a constant-length sum (default: all of them).
    """
    losses = torch.where(chosen, losses, torch.zeros_like(losses))
    if aggregation == "token":
        return losses.sum() / chosen.sum().clamp(min=1)
    if aggregation == "sequence":
        told = chosen.any(1)
        return (losses.sum(1) / chosen.sum(1).clamp(min=1)).sum() / told.sum().clamp(min=1)
    if aggregation == "constant":
        return losses.sum() / max(1, (sequences or losses.shape[0]) * (length or losses.shape[1]))
    raise ValueError(f"aggregation is token, sequence or constant, not {aggregation!r}")


def _under(values: Tensor, chosen: Tensor) -> Tensor:
    """Values with zeros where nothing is learned, so that garbage there reaches neither loss nor gradient."""
    return torch.where(chosen, values, torch.zeros_like(values))


def _sequence_mean(values: Tensor, chosen: Tensor) -> Tensor:
    return torch.where(chosen, values, torch.zeros_like(values)).sum(1) / chosen.sum(1).clamp(min=1)


def _importance(old: Tensor, sampler: Tensor, chosen: Tensor, cap: float, level: Level) -> Tensor:
    """Truncated weights min(old / sampler, cap), without gradient, (sequences, tokens)."""
    log_weight = (old - sampler).detach()
    if level == "sequence":
        log_weight = torch.where(chosen, log_weight, torch.zeros_like(log_weight)).sum(1, keepdim=True)
    elif level != "token":
        raise ValueError(f"importance is token or sequence, not {level!r}")
    return log_weight.exp().clamp(max=cap).expand_as(old)
