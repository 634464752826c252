"""Exact duplicates: the hash of the same words, whatever white space stands between them.

Spaces between letters and digits are part of the words ("1 0.5 ml" is not "10.5 ml"); beside ideographs and signs
they are layout.
"""

from __future__ import annotations

import hashlib

import polars as pl

from textcolumns.columns import TextColumn
from textcolumns.squeezed import squeezed


def exact_hashes(column: TextColumn) -> pl.Series:
    """128-bit BLAKE2b of each text, white space that is layout removed, in hexadecimal; shape (rows,)."""
    hashes = [hashlib.blake2b(one, digest_size=16).hexdigest() for one in squeezed(column)]
    return pl.Series("exact", hashes, dtype=pl.String)
