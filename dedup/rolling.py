"""Rolling hashes over streams of values: any span's hash in constant time, spans found by hash.

Used for two streams of a text: its units (for n-grams), and its letters and digits alone, without
spaces, case or punctuation (for whole questions).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from textcolumns.characters import DIGIT, IDEOGRAPH, LETTER, TABLE_SIZE
from textcolumns.segment import decode, mix

_BASE = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def letters_of(data, offsets, classes, folded):  # type: ignore[no-untyped-def]
    """Letters and digits of each text, folded and mixed, with the byte each starts at."""
    rows = offsets.size - 1
    mixed = np.empty(offsets[rows] - offsets[0], np.uint64)
    places = np.empty(offsets[rows] - offsets[0], np.int64)
    bounds = np.zeros(rows + 1, np.int64)
    count = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            code, width = decode(data, at, end)
            if code < TABLE_SIZE:
                kind = classes[code]
                base = folded[code]
                if (kind == LETTER or kind == DIGIT or kind == IDEOGRAPH) and base != 0:
                    mixed[count] = mix(uint64(base) + uint64(_BASE))
                    places[count] = at
                    count += 1
            at += width
        bounds[row + 1] = count
    return mixed[:count], places[:count], bounds


@njit(cache=True)
def prefix_hashes(values):  # type: ignore[no-untyped-def]
    """Polynomial prefix hashes modulo 2^64, and the powers of the base; shapes (values + 1,)."""
    prefix = np.zeros(values.size + 1, np.uint64)
    powers = np.ones(values.size + 1, np.uint64)
    for index in range(values.size):
        prefix[index + 1] = prefix[index] * uint64(_BASE) + values[index]
        powers[index + 1] = powers[index] * uint64(_BASE)
    return prefix, powers


@njit(cache=True, inline="always")
def span_hash(prefix, powers, start, end):  # type: ignore[no-untyped-def]
    return prefix[end] - prefix[start] * powers[end - start]


@njit(cache=True)
def find_spans(prefix, powers, bounds, n, wanted, sieve):  # type: ignore[no-untyped-def]
    """Positions of every window of n values whose hash is in `wanted` (sorted): rows, starts, entries.

    `sieve` is a table of bytes by the low bits of the hash: nearly all windows end there. The first
    pass notes where each window was found, so that the arrays returned can be made at their size.
    """
    mask = uint64(sieve.size - 1)
    place = np.full(max(prefix.size - 1, 0), -1, np.int32)
    count = 0
    for row in range(bounds.size - 1):
        for start in range(bounds[row], bounds[row + 1] - n + 1):
            value = span_hash(prefix, powers, start, start + n)
            spread = value ^ (value >> uint64(32))
            if sieve[np.int64(spread & mask)] == 0:
                continue
            at = np.searchsorted(wanted, value)
            if at < wanted.size and wanted[at] == value:
                place[start] = at
            while at < wanted.size and wanted[at] == value:
                count += 1
                at += 1
    rows, starts, entries = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    count = 0
    for row in range(bounds.size - 1):
        for start in range(bounds[row], bounds[row + 1] - n + 1):
            if place[start] >= 0:
                at = np.int64(place[start])
                value = wanted[at]
                while at < wanted.size and wanted[at] == value:
                    rows[count], starts[count], entries[count] = row, start, at
                    count += 1
                    at += 1
    return rows, starts, entries


def sieve_of(wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """A table of bytes by the low bits of the wanted hashes: nearly all others are told at once."""
    bits = max(16, int(np.ceil(np.log2(max(len(wanted), 1)))) + 4)
    sieve = np.zeros(1 << bits, np.uint8)
    spread = wanted ^ (wanted >> np.uint64(32))
    sieve[(spread & np.uint64(len(sieve) - 1)).astype(np.int64)] = 1
    return sieve
