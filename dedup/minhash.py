"""MinHash signatures of text columns and their LSH bands (Broder 1997; Leskovec et al., ch. 3).

Shingles are n-grams of folded units (words, or single characters of unspaced scripts), without
punctuation. Each of the bands x rows hash functions is a multiply-shift function
`(a * x + b) mod 2^64 >> 32` with odd a (Dietzfelbinger et al. 1997) on shingles that a 64-bit
finaliser has already spread; the signature holds its 32-bit minimum over the shingles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit, uint32, uint64

from textcolumns.columns import TextColumn
from textcolumns.segment import IS_WORD

SEED: Final = 0x6D65646963616C  # fixes the hash family, so that signatures of two runs compare

BLOCK: Final = 512  # shingles whose hashes lie in the nearest cache, 4 KiB

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
Signatures = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class MinHashConfig:
    """Shape of the signatures: `bands * rows` functions over `ngram` units a shingle.

    A pair of similarity s becomes a candidate with probability 1 - (1 - s^rows)^bands; with the
    defaults of FineWeb (14 x 8) that is one half at about s = 0.70.
    """

    ngram: int = 5
    bands: int = 14
    rows: int = 8

    @property
    def functions(self) -> int:
        """Number of hash functions, the width of a signature."""
        return self.bands * self.rows


@njit(cache=True)
def _signatures(folds, bounds, ngram, a, b):  # type: ignore[no-untyped-def]
    rows = bounds.size - 1
    width = a.size
    signatures = np.full((rows, width), np.uint32(0xFFFFFFFF), np.uint32)
    block = np.empty(BLOCK, np.uint64)
    for row in range(rows):
        first, last = bounds[row], bounds[row + 1]
        if last == first:
            continue
        n = min(ngram, last - first)
        minima = signatures[row]
        # Block by block, function by function: a minimum stays in registers while its block lies in the cache.
        for start in range(first, last - n + 1, BLOCK):
            count = min(BLOCK, last - n + 1 - start)
            for place in range(count):
                shingle = uint64(0)
                for step in range(n):
                    shingle = (shingle ^ folds[start + place + step]) * uint64(_MULTIPLIER)
                    shingle ^= shingle >> uint64(32)
                block[place] = shingle
            for function in range(width):
                factor, offset = a[function], b[function]
                # The 32 bits below decide nothing: the least value has the least upper half.
                least = (uint64(minima[function]) << uint64(32)) | uint64(0xFFFFFFFF)
                for place in range(count):
                    value = factor * block[place] + offset
                    least = value if value < least else least
                minima[function] = uint32(least >> uint64(32))
    return signatures


@njit(cache=True)
def _words(folds, flags, bounds):  # type: ignore[no-untyped-def]
    """Folds of the units that are words, and their bounds by row, in one pass."""
    rows = bounds.size - 1
    kept, ends, count = np.empty(folds.size, np.uint64), np.zeros(rows + 1, np.int64), 0
    for row in range(rows):
        for index in range(bounds[row], bounds[row + 1]):
            if flags[index] & IS_WORD:
                kept[count] = folds[index]
                count += 1
        ends[row + 1] = count
    return kept[:count], ends


@njit(cache=True)
def _band_hashes(signatures, bands, rows_a_band):  # type: ignore[no-untyped-def]
    rows = signatures.shape[0]
    hashes = np.empty((rows, bands), np.uint64)
    for row in range(rows):
        for band in range(bands):
            value = uint64(band + 1)
            for index in range(band * rows_a_band, (band + 1) * rows_a_band):
                value = (value ^ uint64(signatures[row, index])) * uint64(_MULTIPLIER)
                value ^= value >> uint64(29)
            hashes[row, band] = value
    return hashes


def hash_family(functions: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Odd multipliers and offsets of the family, each of shape (functions,), from the fixed seed."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    a = generator.integers(0, 2**64, functions, dtype=np.uint64, endpoint=False) | np.uint64(1)
    b = generator.integers(0, 2**64, functions, dtype=np.uint64, endpoint=False)
    return a, b


def word_folds(column: TextColumn) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Folded hashes of the units that are words, and their bounds per row."""
    units = column.units
    folds, bounds = _words(units.folds, units.flags, units.bounds)
    return folds, bounds


def signatures(column: TextColumn, config: MinHashConfig = MinHashConfig()) -> Signatures:
    """MinHash signatures, shape (rows, functions); a text without words keeps all ones."""
    folds, bounds = word_folds(column)
    return _signatures(folds, bounds, config.ngram, *hash_family(config.functions))


def band_hashes(of: Signatures, config: MinHashConfig = MinHashConfig()) -> npt.NDArray[np.uint64]:
    """One hash a band, shape (rows, bands): equal in a band means candidate duplicates."""
    return _band_hashes(of, config.bands, config.rows)


def lean(of: Signatures) -> list[bytes]:
    """The lowest byte of each minimum: enough to tell near from far in an eighth of the room (Li and König 2010)."""
    low = np.ascontiguousarray(of.astype(np.uint8))
    return [row.tobytes() for row in low]


def lean_similarity(one: bytes, other: bytes) -> float:
    """Estimated Jaccard similarity of two lean signatures: equal bytes, less those that are equal by chance."""
    return float(lean_similarities(np.frombuffer(one, np.uint8)[None], np.frombuffer(other, np.uint8)[None])[0])


def lean_similarities(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """`lean_similarity` of paired signatures, both of shape (pairs, bytes); returns shape (pairs,)."""
    equal = (left == right).mean(axis=1)
    return np.maximum(0.0, (equal - 1 / 256) / (1 - 1 / 256))


def jaccard_estimate(left: Signatures, right: Signatures) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity of paired signatures, shape (pairs,)."""
    return (left == right).mean(axis=1)
