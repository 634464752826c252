"""Gopher repetition rules (Rae et al. 2021, arXiv 2112.11446, table A1).

Repetition of lines, paragraphs and n-grams, as shares of the text's characters. In unspaced
scripts a unit is one character, and a Chinese word has about two, so an n-gram there spans 2n
units: the thresholds then measure repetition of the same amount of language.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from kernels.columns import sum_by_row
from schemas.step import Batch, Floats, Outcome, Rule, first_failures, step

TOP_N_GRAMS: Final = ((2, 0.20), (3, 0.18), (4, 0.16))
DUPLICATE_N_GRAMS: Final = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
UNITS_PER_WORD_UNSPACED: Final = 2

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

SCORES: Final = (
    "duplicate_lines",
    "duplicate_line_characters",
    "duplicate_paragraphs",
    "duplicate_paragraph_characters",
    *(f"top_{n}_grams" for n, _ in TOP_N_GRAMS),
    *(f"duplicate_{n}_grams" for n, _ in DUPLICATE_N_GRAMS),
)


@njit(cache=True, inline="always")
def _slot(keys, owners, owner, key, mask):  # type: ignore[no-untyped-def]
    """Slot of `key` in an open-addressing table; free where its owner is another row's pass."""
    at = np.int64(key & uint64(mask))
    while owners[at] == owner and keys[at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def duplicate_items(hashes, lengths, bounds):  # type: ignore[no-untyped-def]
    """Per row: items equal to an earlier one, and their characters. Shapes (rows,)."""
    rows = bounds.size - 1
    items = np.zeros(rows, np.int64)
    characters = np.zeros(rows, np.int64)
    size = 16
    for row in range(rows):
        while size < 2 * (bounds[row + 1] - bounds[row]):
            size *= 2
    keys = np.zeros(size, np.uint64)
    owners = np.full(size, -1, np.int64)
    for row in range(rows):
        for index in range(bounds[row], bounds[row + 1]):
            at = _slot(keys, owners, row, hashes[index], size - 1)
            if owners[at] == row:
                items[row] += 1
                characters[row] += lengths[index]
            else:
                owners[at] = row
                keys[at] = hashes[index]
    return items, characters


@njit(cache=True)
def paragraphs_of(hashes, lengths, bounds):  # type: ignore[no-untyped-def]
    """Paragraphs (runs of lines that are not empty): bounds per row, hashes, lengths in characters."""
    rows = bounds.size - 1
    out_bounds = np.zeros(rows + 1, np.int64)
    out_hashes = np.empty(hashes.size + rows, np.uint64)
    out_lengths = np.empty(hashes.size + rows, np.int32)
    count = 0
    for row in range(rows):
        fold = uint64(0)
        length = 0
        for index in range(bounds[row], bounds[row + 1] + 1):
            if index < bounds[row + 1] and lengths[index] > 0:
                fold = (fold ^ hashes[index]) * uint64(_MULTIPLIER) + uint64(1)
                length += lengths[index] + (1 if length > 0 else 0)
            elif length > 0:
                out_hashes[count] = fold ^ (fold >> uint64(31))
                out_lengths[count] = length
                count += 1
                fold = uint64(0)
                length = 0
        out_bounds[row + 1] = count
    return out_bounds, out_hashes[:count], out_lengths[:count]


@njit(cache=True)
def n_gram_characters(hashes, lengths, bounds, unspaced, top_sizes, duplicate_sizes, stretch):  # type: ignore[no-untyped-def]
    """Characters in the most frequent n-gram, and in repeated n-grams, for each size.

    Shapes (rows, len(top_sizes)) and (rows, len(duplicate_sizes)). The most frequent n-gram counts
    with the spaces between its words (none in unspaced scripts); an n-gram that occurs once counts
    once, as in the published rule. Repeated n-grams do not overlap and count without spaces.
    """
    rows = bounds.size - 1
    top = np.zeros((rows, top_sizes.size), np.int64)
    duplicate = np.zeros((rows, duplicate_sizes.size), np.int64)
    size = 16
    for row in range(rows):
        while size < 2 * (bounds[row + 1] - bounds[row]):
            size *= 2
    keys = np.zeros(size, np.uint64)
    owners = np.full(size, -1, np.int64)
    counts = np.zeros(size, np.int32)
    seen_first = np.zeros(size, np.int64)
    span = np.zeros(size, np.int64)
    owner = 0
    # Polynomial prefix hashes: the hash of any n units in two multiplications, whatever n is.
    longest = 0
    for which in range(top_sizes.size):
        longest = max(longest, top_sizes[which] * stretch)
    for which in range(duplicate_sizes.size):
        longest = max(longest, duplicate_sizes[which] * stretch)
    powers = np.ones(longest + 1, np.uint64)
    for index in range(longest):
        powers[index + 1] = powers[index] * uint64(_MULTIPLIER)
    prefix = np.zeros(hashes.size + 1, np.uint64)
    written = np.zeros(hashes.size + 1, np.int64)
    for index in range(hashes.size):
        prefix[index + 1] = prefix[index] * uint64(_MULTIPLIER) + hashes[index]
        written[index + 1] = written[index] + lengths[index]
    for row in range(rows):
        first, last = bounds[row], bounds[row + 1]
        mask = 15
        while mask + 1 < 2 * (last - first):
            mask = 2 * mask + 1
        factor = stretch if unspaced[row] else 1
        for which in range(top_sizes.size):
            n = top_sizes[which] * factor
            if last - first < n:
                continue
            owner += 1
            best_count, best_first, best_span = 0, np.int64(0), np.int64(0)
            for index in range(first, last - n + 1):
                key = prefix[index + n] - prefix[index] * powers[n]
                key = (key ^ (key >> uint64(32))) * uint64(_MULTIPLIER)
                key ^= key >> uint64(29)
                at = _slot(keys, owners, owner, key, mask)
                if owners[at] != owner:
                    owners[at] = owner
                    keys[at] = key
                    counts[at] = 0
                    seen_first[at] = index
                    span[at] = written[index + n] - written[index] + (0 if unspaced[row] else n - 1)
                counts[at] += 1
                if counts[at] > best_count or (counts[at] == best_count and seen_first[at] < best_first):
                    best_count, best_first, best_span = counts[at], seen_first[at], span[at]
            top[row, which] = best_count * best_span
        for which in range(duplicate_sizes.size):
            n = duplicate_sizes[which] * factor
            owner += 1
            index = first
            while index < last - n + 1:
                key = prefix[index + n] - prefix[index] * powers[n]
                key = (key ^ (key >> uint64(32))) * uint64(_MULTIPLIER)
                key ^= key >> uint64(29)
                at = _slot(keys, owners, owner, key, mask)
                if owners[at] == owner:
                    duplicate[row, which] += written[index + n] - written[index]
                    index += n
                else:
                    owners[at] = owner
                    keys[at] = key
                    index += 1
    return top, duplicate


def repetition_scores(batch: Batch) -> dict[str, npt.NDArray[np.float64]]:
    """All repetition shares, each of shape (rows,), between 0 and about 1."""
    column, lines, units = batch.column, batch.column.lines, batch.column.units
    characters = np.maximum(column.characters, 1).astype(np.float64)

    written = lines.lengths > 0
    line_bounds = np.concatenate(([0], np.cumsum(written)))[lines.bounds]
    line_items, line_characters = duplicate_items(lines.hashes[written], lines.lengths[written], line_bounds)
    line_count = np.maximum(sum_by_row(written, lines.bounds), 1)

    bounds, hashes, lengths = paragraphs_of(lines.hashes, lines.lengths, lines.bounds)
    paragraph_items, paragraph_characters = duplicate_items(hashes, lengths, bounds)
    paragraph_count = np.maximum(bounds[1:] - bounds[:-1], 1)

    top_sizes = np.array([n for n, _ in TOP_N_GRAMS])
    duplicate_sizes = np.array([n for n, _ in DUPLICATE_N_GRAMS])
    top, duplicate = n_gram_characters(
        units.hashes,
        units.lengths,
        units.bounds,
        batch.unspaced,
        top_sizes,
        duplicate_sizes,
        UNITS_PER_WORD_UNSPACED,
    )
    scores: dict[str, Floats] = {
        "duplicate_lines": line_items / line_count,
        "duplicate_line_characters": line_characters / characters,
        "duplicate_paragraphs": paragraph_items / paragraph_count,
        "duplicate_paragraph_characters": paragraph_characters / characters,
    }
    for index, (n, _) in enumerate(TOP_N_GRAMS):
        scores[f"top_{n}_grams"] = top[:, index] / characters
    for index, (n, _) in enumerate(DUPLICATE_N_GRAMS):
        scores[f"duplicate_{n}_grams"] = duplicate[:, index] / characters
    return scores


@step("gopher_repetition", scores=SCORES)
def gopher_repetition(
    batch: Batch,
    *,
    max_duplicate_lines: float = 0.30,
    max_duplicate_paragraphs: float = 0.30,
    max_duplicate_line_characters: float = 0.20,
    max_duplicate_paragraph_characters: float = 0.20,
    max_top_n_grams: dict[int, float] | None = None,
    max_duplicate_n_grams: dict[int, float] | None = None,
) -> Outcome:
    """Drop texts in which lines, paragraphs or n-grams repeat (Gopher, table A1)."""
    top = {**dict(TOP_N_GRAMS), **(max_top_n_grams or {})}
    duplicate = {**dict(DUPLICATE_N_GRAMS), **(max_duplicate_n_grams or {})}
    scores = repetition_scores(batch)
    rules = [
        Rule("duplicate_paragraphs", "above", max_duplicate_paragraphs, "max_duplicate_paragraphs"),
        Rule(
            "duplicate_paragraph_characters",
            "above",
            max_duplicate_paragraph_characters,
            "max_duplicate_paragraph_characters",
        ),
        Rule("duplicate_lines", "above", max_duplicate_lines, "max_duplicate_lines"),
        Rule("duplicate_line_characters", "above", max_duplicate_line_characters, "max_duplicate_line_characters"),
        *(Rule(f"top_{n}_grams", "above", share, f"max_top_{n}_grams") for n, share in top.items()),
        *(Rule(f"duplicate_{n}_grams", "above", share, f"max_duplicate_{n}_grams") for n, share in duplicate.items()),
    ]
    return Outcome(scores=scores, reasons=first_failures(scores, rules, len(batch)))
