"""From values by token to values by pair, in whatever layout the tokens lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from megatron.core import parallel_state
from torch import Tensor

from trainers.objectives.objective import MicroLoss
from trainers.parallel.context import own_positions


class _SumOverContext(torch.autograd.Function):
    """A sum over context-parallel ranks; each rank's part has the gradient of the sum."""

    @staticmethod
    def forward(context: object, values: Tensor) -> Tensor:  # type: ignore[override]
        whole = values.clone()
        torch.distributed.all_reduce(whole, group=parallel_state.get_context_parallel_group())
        return whole

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient


@dataclass(frozen=True)
class PairPlaces:
    """Where the pairs of a micro-batch lie; `sequences` has shape (b, s) over all context-parallel ranks."""

    sequences: Tensor

    @property
    def own(self) -> Tensor | None:
        """This rank's places of a row, None where it has all."""
        size = parallel_state.get_context_parallel_world_size()
        if size == 1:
            return None
        return own_positions(parallel_state.get_context_parallel_rank(), size, self.sequences.shape[1])

    def of_rank(self, whole: Tensor) -> Tensor:
        """This rank's columns of a tensor of shape (b, s)."""
        return whole if self.own is None else whole[:, self.own]

    @property
    def starts(self) -> Tensor:
        """The first place of each pair, (b, s); in the order of rows and places these are the pairs."""
        before = torch.nn.functional.pad(self.sequences, (1, 0), value=-2)[:, :-1]
        return (self.sequences != before) & (self.sequences >= 0) & (self.sequences % 2 == 0)

    @property
    def ends(self) -> Tensor:
        """The last place of each answer, (b, s)."""
        after = torch.nn.functional.pad(self.sequences, (0, 1), value=-2)[:, 1:]
        return (self.sequences != after) & (self.sequences >= 0)

    def sums(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values by this rank's places, (b, s of rank), summed by answer: (pairs,) of chosen and of rejected ones."""
        count = int(self.sequences.max()) + 1
        places = self.of_rank(self.sequences).long()
        places = torch.where(places < 0, count, places)
        summed = values.new_zeros(values.shape[0], count + 1).scatter_add(1, places, values)[:, :count]
        if self.own is not None:
            summed = _SumOverContext.apply(summed)
        there = self.sequences.amax(1, keepdim=True) >= torch.arange(0, count, 2, device=values.device)
        return summed[:, 0::2][there], summed[:, 1::2][there]

    def told(self, by_pair: Tensor) -> Tensor:
        """Values by pair at this rank's places, (b, s of rank): each at its pair's first place, on one rank alone."""
        whole = by_pair.new_zeros(self.sequences.shape)
        whole[self.starts] = by_pair
        return self.of_rank(whole)


def by_pairs(places: PairPlaces, losses: Tensor, more: dict[str, Tensor]) -> MicroLoss:
    """Losses and numbers by pair, (pairs,), as the loop wants them: each pair told on one context-parallel rank."""
    told, weights = places.told(losses.detach()), places.told(torch.ones_like(losses))
    sums = {name: places.told(values.detach()).sum() for name, values in more.items()}
    return MicroLoss(losses.sum(), weights.sum(), told, weights, sums)
