"""Benchmark items that a text holds with noise in them: bad OCR, a page break, changed numbers.

Shingles of letters (5 characters of unspaced scripts, 12 letters of others) of the question and its
options are looked for; where enough different ones of one item lie in a window of its length, the
item is there. One wrong letter spoils 12 shingles of a question's hundred, not the whole.
What holds fewer is compared by MinHash: a near-copy is noted, and nothing is dropped for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from dedup.minhash import MinHashConfig, jaccard_estimate, signatures
from dedup.rolling import find_spans, letters_of, prefix_hashes, sieve_of
from schemas.benchmark import BenchmarkItem
from textcolumns.characters import character_classes, folded_characters
from textcolumns.columns import TextColumn

SHINGLE_LETTERS: Final = 12
SHINGLE_CHARACTERS: Final = 5
COMMON_SHINGLE_ITEMS: Final = 5  # a shingle of more items says nothing: "which of the following"
MIN_SHINGLES: Final = 5
# Measured on planted and on clean text (benchmarks/decontamination.py).
MIN_COVERAGE: Final = 0.5
MIN_QUESTION_COVERAGE: Final = 0.2
MIN_OPTION_COVERAGE: Final = 0.2
SURE_COVERAGE: Final = 0.75  # with so much and so many of it, nothing else is asked
SURE_SHINGLES: Final = 40
BARE_LEAST: Final = 6  # a proverb that a question asks about is shorter
BARE_SHINGLES: Final = 20  # of a question without options to look for; fewer must be a sentence of its own
NOTED_COVERAGE: Final = 0.25
NOTED_SIMILARITY: Final = 0.3  # MinHash estimate from which a near-copy is noted
WINDOW_FACTOR: Final = 1.5
WINDOW_MORE: Final = 120
NOTE_CONFIG: Final = MinHashConfig(ngram=3, bands=16, rows=8)

Arrays = dict[str, npt.NDArray[Any]]


def shingle_index(items: Sequence[BenchmarkItem], unspaced: npt.NDArray[np.bool_]) -> Arrays:
    """Sorted shingle hashes with owner and whether they are the question's, by size; and totals by item.

    Keys: `values_K`, `owners_K`, `asked_K` for each size K, with `distinct_K`, where each
    begins (`firsts_K`), and `sieve_K` to look them up by; `totals`, `asked_totals`, `letters` of
    shape (items,).
    """
    texts = [part for item in items for part in (item.question, *item.options)]
    owner_of = np.repeat(np.arange(len(items)), [1 + len(item.options) for item in items])
    first_of = np.concatenate([[True, *[False] * len(item.options)] for item in items]) if items else np.zeros(0, bool)
    column = TextColumn(pl.Series(texts, dtype=pl.String))
    mixed, _, bounds = letters_of(column.data, column.offsets, character_classes(), folded_characters())
    prefix, powers = prefix_hashes(mixed)
    index: Arrays = {}
    totals, asked_totals = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    for size, script in ((SHINGLE_CHARACTERS, True), (SHINGLE_LETTERS, False)):
        rows = np.flatnonzero(unspaced[owner_of] == script) if len(items) else np.zeros(0, np.int64)
        counts = np.maximum(bounds[rows + 1] - bounds[rows] - size + 1, 0)
        starts = (
            np.repeat(bounds[rows] - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) + np.arange(counts.sum())
            if len(rows)
            else np.zeros(0, np.int64)
        )
        # Where all items together are shorter than a shingle, there is no such power either.
        values = prefix[starts + size] - prefix[starts] * powers[size] if len(starts) else np.zeros(0, np.uint64)
        table = pl.DataFrame(
            {"value": values, "owner": np.repeat(owner_of[rows], counts), "asked": np.repeat(first_of[rows], counts)}
        )
        table = table.group_by("value", "owner").agg(pl.col("asked").max())
        table = table.filter(pl.len().over("value") <= COMMON_SHINGLE_ITEMS).sort("value", "owner")
        index[f"values_{size}"] = table["value"].to_numpy()
        index[f"owners_{size}"] = table["owner"].to_numpy()
        index[f"asked_{size}"] = table["asked"].to_numpy()
        index[f"distinct_{size}"] = table["value"].unique(maintain_order=True).to_numpy()
        index[f"firsts_{size}"] = np.searchsorted(
            table["value"].to_numpy(), np.append(index[f"distinct_{size}"], np.uint64(2**64 - 1))
        )
        index[f"sieve_{size}"] = sieve_of(index[f"distinct_{size}"])
        np.add.at(totals, index[f"owners_{size}"], 1)
        np.add.at(asked_totals, index[f"owners_{size}"], index[f"asked_{size}"].astype(np.int64))
    lengths = np.zeros(len(items), np.int64)
    np.add.at(lengths, owner_of, bounds[1:] - bounds[:-1])
    index |= {"totals": totals, "asked_totals": asked_totals, "letters": lengths}
    return index


@njit(cache=True)
def _best_windows(rows, places, entries, owners, asked, totals, asked_totals, letters, factor, more, count):  # type: ignore[no-untyped-def]
    """For each run of matches of one row and item: coverage, of the question, of the options, count; and the places.

    Matches are sorted by row, owner, place; the best window of the item's own length counts.
    """
    held = np.zeros(count, np.int64)
    out_row, out_owner = np.empty(rows.size, np.int64), np.empty(rows.size, np.int64)
    out = np.empty((rows.size, 4), np.float64)
    span = np.empty((rows.size, 2), np.int64)
    found = 0
    start = 0
    while start < rows.size:
        end = start
        item = owners[entries[start]]
        while end < rows.size and rows[end] == rows[start] and owners[entries[end]] == item:
            end += 1
        window = int(factor * letters[item]) + more
        low, distinct, of_question, best, best_asked = start, 0, 0, 0, 0
        best_low, best_high = start, start
        for high in range(start, end):
            entry = entries[high]
            if held[entry] == 0:
                distinct += 1
                of_question += asked[entry]
            held[entry] += 1
            while places[high] - places[low] > window:
                gone = entries[low]
                held[gone] -= 1
                if held[gone] == 0:
                    distinct -= 1
                    of_question -= asked[gone]
                low += 1
            if distinct > best or (distinct == best and of_question > best_asked):
                best, best_asked, best_low, best_high = distinct, of_question, low, high
        for place in range(low, end):
            held[entries[place]] = 0
        for place in range(start, end):
            held[entries[place]] = 0
        out_row[found], out_owner[found] = rows[start], item
        out[found, 0] = best / totals[item]
        out[found, 1] = best_asked / max(asked_totals[item], 1)
        out[found, 2] = (best - best_asked) / max(totals[item] - asked_totals[item], 1)
        out[found, 3] = best
        span[found, 0], span[found, 1] = places[best_low], places[best_high]
        found += 1
        start = end
    return out_row[:found], out_owner[:found], out[:found], span[:found]


def near_hits(
    letters: tuple[Any, Any, Any, Any, Any], index: Arrays, questions: Sequence[str], column: TextColumn
) -> pl.DataFrame:
    """Columns row, number, kind (near, or near-copy where it is only noted), overlap, start, end (bytes of all texts).

    `letters` is (mixed, byte places, bounds, prefix, powers) of the texts.
    """
    _, byte_of, bounds, prefix, powers = letters
    frames = [pl.DataFrame(schema=RAW)]
    for size in (SHINGLE_CHARACTERS, SHINGLE_LETTERS):
        values = index[f"values_{size}"]
        if not len(values):
            continue
        distinct = index[f"distinct_{size}"]
        rows, starts, places = find_spans(prefix, powers, bounds, size, distinct, index[f"sieve_{size}"])
        if not len(rows):
            continue
        # A shingle may belong to several items: one match each.
        low = index[f"firsts_{size}"][places]
        repeats = index[f"firsts_{size}"][places + 1] - low
        entry = np.repeat(low - np.concatenate(([0], np.cumsum(repeats)[:-1])), repeats) + np.arange(repeats.sum())
        row, place = np.repeat(rows, repeats), np.repeat(starts, repeats)
        owner = index[f"owners_{size}"][entry]
        enough = index["totals"][owner] >= MIN_SHINGLES
        row, place, entry, owner = row[enough], place[enough], entry[enough], owner[enough]
        order = np.lexsort((place, owner, row))
        found = _best_windows(
            row[order], place[order], entry[order], index[f"owners_{size}"], index[f"asked_{size}"].astype(np.int64),
            index["totals"], index["asked_totals"], index["letters"], WINDOW_FACTOR, WINDOW_MORE, len(values),
        )  # fmt: skip
        frames.append(_judged(found, size, byte_of, questions, column, index))
    return pl.concat(frames)


RAW: Final = {
    "row": pl.Int64(),
    "number": pl.Int64(),
    "kind": pl.String(),
    "overlap": pl.Float64(),
    "start": pl.Int64(),
    "end": pl.Int64(),
}


BOUNDARY: Final = re.compile(r"[\n。！？!?:：；;]|\.\s")
EDGE: Final = 8  # bytes to the end of the whole text
REACH: Final = 24  # bytes, about two spoilt shingles, to the ends of a short question


def text_around(column: TextColumn, row: int, start: int, end: int, reach: int) -> tuple[str, str]:
    """At most `reach` bytes of text `row` on each side of the bytes `start:end` of all texts."""
    low, high = max(int(column.offsets[row]), start - reach), min(int(column.offsets[row + 1]), end + reach)
    before, after = bytes(column.data[low:start]), bytes(column.data[end:high])
    return before.decode("utf-8", "ignore"), after.decode("utf-8", "ignore")


def _between_boundaries(column: TextColumn, row: int, start: int, end: int) -> bool:
    """Whether a line or sentence begins just before the window and ends just behind it."""
    before, after = text_around(column, row, start, end, REACH)
    opens = start - column.offsets[row] < EDGE or BOUNDARY.search(before) is not None
    return bool(opens and (column.offsets[row + 1] - end < EDGE or BOUNDARY.search(after) is not None))


def _judged(
    windows: tuple[Any, Any, Any, Any],
    size: int,
    byte_of: Any,
    questions: Sequence[str],
    column: TextColumn,
    index: Arrays,
) -> pl.DataFrame:
    """Which windows hold their item, and which are near-copies to be noted."""
    rows, owners, shares, spans = windows
    coverage, asked, options, count = shares.T
    # A sentence of a textbook may be most of a short question; with its options it is the question.
    both = (asked >= MIN_QUESTION_COVERAGE) & (options >= MIN_OPTION_COVERAGE)
    sure = (coverage >= SURE_COVERAGE) & (count >= SURE_SHINGLES)
    bare = index["totals"][owners] - index["asked_totals"][owners] < MIN_SHINGLES  # no option long enough to look for
    holds = (coverage >= MIN_COVERAGE) & (both | bare & (count >= BARE_SHINGLES)) | sure
    starts = byte_of[spans[:, 0]]
    ends = byte_of[np.minimum(spans[:, 1] + size - 1, len(byte_of) - 1)] + 1
    for at in np.flatnonzero(~holds & bare & (coverage >= MIN_COVERAGE) & (count >= BARE_LEAST)):
        holds[at] = _between_boundaries(column, int(rows[at]), int(starts[at]), int(ends[at]))
    maybe = np.flatnonzero(~holds & (coverage >= NOTED_COVERAGE))
    noted = np.zeros(len(rows), bool)
    if len(maybe):
        texts_of = [bytes(column.data[starts[at] : ends[at]]).decode("utf-8", "ignore") for at in maybe]
        asked_for = [questions[int(owners[at])] for at in maybe]
        signed = [
            signatures(TextColumn(pl.Series(texts, dtype=pl.String)), NOTE_CONFIG) for texts in (texts_of, asked_for)
        ]
        noted[maybe] = jaccard_estimate(*signed) >= NOTED_SIMILARITY
    chosen = holds | noted
    return pl.DataFrame(
        {
            "row": rows[chosen],
            "number": owners[chosen],
            "kind": pl.Series(np.where(holds[chosen], "near", "near-copy"), dtype=pl.String),
            "overlap": coverage[chosen],
            "start": starts[chosen],
            "end": ends[chosen],
        },
        schema=RAW,
    )
