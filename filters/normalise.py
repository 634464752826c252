"""Normalise Unicode, control characters, white space and line breaks, never meaning.

NFC only: NFKC would turn `m²` into `m2`, `½` into `1⁄2` and `㎎` into `mg`, which changes formulas,
units and doses.
"""

from __future__ import annotations

import polars as pl

from filters.step import Batch, Outcome, step

# Line ends of other systems, and Unicode line and paragraph separators.
LINE_BREAKS = "\r\n|[\r\x0b\x0c\x85\u2028\u2029]"
# Control characters without meaning in text, the byte order mark, soft hyphens, zero-width
# space and word joiner, directional marks. Zero-width (non-)joiners carry meaning and stay.
INVISIBLE = "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\u00ad\u200b\u2060\u200e\u200f\u202a-\u202e\u2066-\u2069]"
OTHER_SPACES = "[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"

# Dot leaders of tables of contents, blanks of forms, rules: five or more become three.
FILLERS = ("\\.", "_", "-", "=", "\\*", "·", "…", "—", "~")


@step("normalise", scores=("characters",), source="Unicode Standard Annex 15 (NFC)", example={"collapse_spaces": False})
def normalise(batch: Batch, *, collapse_spaces: bool = True) -> Outcome:
    """NFC, line feeds, no invisible characters, single spaces, short fillers, at most one blank line."""
    text = (
        batch.text.fill_null("")
        .str.normalize("NFC")
        .str.replace_all(LINE_BREAKS, "\n")
        .str.replace_all(INVISIBLE, "")
        .str.replace_all(OTHER_SPACES, " ")
    )
    for filler in FILLERS:
        text = text.str.replace_all(f"(?:{filler} ?){{5,}}", filler.strip("\\") * 3 + " ")
    if collapse_spaces:
        text = text.str.replace_all(" {2,}", " ").str.replace_all(" *\n *", "\n")
    text = text.str.replace_all("\n{3,}", "\n\n").str.strip_chars()
    characters = text.str.len_chars()
    empty = pl.select(
        pl.when(characters == 0).then(pl.lit("no text: 0 characters after normalisation")).otherwise(None)
    ).to_series()
    title = batch.frame["title"].str.normalize("NFC").str.replace_all(r"\s+", " ").str.strip_chars()
    return Outcome(
        scores={"characters": characters.to_numpy()},
        columns={"text": text.alias("text"), "title": title},
        edits={"text normalised": (text != batch.text).fill_null(True).cast(pl.Int64).to_numpy()},
        reasons=empty.cast(pl.String),
    )
