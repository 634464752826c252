"""Lines that stand in many documents: licence blocks, journal footers, navigation that extraction left.

A line is known by a 64-bit hash of its text. Lines shorter than a floor are never counted, so that
short clinical phrases ("no known allergies") stay.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from textcolumns.columns import TextColumn

LINES: Final = {"row": pl.UInt32(), "line": pl.UInt64()}
REPEATED: Final = {"line": pl.UInt64(), "keeper": pl.UInt32(), "documents": pl.UInt32()}


def long_lines(
    column: TextColumn, unspaced: npt.NDArray[np.bool_], min_characters: int, unspaced_min_characters: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Row and hash of every line, and whether it reaches the floor of its script; each of shape (lines,)."""
    lines = column.lines
    counts = lines.bounds[1:] - lines.bounds[:-1]
    floor = np.repeat(np.where(unspaced, unspaced_min_characters, min_characters), counts)
    return np.repeat(np.arange(len(column)), counts), lines.hashes, lines.stripped >= floor


def repeated_lines(lines: pl.DataFrame, min_documents: int) -> pl.DataFrame:
    """Lines of at least so many documents, and the first document, which keeps its own (`REPEATED`)."""
    grouped = lines.unique().group_by("line").agg(keeper=pl.col("row").min(), documents=pl.len())
    return grouped.filter(pl.col("documents") >= min_documents).cast(REPEATED).sort("line")  # type: ignore[arg-type]


def without_repeated(
    text: pl.Series,
    column: TextColumn,
    rows: npt.NDArray[np.uint32],
    repeated: pl.DataFrame,
    floors: tuple[npt.NDArray[np.bool_], int, int],
) -> tuple[pl.Series, npt.NDArray[np.int64]]:
    """Texts (`column` is theirs) without the lines that another document keeps, and how many each lost."""
    owner, hashes, long = long_lines(column, *floors)
    known = repeated["line"].to_numpy()
    place = np.minimum(np.searchsorted(known, hashes), max(len(known) - 1, 0))
    found = long & (known[place] == hashes) if len(known) else np.zeros(len(hashes), bool)
    if found.any():
        found &= repeated["keeper"].to_numpy()[place] != rows[owner]
    removed = np.bincount(owner[found], minlength=len(text)).astype(np.int64)
    texts = text.to_list()
    bounds = column.lines.bounds
    for row in np.flatnonzero(removed):
        gone = found[bounds[row] : bounds[row + 1]]
        kept = [line for line, out in zip(texts[row].split("\n"), gone, strict=True) if not out]
        texts[row] = "\n".join(kept).strip()
    return pl.Series("text", texts, dtype=pl.String), removed
