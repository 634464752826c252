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

from filters.step import Batch, Floats, Outcome, Rule, first_failures, step
from textcolumns.columns import sum_by_row

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


@njit(cache=True, inline="always")
def _window(prefix, powers, index, n):  # type: ignore[no-untyped-def]
    """Mixed hash of the n units from `index`, by prefix hashes: two multiplications, whatever n is."""
    key = prefix[index + n] - prefix[index] * powers[n]
    key = (key ^ (key >> uint64(32))) * uint64(_MULTIPLIER)
    return key ^ (key >> uint64(29))


@njit(cache=True, inline="always")
def _find(table, key, mask):  # type: ignore[no-untyped-def]
    """Slot of a key whose upper 32 bits are its tag, in a table of (tag, place + 1); 0 is free."""
    at = np.int64(key & uint64(mask))
    tag = key >> uint64(32)
    while table[at] != 0 and (table[at] >> uint64(32)) != tag:
        at = (at + 1) & mask
    return at


@njit(cache=True, inline="always")
def _cleared(table, entries):  # type: ignore[no-untyped-def]
    """Mask of a cleared table that is at most half full with so many entries."""
    mask = 15
    while mask + 1 < 2 * entries:
        mask = 2 * mask + 1
    table[: mask + 1] = uint64(0)
    return mask


@njit(cache=True, inline="always")
def _repeating(places, candidates, repeats):  # type: ignore[no-untyped-def]
    """Keep of the candidate places those that repeat, in order; clears their marks and returns how many they are."""
    kept = 0
    for candidate in range(candidates):
        place = places[candidate]
        places[kept] = place
        kept += repeats[place]
        repeats[place] = False
    return kept


@njit(cache=True)
def n_gram_characters(hashes, lengths, bounds, unspaced, top_sizes, duplicate_sizes, stretch):  # type: ignore[no-untyped-def]
    """Characters in the most frequent n-gram, and in repeated n-grams, for each size (ascending).

    Shapes (rows, len(top_sizes)) and (rows, len(duplicate_sizes)). The most frequent n-gram counts
    with the spaces between its words (none in unspaced scripts); an n-gram that occurs once counts
    once, as in the published rule. Repeated n-grams do not overlap and count without spaces.

    An n-gram can only repeat where its first n - 1 units do: each size looks only at the places
    where the size before found repetition (`places`, ascending), which are few in most texts.
    """
    rows = bounds.size - 1
    top = np.zeros((rows, top_sizes.size), np.int64)
    duplicate = np.zeros((rows, duplicate_sizes.size), np.int64)
    most = np.int64(0)
    for row in range(rows):
        most = max(most, bounds[row + 1] - bounds[row])
    size = 16
    while size < 2 * most:
        size *= 2
    table = np.zeros(size, np.uint64)
    counts = np.zeros(most + 1, np.int32)
    places = np.zeros(most + 1, np.int32)
    repeats = np.zeros(most + 1, np.bool_)
    longest = int(max(top_sizes[-1], duplicate_sizes[-1])) * stretch
    powers = np.ones(longest + 1, np.uint64)
    for index in range(longest):
        powers[index + 1] = powers[index] * uint64(_MULTIPLIER)
    prefix = np.zeros(most + 1, np.uint64)
    written = np.zeros(most + 1, np.int64)
    for row in range(rows):
        first, length = bounds[row], bounds[row + 1] - bounds[row]
        for index in range(length):
            prefix[index + 1] = prefix[index] * uint64(_MULTIPLIER) + hashes[first + index]
            written[index + 1] = written[index] + lengths[first + index]
            repeats[index] = False
            places[index] = index
        candidates = length
        factor = stretch if unspaced[row] else 1
        for which in range(top_sizes.size):
            n = top_sizes[which] * factor
            if length < n:
                continue
            mask = _cleared(table, candidates)
            best_count, best_place = 1, np.int64(0)
            for candidate in range(candidates):
                index = int(places[candidate])
                if index > length - n:
                    break
                key = _window(prefix, powers, index, n)
                at = _find(table, key, mask)
                if table[at] == 0:
                    table[at] = ((key >> uint64(32)) << uint64(32)) | uint64(index + 1)
                    counts[index] = 1
                    continue
                place = np.int64(table[at] & uint64(0xFFFFFFFF)) - 1
                counts[place] += 1
                repeats[index] = True
                repeats[place] = True
                if counts[place] > best_count or (counts[place] == best_count and place < best_place):
                    best_count, best_place = counts[place], place
            span = written[best_place + n] - written[best_place] + (0 if unspaced[row] else n - 1)
            top[row, which] = best_count * span
            candidates = _repeating(places, candidates, repeats)
        for which in range(duplicate_sizes.size):
            n = duplicate_sizes[which] * factor
            mask = _cleared(table, candidates)
            free = np.int64(0)  # where the repeated n-gram before ends
            for candidate in range(candidates):
                index = int(places[candidate])
                if index < free:
                    continue
                if index > length - n:
                    break
                key = _window(prefix, powers, index, n)
                at = _find(table, key, mask)
                if table[at] != 0:
                    duplicate[row, which] += written[index + n] - written[index]
                    free = index + n
                else:
                    table[at] = ((key >> uint64(32)) << uint64(32)) | uint64(index + 1)
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


@step(
    "gopher_repetition",
    scores=SCORES,
    source="Gopher: Rae et al. 2021, arXiv 2112.11446, table A1",
    example={"max_duplicate_lines": 0.2},
)
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
