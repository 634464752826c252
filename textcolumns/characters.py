"""Tables over Unicode code points: what a character is, and what it folds to.

Both are arrays indexed by code point up to the end of the ideographic planes; later code points
count as symbols that fold to themselves.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

SYMBOL: Final = 0
SPACE: Final = 1
NEWLINE: Final = 2
LETTER: Final = 3
DIGIT: Final = 4
IDEOGRAPH: Final = 5

TABLE_SIZE: Final = 0x33000
SURROGATES: Final = (0xD800, 0xE000)

# Scripts written without spaces between words: one character is one unit.
UNSPACED_RANGES: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration, closing and zero
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # unified ideographs
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),  # extensions B to H
)

IDEOGRAPHS: Final = (0x3400, 0x9FFF)  # those of which traditional forms become simplified ones
# Fold to themselves: ideographs, Hangul, surrogates and private use, Tangut.
UNFOLDED_RANGES: Final = ((0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0xD800, 0xF8FF), (0x17000, 0x18CFF), (0x20000, 0x2F7FF))


@lru_cache(maxsize=1)
def character_classes() -> npt.NDArray[np.uint8]:
    """Class of each code point, shape (TABLE_SIZE,)."""
    classes = np.zeros(TABLE_SIZE, dtype=np.uint8)
    for code in range(TABLE_SIZE):
        category = unicodedata.category(chr(code))
        if category[0] == "L" or category in ("Mn", "Mc"):
            classes[code] = LETTER
        elif category[0] == "N":
            classes[code] = DIGIT
        elif category[0] == "Z" or category == "Cc":
            classes[code] = SPACE
    classes[[0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029]] = NEWLINE
    for first, last in UNSPACED_RANGES:
        span = classes[first : last + 1]
        span[(span == LETTER) | (span == DIGIT)] = IDEOGRAPH
    return classes


@lru_cache(maxsize=1)
def folded_characters() -> npt.NDArray[np.uint32]:
    """Code point after folding, shape (TABLE_SIZE,): lower case, no diacritics, half width, simplified; marks are 0.

    This folding is only for comparing texts (MinHash, decontamination), never for writing them.
    """
    folded = np.arange(TABLE_SIZE, dtype=np.uint32)
    unfolded = np.zeros(TABLE_SIZE, dtype=bool)
    for first, last in UNFOLDED_RANGES:
        unfolded[first : last + 1] = True
    for code in np.flatnonzero(~unfolded).tolist():
        character = chr(code)
        if unicodedata.category(character) == "Mn":
            folded[code] = 0
            continue
        wide = 0xFF01 <= code <= 0xFF5E
        decomposed = unicodedata.normalize("NFKD", character) if wide else unicodedata.normalize("NFD", character)
        base = decomposed[0].lower()[0]
        folded[code] = ord(base)
    first, last = IDEOGRAPHS
    folded[first : last + 1] = [ord(one) for one in _simplified(first, last)]
    return folded


def _simplified(first: int, last: int) -> list[str]:
    """The simplified form of each ideograph of a range, by OpenCC's table of characters."""
    from opencc import OpenCC

    written = OpenCC("t2s").convert("\n".join(map(chr, range(first, last + 1)))).split("\n")
    return [new if len(new) == 1 else chr(code) for code, new in enumerate(written, first)]


@lru_cache(maxsize=8)
def matching(pattern: str) -> npt.NDArray[np.bool_]:
    """Whether each code point is matched by a class of polars' regular expressions, shape (TABLE_SIZE,).

    A loop over this table decides as `pl.Series.str` does with the same class.
    """
    codes = np.concatenate([np.arange(SURROGATES[0]), np.arange(SURROGATES[1], TABLE_SIZE)])
    bounds = np.concatenate([[0], np.cumsum(1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000))])
    data = codes.astype("<u4").tobytes().decode("utf-32-le").encode()
    characters = pl.Series(pa.LargeStringArray.from_buffers(len(codes), pa.py_buffer(bounds), pa.py_buffer(data)))
    found = np.zeros(TABLE_SIZE, bool)
    found[codes] = characters.str.contains(pattern).to_numpy()
    return found
