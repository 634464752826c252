"""The distribution that tokens are drawn from, and the draw: one function for the sampler and for the trainer.

Randomness is a hash of (seed, step, prompt, sample, position), so a text does not depend on what was
sampled beside it, in which order, by how many processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_WEYL: Final = 0x9E3779B97F4A7C15
_LARGE_NEGATIVE: Final = float("-inf")


@dataclass(frozen=True)
class Sampling:
    """Temperature 0 takes the likeliest token; `top_k` 0 and `top_p` 1 leave all tokens in."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 128


def log_distribution(logits: Tensor, sampling: Sampling, chosen: Tensor | None = None) -> Tensor:
    """Log-probabilities that tokens are drawn with, (…, vocabulary), -inf for those that are cut off.

    `top_p` keeps the smallest set of likeliest tokens whose probability reaches it (Holtzman et al. 2020).
    A token of `chosen`, (…), was drawn and is kept whatever rounding says.
    """
    temperature = sampling.temperature if sampling.temperature > 0 else 1.0
    told = torch.log_softmax(logits.float() / temperature, dim=-1)
    if sampling.top_p >= 1.0 and not sampling.top_k:
        return told
    cut = torch.zeros_like(told, dtype=torch.bool)
    ordered, places = told.detach().sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        beyond = torch.arange(told.shape[-1], device=told.device) >= sampling.top_k
        cut |= torch.zeros_like(cut).scatter(-1, places, beyond.expand_as(cut))
    if sampling.top_p < 1.0:
        before = ordered.exp().cumsum(-1) - ordered.exp()
        cut |= torch.zeros_like(cut).scatter(-1, places, before >= sampling.top_p)
    if chosen is not None:
        cut.scatter_(-1, chosen[..., None], False)
    return torch.log_softmax(told.masked_fill(cut, _LARGE_NEGATIVE), dim=-1)


def uniform(seed: int, step: int, prompts: npt.NDArray[np.int64], samples: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:  # fmt: skip # noqa: E501
    """Numbers in [0, 1), one for each (prompt, sample, position): rounds of splitmix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        state = np.full(len(prompts), (seed * _WEYL + step + 1) % 2**64, dtype=np.uint64)
        for part in (prompts, samples, positions):
            state = _mixed((state ^ part.astype(np.uint64)) + np.uint64(_WEYL))
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def draw(logits: Tensor, sampling: Sampling, numbers: npt.NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """Tokens, (rows,), by inverting the cumulative distribution at `numbers`, and their log-probabilities."""
    told = log_distribution(logits, sampling)
    if sampling.temperature <= 0:
        tokens = logits.argmax(-1)
    else:
        cumulative = told.double().exp().cumsum(-1)
        wanted = torch.from_numpy(numbers).to(logits.device)[:, None] * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, wanted, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
    return tokens, told.gather(-1, tokens[:, None])[:, 0]


def log_probabilities(logits: Tensor, tokens: Tensor, sampling: Sampling) -> Tensor:
    """Log-probabilities, (…), with which these tokens were drawn."""
    if sampling.temperature <= 0:
        return torch.log_softmax(logits.float(), dim=-1).gather(-1, tokens[..., None])[..., 0]
    return log_distribution(logits, sampling, tokens).gather(-1, tokens[..., None])[..., 0]
