"""A text column with its units and lines, each computed at most once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from kernels.characters import character_classes, folded_characters
from kernels.segment import IS_IDEOGRAPH, segment_lines, segment_units

SENTENCE_ENDS: Final = tuple(map(ord, ".!?。！？…；"))

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Units:
    """Units of all rows; row r owns `bounds[r]:bounds[r + 1]`."""

    bounds: Integers
    starts: Integers
    ends: Integers
    lengths: npt.NDArray[np.int32]
    hashes: Hashes
    folds: Hashes
    flags: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Lines:
    """Lines of all rows; row r owns `bounds[r]:bounds[r + 1]`."""

    bounds: Integers
    starts: Integers
    ends: Integers
    lengths: npt.NDArray[np.int32]
    stripped: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.uint32]
    lasts: npt.NDArray[np.uint32]
    dots: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    longest: npt.NDArray[np.int32]
    sentences: npt.NDArray[np.int32]
    hashes: Hashes


def sum_by_row(values: npt.NDArray[Any], bounds: Integers) -> npt.NDArray[Any]:
    """Sum of `values` within each row's bounds, shape (rows,); an empty row sums to 0."""
    running = np.concatenate(([0], np.cumsum(values, dtype=np.float64 if values.dtype.kind == "f" else np.int64)))
    return running[bounds[1:]] - running[bounds[:-1]]


Found = TypeVar("Found", Units, Lines)


def _rows_of(found: Found, kind: type[Found], rows: npt.NDArray[np.bool_], shifts: Integers) -> Found:
    """Units or lines of some rows, their byte places shifted by `shifts` (one a kept row)."""
    counts = found.bounds[1:] - found.bounds[:-1]
    chosen = np.repeat(rows, counts)
    kept_counts = counts[rows]
    moved = np.repeat(shifts, kept_counts)
    values: dict[str, Any] = {one.name: getattr(found, one.name) for one in fields(found)}
    values = {name: array[chosen] for name, array in values.items() if name != "bounds"}
    values["starts"] = values["starts"] + moved
    values["ends"] = values["ends"] + moved
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(kept_counts)))
    return kind(bounds=bounds, **values)


class TextColumn:
    """Bytes of a string column, and what the compiled kernels find in them.

    `data` is uint8 of all texts one after the other, `offsets` int64 of shape (rows + 1,).
    """

    def __init__(self, text: pl.Series) -> None:
        array = text.fill_null("").to_arrow().cast(pa.large_string())
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        _, offsets, data = array.buffers()
        bounds = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        empty = np.zeros(0, dtype=np.uint8)
        self._array = array  # keeps the buffers alive
        self.offsets: Integers = bounds
        self.data: npt.NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8) if data and data.size else empty

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def kept(self, rows: npt.NDArray[np.bool_], text: pl.Series) -> TextColumn:
        """The column of the rows kept, `text` being theirs, with what was already found in them."""
        column = TextColumn(text)
        shifts = column.offsets[:-1] - self.offsets[:-1][rows]
        for name, kind in (("units", Units), ("lines", Lines)):
            if name in self.__dict__:
                column.__dict__[name] = _rows_of(self.__dict__[name], kind, rows, shifts)
        return column

    @cached_property
    def units(self) -> Units:
        """Units by `kernels.segment.segment_units`."""
        return Units(*segment_units(self.data, self.offsets, character_classes(), folded_characters()))

    @cached_property
    def lines(self) -> Lines:
        """Lines by `kernels.segment.segment_lines`."""
        ends = np.array(SENTENCE_ENDS, dtype=np.uint32)
        return Lines(*segment_lines(self.data, self.offsets, character_classes(), ends))

    @cached_property
    def characters(self) -> Integers:
        """Length of each text in characters (code points), shape (rows,)."""
        breaks = self.lines.bounds[1:] - self.lines.bounds[:-1] - 1
        return sum_by_row(self.lines.lengths, self.lines.bounds) + breaks

    @cached_property
    def unit_counts(self) -> Integers:
        """Number of units in each text, shape (rows,)."""
        return self.units.bounds[1:] - self.units.bounds[:-1]

    @cached_property
    def ideograph_share(self) -> npt.NDArray[np.float64]:
        """Share of units that are characters of an unspaced script, shape (rows,)."""
        ideographs = sum_by_row((self.units.flags & IS_IDEOGRAPH) != 0, self.units.bounds)
        return ideographs / np.maximum(self.unit_counts, 1)
