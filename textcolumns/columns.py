"""A text column with its units and lines, each computed at most once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from numba import njit

from textcolumns.characters import character_classes, folded_characters
from textcolumns.segment import IS_IDEOGRAPH, segment_lines, segment_units

SENTENCE_ENDS: Final = tuple(map(ord, ".!?。！？…；"))

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Units:
    """Units of all rows; row r owns `bounds[r]:bounds[r + 1]`; starts and ends are bytes within its text."""

    bounds: Integers
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    hashes: Hashes
    folds: Hashes
    flags: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Lines:
    """Lines of all rows; row r owns `bounds[r]:bounds[r + 1]`."""

    bounds: Integers
    lengths: npt.NDArray[np.int32]
    stripped: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.uint32]
    lasts: npt.NDArray[np.uint32]
    dots: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    longest: npt.NDArray[np.int32]
    sentences: npt.NDArray[np.int32]
    hashes: Hashes


@njit(cache=True)
def _sums(values, bounds, sums):  # type: ignore[no-untyped-def]
    for row in range(sums.size):
        for index in range(bounds[row], bounds[row + 1]):
            sums[row] += values[index]


def sum_by_row(values: npt.NDArray[Any], bounds: Integers) -> npt.NDArray[Any]:
    """Sum of `values` within each row's bounds, shape (rows,); an empty row sums to 0."""
    sums = np.zeros(len(bounds) - 1, dtype=np.float64 if values.dtype.kind == "f" else np.int64)
    _sums(values, bounds, sums)
    return sums


Found = TypeVar("Found", Units, Lines)


class _RowsOf:
    """Units or lines of some rows: each array is copied when it is first asked for, since most steps read one or two.

    Copied run by run of kept rows: most rows are kept, so the runs are few and long.
    """

    def __init__(self, found: Units | Lines, rows: npt.NDArray[np.bool_]) -> None:
        edges = np.flatnonzero(np.diff(np.concatenate(([False], rows, [False])).astype(np.int8)))
        self._found = found
        self._runs = [slice(found.bounds[low], found.bounds[high]) for low, high in edges.reshape(-1, 2)]
        kept_counts = (found.bounds[1:] - found.bounds[:-1])[rows]
        self.bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(kept_counts)))

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        if name.startswith("_"):  # not yet there, where a copy of this is being made
            raise AttributeError(name)
        array: npt.NDArray[Any] = getattr(self._found, name)
        kept = np.concatenate([array[run] for run in self._runs]) if self._runs else array[:0]
        setattr(self, name, kept)
        return kept


def _rows_of(found: Found, rows: npt.NDArray[np.bool_]) -> Found:
    return cast(Found, _RowsOf(found, rows))


class TextColumn:
    """Bytes of a string column, and what the compiled kernels find in them.

    `data` is uint8 of all texts one after the other, `offsets` int64 of shape (rows + 1,).
    """

    def __init__(self, text: pl.Series) -> None:
        array = (text.fill_null("") if text.null_count() else text).to_arrow().cast(pa.large_string())
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        _, offsets, data = array.buffers()
        bounds = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        empty = np.zeros(0, dtype=np.uint8)
        self._array = array  # keeps the buffers alive
        self._found: dict[str, tuple[TextColumn, npt.NDArray[np.bool_]]] = {}
        self.offsets: Integers = bounds
        self.data: npt.NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8) if data and data.size else empty

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def size(self) -> int:
        """Bytes of all texts."""
        return int(self.offsets[-1] - self.offsets[0])

    def texts(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """The texts of some rows."""
        return [str(one) for one in self._array.take(pa.array(rows)).to_pylist()]

    def kept(self, rows: npt.NDArray[np.bool_], text: pl.Series) -> TextColumn:
        """The column of the rows kept, `text` being theirs; what was found already is taken over when asked for."""
        column = TextColumn(text)
        for name in ("units", "lines"):
            if name in self._found:
                origin, mask = self._found[name]
                of_origin = mask.copy()
                of_origin[mask] = rows
                column._found[name] = origin, of_origin
            elif name in self.__dict__:
                column._found[name] = self, rows
        return column

    @cached_property
    def units(self) -> Units:
        """Units by `textcolumns.segment.segment_units`."""
        if "units" in self._found:
            origin, rows = self._found["units"]
            return _rows_of(origin.units, rows)
        return Units(*segment_units(self.data, self.offsets, character_classes(), folded_characters()))

    @cached_property
    def lines(self) -> Lines:
        """Lines by `textcolumns.segment.segment_lines`."""
        if "lines" in self._found:
            origin, rows = self._found["lines"]
            return _rows_of(origin.lines, rows)
        ends = np.zeros(len(character_classes()), np.uint8)
        ends[list(SENTENCE_ENDS)] = 1
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
