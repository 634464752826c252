"""Which component each sample comes from, when weights change along the way and components may run out."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(cache=True)  # type: ignore[misc]
def _blend(weights, ends, width, caps, count, chosen, numbers):  # type: ignore[no-untyped-def]
    phases, components = weights.shape
    credit = np.zeros(components)
    taken = np.zeros(components, np.int64)
    spent_at = np.full(components, -1, np.int64)
    row = np.empty(components)
    phase = 0
    for position in range(count):
        while phase + 1 < phases and position >= ends[phase]:
            phase += 1
        row[:] = weights[phase]
        if width > 0 and phase + 1 < phases:
            start = ends[phase] - width
            if position >= start:
                share = (position - start + 0.5) / width
                for i in range(components):
                    row[i] = (1.0 - share) * weights[phase, i] + share * weights[phase + 1, i]
        total = 0.0
        for i in range(components):
            if taken[i] >= caps[i]:
                row[i] = 0.0
                if spent_at[i] < 0:
                    spent_at[i] = position
            total += row[i]
        if total <= 0.0:
            return position, spent_at
        best = -1
        for i in range(components):
            credit[i] += row[i] / total
            if row[i] > 0.0 and (best < 0 or credit[i] > credit[best]):
                best = i
        credit[best] -= 1.0
        chosen[position] = best
        numbers[position] = taken[best]
        taken[best] += 1
    return count, spent_at


def blend(
    weights: npt.NDArray[np.float64],
    ends: npt.NDArray[np.int64],
    width: int,
    caps: npt.NDArray[np.int64],
    count: int,
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64], int, npt.NDArray[np.int64]]:
    """Component and running number within it of each of `count` samples.

    At every sample the component furthest behind its share is taken, so that any stretch of samples
    holds the shares of its weights to within a sample or so. `weights` (phases, components) hold
    until sample `ends` (phases,); over the last `width` samples of a phase they turn linearly into
    the next phase's. A component is taken at most `caps` times; its share then goes to the others.

    Returns:
        component (count,), number (count,), how many could be filled, and the sample at which each
        component ran out (components,), -1 where it did not.
    """
    chosen, numbers = np.empty(count, np.int16), np.empty(count, np.int64)
    filled, spent = _blend(weights, ends, width, caps, count, chosen, numbers)
    return chosen, numbers, filled, spent
