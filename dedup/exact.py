"""Exact duplicates: the hash of the same words, whatever white space stands between them.

Spaces between letters and digits are part of the words ("1 0.5 ml" is not "10.5 ml"); beside ideographs and signs
they are layout.
"""

from __future__ import annotations

import hashlib

import polars as pl

LAYOUT = r"[^\p{L}\p{N} ]|\p{Han}|\p{Hiragana}|\p{Katakana}"  # beside these white space says nothing


def exact_hashes(text: pl.Series) -> pl.Series:
    """128-bit BLAKE2b of each text, white space that is layout removed, in hexadecimal; shape (rows,)."""
    words = text.fill_null("").str.strip_chars().str.replace_all(r"\s+", " ")
    squeezed = words.str.replace_all(f"({LAYOUT}) ", "$1").str.replace_all(f" ({LAYOUT})", "$1").to_list()
    hashes = [hashlib.blake2b(value.encode(), digest_size=16).hexdigest() for value in squeezed]
    return pl.Series("exact", hashes, dtype=pl.String)
