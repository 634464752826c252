"""Which prompt comes next: strata by their weights, each through all of its prompts before one comes again.

A prompt that was mastered (all its answers right) is left out of the next epochs of its stratum and looked
at again after them. What an epoch leaves out is settled when it begins, so that no prompt of it is lost or
comes twice, whatever is mastered meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Stratum:
    """Prompts by number, and their share of all that is asked."""

    numbers: tuple[int, ...]
    weight: float = 1.0


@dataclass
class Place:
    """How far one stratum is: the epoch, prompts taken in it, in all, and what this epoch leaves out."""

    epoch: int = 0
    cursor: int = 0
    taken: int = 0
    out: frozenset[int] = frozenset()


class Order:
    """Prompts one after another; the same for a seed, and resumed from `state`."""

    def __init__(self, strata: Sequence[Stratum], seed: int) -> None:
        self.strata, self.seed = [one for one in strata if one.numbers and one.weight > 0], seed
        self.places = [Place() for _ in self.strata]
        self.mastered: dict[int, tuple[int, int]] = {}  # in which epoch, and through which it is left out
        self._of = {number: at for at, one in enumerate(self.strata) for number in one.numbers}

    @property
    def epoch(self) -> int:
        """Epochs that every stratum has behind it."""
        return min(one.epoch for one in self.places)

    def take(self, wanted: int) -> list[int]:
        """The next prompts, by number."""
        return [self._next() for _ in range(wanted)]

    def _next(self) -> int:
        at = min(range(len(self.strata)), key=lambda n: ((self.places[n].taken + 1) / self.strata[n].weight, n))
        place = self.places[at]
        while True:
            left = _shuffled(self.strata[at].numbers, self.seed, place.epoch, place.out)
            if place.cursor < len(left):
                break
            place.epoch, place.cursor = place.epoch + 1, 0
            place.out = self._left_out(at, place.epoch)
        place.cursor, place.taken = place.cursor + 1, place.taken + 1
        return left[place.cursor - 1]

    def _left_out(self, at: int, epoch: int) -> frozenset[int]:
        out = {one for one, (since, until) in self.mastered.items() if self._of[one] == at and since < epoch <= until}
        return frozenset(out) if len(out) < len(self.strata[at].numbers) else frozenset()

    def tell(self, number: int, all_right: bool, revisit: int) -> None:
        """A prompt was answered."""
        if all_right:
            epoch = self.places[self._of[number]].epoch
            self.mastered[number] = (epoch, epoch + revisit)
        else:
            self.mastered.pop(number, None)

    def state(self) -> dict[str, Any]:
        """What a resumed stage needs."""
        places = [[one.epoch, one.cursor, one.taken, sorted(one.out)] for one in self.places]
        return {"places": places, "mastered": [[number, *told] for number, told in sorted(self.mastered.items())]}

    def go_on(self, state: dict[str, Any]) -> None:
        """Be where `state` was."""
        self.places = [Place(epoch, cursor, taken, frozenset(out)) for epoch, cursor, taken, out in state["places"]]
        self.mastered = {number: (since, until) for number, since, until in state["mastered"]}


@lru_cache(maxsize=256)
def _shuffled(numbers: tuple[int, ...], seed: int, epoch: int, out: frozenset[int]) -> list[int]:
    order = np.random.default_rng([seed, epoch]).permutation(len(numbers)).tolist()
    return [numbers[at] for at in order if numbers[at] not in out]
