"""Hashed n-grams of text columns as sparse rows: characters one to four long, words and pairs of words.

Characters tell Chinese apart, words English; both go into one table of buckets, so that no vocabulary is kept.
Counts are damped (1 + log) and rows have length 1, as in text classification by linear models
(Joachims 1998; Weinberger et al. 2009, arXiv 0902.2206, for the hashing).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from textcolumns.characters import DIGIT, NEWLINE, SPACE, SYMBOL, TABLE_SIZE, character_classes, folded_characters
from textcolumns.columns import TextColumn
from textcolumns.segment import decode

# What `ngram_rows` does, as a model's card names it: a model is used on text cut as in training.
SCHEME: Final = "characters 1 to 4, words 1 to 2, digits are 0, case folded, 1 + log counts, length 1 (1)"
LONGEST: Final = 4
WORD_LETTERS: Final = 24  # longer runs of letters are no word


@njit(cache=True)
def _mixed(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit(cache=True)
def _codes(data, start, end, classes, folds, limit, codes):  # type: ignore[no-untyped-def]
    """Folded code points of one text into `codes`, spaces collapsed; returns how many."""
    at, count, size = start, 0, 0
    while at < end and count < limit:
        code, width = decode(data, at, end)
        at += width
        count += 1
        kind = classes[code] if code < TABLE_SIZE else SYMBOL
        if kind == SPACE or kind == NEWLINE:
            if size and codes[size - 1] != 32:
                codes[size] = 32
                size += 1
            continue
        codes[size] = 48 if kind == DIGIT else folds[code] if code < folds.size else code
        size += 1
    return size


@njit(cache=True)
def _counted(codes, size, classes, mask, counts, touched):  # type: ignore[no-untyped-def]
    """Counts of the buckets of one text's n-grams; returns how many buckets were touched."""
    seen = 0
    word = previous = np.uint64(0)
    letters = 0
    for place in range(size + 1):
        code = codes[place] if place < size else 32
        if place < size:
            key = np.uint64(1469598103934665603)
            for back in range(min(LONGEST, place + 1)):
                key = _mixed(key ^ np.uint64(codes[place - back]))
                bucket = key & mask
                if counts[bucket] == 0:
                    touched[seen] = bucket
                    seen += 1
                counts[bucket] += 1
        if (97 <= code <= 122) or (0xC0 <= code < 0x250) or (0x370 <= code < 0x530):
            word = _mixed(word ^ np.uint64(code + 7919))
            letters += 1
        elif letters:
            if 1 < letters <= WORD_LETTERS:
                for key in (word, _mixed(previous ^ (word * np.uint64(31)))):
                    bucket = _mixed(key ^ np.uint64(0x9E3779B97F4A7C15)) & mask
                    if counts[bucket] == 0:
                        touched[seen] = bucket
                        seen += 1
                    counts[bucket] += 1
                previous = word
            word = np.uint64(0)
            letters = 0
    return seen


@njit(cache=True)
def _dots(data, offsets, classes, folds, limit, mask, weights):  # type: ignore[no-untyped-def]
    rows = offsets.size - 1
    told = np.zeros(rows, np.float64)
    counts = np.zeros(weights.size, np.int32)
    codes = np.empty(limit + 1, np.int64)
    touched = np.empty((LONGEST + 2) * (limit + 2), np.int64)
    for row in range(rows):
        size = _codes(data, offsets[row], offsets[row + 1], classes, folds, limit, codes)
        seen = _counted(codes, size, classes, mask, counts, touched)
        total = length = 0.0
        for index in range(seen):
            bucket = touched[index]
            value = 1.0 + np.log(counts[bucket])
            total += value * weights[bucket]
            length += value * value
            counts[bucket] = 0
        told[row] = total / np.sqrt(length) if length > 0.0 else 0.0
    return told


@njit(cache=True)
def _rows(data, offsets, classes, folds, limit, mask):  # type: ignore[no-untyped-def]
    rows = offsets.size - 1
    counts = np.zeros(int(mask) + 1, np.int32)
    codes = np.empty(limit + 1, np.int64)
    touched = np.empty((LONGEST + 2) * (limit + 2), np.int64)
    bounds = np.zeros(rows + 1, np.int64)
    room = 1 << 16
    columns, values = np.empty(room, np.int32), np.empty(room, np.float32)
    used = 0
    for row in range(rows):
        size = _codes(data, offsets[row], offsets[row + 1], classes, folds, limit, codes)
        seen = _counted(codes, size, classes, mask, counts, touched)
        while used + seen > room:
            room *= 2
            more_columns, more_values = np.empty(room, np.int32), np.empty(room, np.float32)
            more_columns[:used], more_values[:used] = columns[:used], values[:used]
            columns, values = more_columns, more_values
        length = 0.0
        for index in range(seen):
            value = 1.0 + np.log(counts[touched[index]])
            length += value * value
        for index in range(seen):
            bucket = touched[index]
            columns[used] = bucket
            values[used] = (1.0 + np.log(counts[bucket])) / np.sqrt(length)
            counts[bucket] = 0
            used += 1
        bounds[row + 1] = used
    return columns[:used], values[:used], bounds


def ngram_rows(
    column: TextColumn, limit: int, bits: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Sparse rows of each text's first `limit` characters in 2^`bits` buckets: columns, values, bounds (CSR)."""
    mask = np.uint64((1 << bits) - 1)
    return _rows(column.data, column.offsets, character_classes(), folded_characters(), limit, mask)


def ngram_dots(column: TextColumn, limit: int, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Inner product of each text's row with `weights` (2^bits,), shape (rows,)."""
    mask = np.uint64(weights.size - 1)
    return _dots(column.data, column.offsets, character_classes(), folded_characters(), limit, mask, weights)
