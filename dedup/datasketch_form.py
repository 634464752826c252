"""Our signatures as datasketch has them, and its optimiser of bands and rows.

datasketch's scheme `affine64` takes for each permutation the minimum of a * fmix64(h) + b mod 2^64 over
the hashes h of a set. Ours is the upper half of the same number, with its own a and b (`hash_family`)
and h chosen so that fmix64(h) is the hash of a shingle: the halves of equal minima are equal, and the
minimum of halves is the half of the minimum. So a MinHash that datasketch computes with `minhash_of`
has, shifted by 32 bits, the values that our compiled loop finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import datasketch
import numpy as np
import numpy.typing as npt

from dedup.minhash import MinHashConfig, Signatures, hash_family

HALF = np.uint64(32)
SCHEME = "affine32"  # of values of 32 bits; it says how they are stored, and equal values mean what they always mean


def lean(signature: npt.NDArray[np.uint32]) -> datasketch.LeanMinHash:
    """One signature, shape (functions,), as datasketch keeps them: for its `jaccard`, LSH and files."""
    return datasketch.LeanMinHash(datasketch.MinHash(num_perm=len(signature), hashvalues=signature, scheme=SCHEME))


def minhash_of(shingles: Iterable[int], functions: int) -> datasketch.MinHash:
    """datasketch's own MinHash of a set of 64-bit shingle hashes, with our permutations."""
    made = datasketch.MinHash(
        num_perm=functions,
        permutations=hash_family(functions),
        hashfunc=lambda shingle: int(_unmixed(np.array([shingle], np.uint64))[0]),
        scheme="affine64",
    )
    for shingle in shingles:
        made.update(shingle)
    return made


def signature_of(minhash: datasketch.MinHash) -> Signatures:
    """Our signature, shape (1, functions), of what `minhash_of` gave."""
    return (minhash.hashvalues >> HALF).astype(np.uint32)[None]


def _unmixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The numbers of which the 64-bit finaliser of MurmurHash3 makes `values`."""
    shift = np.uint64(33)
    for multiplier in (0xC4CEB9FE1A85EC53, 0xFF51AFD7ED558CCD):
        values = values ^ (values >> shift)
        values = values * np.uint64(pow(multiplier, -1, 1 << 64))
    return values ^ (values >> shift)


@lru_cache(maxsize=16)
def shape_for(threshold: float, functions: int, ngram: int) -> MinHashConfig:
    """Bands and rows over at most `functions` permutations that miss and mistake least around a threshold.

    By datasketch's optimiser: false positives below and false negatives above weigh the same.
    """
    from datasketch.lsh import _optimal_param  # brings scipy, which most runs never need

    bands, rows = _optimal_param(threshold, functions, 0.5, 0.5)
    return MinHashConfig(ngram, bands, rows)
