"""A scalar head in the place of the output layer: scores for each aspect at each token.

It is small, so every tensor-parallel rank has all of it and computes the same from the whole sequence.
It starts at zero: at first all answers are worth the same, whatever the parent's last layer says.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.tensor_parallel.mappings import gather_from_sequence_parallel_region

HEAD = "reward_head"  # part of its parameter's name


def is_head(name: str) -> bool:
    """Whether a parameter is the reward head's."""
    return HEAD in name


class RewardHead(torch.nn.Module):
    """Scores (s, b, aspects) of hidden states (s of rank, b, hidden), called as Megatron calls an output layer."""

    def __init__(self, hidden: int, aspects: int, sequence_parallel: bool, kind: torch.dtype) -> None:
        super().__init__()
        self.reward_head = torch.nn.Parameter(torch.zeros(aspects, hidden, dtype=kind))
        self.sequence_parallel = sequence_parallel

    def forward(self, states: torch.Tensor, weight: Any = None, **asked: Any) -> tuple[torch.Tensor, None]:
        """`weight` is the embedding's where it is shared; a reward model has no use for it."""
        if self.sequence_parallel:
            # Every rank computes the same scores and the same gradient, of which each takes its part.
            states = gather_from_sequence_parallel_region(states, tensor_parallel_output_grad=False)
        return torch.nn.functional.linear(states, self.reward_head), None
