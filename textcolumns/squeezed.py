"""Texts without the white space that is layout: only between two letters or digits does it say something."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from textcolumns.characters import TABLE_SIZE, matching
from textcolumns.columns import TextColumn
from textcolumns.segment import decode

# Beside these white space says nothing: signs, and the scripts of Chinese and Japanese.
LAYOUT: Final = r"[^\p{L}\p{N} ]|\p{Han}|\p{Hiragana}|\p{Katakana}"
WORD: Final = 1
SPACE: Final = 2


@lru_cache(maxsize=1)
def kinds() -> npt.NDArray[np.uint8]:
    """Of each code point up to `TABLE_SIZE`: `WORD` where white space beside it says something, `SPACE`, else 0."""
    return np.where(matching(r"\s"), SPACE, np.where(matching(LAYOUT), 0, WORD)).astype(np.uint8)


@njit(cache=True)
def _squeezed(data, offsets, kinds):  # type: ignore[no-untyped-def]
    rows = offsets.size - 1
    out = np.empty(offsets[rows] - offsets[0], np.uint8)
    bounds = np.zeros(rows + 1, np.int64)
    size = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        begin = size
        waiting = False
        before = 0
        while at < end:
            code, width = decode(data, at, end)
            kind = kinds[code] if code < TABLE_SIZE else 0
            if kind == SPACE:
                waiting = size > begin
            else:
                if waiting and before == WORD and kind == WORD:
                    out[size] = 32
                    size += 1
                waiting = False
                before = kind
                for place in range(at, at + width):
                    out[size] = data[place]
                    size += 1
            at += width
        bounds[row + 1] = size
    return out[:size], bounds


def squeezed(column: TextColumn) -> list[memoryview]:
    """UTF-8 of each text, runs of white space one space between words and nothing elsewhere; shape (rows,)."""
    data, bounds = _squeezed(column.data, column.offsets, kinds())
    view = memoryview(data)  # type: ignore[arg-type]
    return [view[start:end] for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
