"""Best-fit packing of lengths into bins of one capacity."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(cache=True)  # type: ignore[misc]
def _best_fit(lengths, order, capacity, bins):  # type: ignore[no-untyped-def]
    # Bins by the room they have left, as stacks in linked lists; a tree of maxima is not needed
    # because a bitmap over room sizes answers "the smallest room of at least this length".
    head = np.full(capacity + 1, -1, np.int64)
    below = np.full(lengths.size, -1, np.int64)
    words = np.zeros(capacity // 64 + 1, np.uint64)
    one = np.uint64(1)
    count = 0
    for index in order:
        length = lengths[index]
        word, found = length >> 6, -1
        bits = words[word] >> np.uint64(length & 63) << np.uint64(length & 63)
        while True:
            if bits != 0:
                low = bits & (~bits + one)
                bit = 0
                while low > one:
                    low >>= one
                    bit += 1
                found = (word << 6) + bit
                break
            word += 1
            if word >= words.size:
                break
            bits = words[word]
        if found < 0:
            chosen, room = count, capacity
            count += 1
        else:
            chosen, room = head[found], found
            head[found] = below[chosen]
            if head[found] < 0:
                words[found >> 6] &= ~(one << np.uint64(found & 63))
        left = room - length
        bins[index] = chosen
        if left > 0:
            below[chosen] = head[left]
            head[left] = chosen
            words[left >> 6] |= one << np.uint64(left & 63)
    return count


def best_fit(lengths: npt.NDArray[np.int64], capacity: int) -> tuple[npt.NDArray[np.int64], int]:
    """The bin of each length, longest first, each into the fullest bin that still has room.

    Best-fit decreasing uses at most 11/9 of the best number of bins (Johnson 1974); on lengths of
    real conversations it is within a fraction of a percent. Equal lengths keep their order, so the
    outcome is determined by the input. Lengths lie between 1 and `capacity`.

    Returns:
        bins (rows,), and how many there are.
    """
    bins = np.empty(lengths.size, np.int64)
    order = np.argsort(-lengths, kind="stable")
    return bins, int(_best_fit(lengths, order, capacity, bins))
