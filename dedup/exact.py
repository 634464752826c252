"""Exact duplicates: the hash of a text without its white space."""

from __future__ import annotations

import hashlib

import polars as pl


def exact_hashes(text: pl.Series) -> pl.Series:
    """128-bit BLAKE2b of each text, white space removed, in hexadecimal; shape (rows,)."""
    squeezed = text.fill_null("").str.replace_all(r"\s+", "").to_list()
    hashes = [hashlib.blake2b(value.encode(), digest_size=16).hexdigest() for value in squeezed]
    return pl.Series("exact", hashes, dtype=pl.String)
