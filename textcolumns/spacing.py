"""Text as a line of tokens between spaces, for models that split at spaces (fastText)."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit

from textcolumns.characters import DIGIT, IDEOGRAPH, NEWLINE, SPACE, SYMBOL, TABLE_SIZE, character_classes
from textcolumns.columns import TextColumn
from textcolumns.segment import decode

# What `spaced_lines` does, as a model's card names it: a model is used on text cut as in training.
SEGMENTATION: Final = "characters of unspaced scripts and signs stand alone, digits are 0, ASCII is lower case (1)"


@njit(cache=True)
def _spaced(data, offsets, classes, limit):  # type: ignore[no-untyped-def]
    rows = offsets.size - 1
    out = np.empty(3 * (offsets[rows] - offsets[0]) + rows, np.uint8)
    bounds = np.zeros(rows + 1, np.int64)
    size = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        count = 0
        begin = size
        while at < end and count < limit:
            code, width = decode(data, at, end)
            kind = classes[code] if code < TABLE_SIZE else SYMBOL
            count += 1
            if kind == SPACE or kind == NEWLINE:
                if size > begin and out[size - 1] != 32:
                    out[size] = 32
                    size += 1
            elif kind == DIGIT:
                out[size] = 48
                size += 1
            else:
                alone = kind == IDEOGRAPH or kind == SYMBOL
                if alone and size > begin and out[size - 1] != 32:
                    out[size] = 32
                    size += 1
                for place in range(at, at + width):
                    byte = data[place]
                    out[size] = byte + 32 if 65 <= byte <= 90 else byte
                    size += 1
                if alone:
                    out[size] = 32
                    size += 1
            at += width
        bounds[row + 1] = size
    return out[:size], bounds


def spaced_lines(column: TextColumn, limit: int) -> list[str]:
    """One line a text, of its first `limit` characters; see `SEGMENTATION`."""
    data, bounds = _spaced(column.data, column.offsets, character_classes(), limit)
    array = pa.LargeStringArray.from_buffers(len(column), pa.py_buffer(bounds), pa.py_buffer(data))
    return list(pl.Series(array).to_list())
