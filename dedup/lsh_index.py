"""An LSH index over MinHash signatures as sorted arrays: mapped into memory, looked into by halving.

A document is a candidate where it agrees with the query in all rows of one band (Leskovec, Rajaraman
and Ullman, Mining of Massive Datasets, ch. 3); its similarity is then estimated over the whole signature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dedup.minhash import MinHashConfig, Signatures, band_hashes


@dataclass(frozen=True)
class LshIndex:
    """Signatures (documents, functions); for each band the sorted hashes and their rows, (bands, documents)."""

    config: MinHashConfig
    signatures: Signatures
    hashes: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.uint32]


def build(signatures: Signatures, config: MinHashConfig) -> LshIndex:
    """The index of signatures, shape (documents, functions)."""
    hashes = band_hashes(signatures, config).T
    order = np.argsort(hashes, axis=1, kind="stable")
    return LshIndex(config, signatures, np.take_along_axis(hashes, order, axis=1), order.astype(np.uint32))


def near(
    index: LshIndex, query: Signatures, min_similarity: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Rows that share a band with the query, shape (1, functions), and their estimated Jaccard similarity.

    The nearest first; rows below `min_similarity` are left out.
    """
    found: set[int] = set()
    for band, wanted in enumerate(band_hashes(query, index.config)[0]):
        low, high = (int(np.searchsorted(index.hashes[band], wanted, side=side)) for side in ("left", "right"))
        found.update(index.rows[band, low:high].tolist())
    rows = np.array(sorted(found), np.int64)
    similar = (index.signatures[rows] == query).mean(axis=1) if len(rows) else np.zeros(0)
    order = np.lexsort((rows, -similar))
    kept = order[similar[order] >= min_similarity]
    return rows[kept], similar[kept]
