"""Token rows in the order of their keys, sorted and merged as streams: memory follows neither partition nor shard.

What fits in `SORTED_TOKENS` is sorted at once; more is spilled as sorted runs, which are merged. A merge holds
the order (key, id, place) of one window of the key space and a batch of each file, never the tokens of all.
Keys are hashes, so windows of equal width hold about as many rows.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import CurateError
from storage.columnar import open_batches, write_arrow, write_batches
from storage.places import Place
from storage.publishing import scratch

SORTED_TOKENS: Final = 1 << 24  # tokens that are sorted in memory: 64 MiB
ROWS_A_BATCH: Final = 1024
TOKENS_A_BATCH: Final = 1 << 20  # 4 MiB: one batch of each file is in memory while they are merged
ROWS_A_WINDOW: Final = 1 << 20
KEYS: Final = 2**64
ORDER: Final = [("key", "ascending"), ("doc_id", "ascending")]

Numbers = npt.NDArray[np.int64]


def write_sorted(target: Place, tables: Iterable[pa.Table], empty: pa.Schema) -> None:
    """Write rows that come in any order as one sorted file.

    Rows have `key` (uint64), `doc_id` and `tokens` (int64, what a row counts for), and any other columns. A file
    without rows has the schema `empty`.
    """
    with ExitStack() as spilled:
        runs: list[Place] = []
        waiting: list[pa.Table] = []
        held = 0
        for table in tables:
            waiting.append(table)
            held += pc.sum(table.column("tokens")).as_py() or 0
            if held >= SORTED_TOKENS:
                runs.append(_spilled(target, waiting, spilled))
                waiting, held = [], 0
        if not runs:
            _write(target, _sorted_batches(waiting), empty)
            return
        if waiting:
            runs.append(_spilled(target, waiting, spilled))
        merge_into(target, runs)


def merge_into(target: Place, files: Sequence[Place]) -> int:
    """Join sorted files into one; returns how many rows it has."""
    with ExitStack() as opened:
        sources = [opened.enter_context(SortedRows(path)) for path in files]
        return _write(target, merged(sources, ROWS_A_BATCH, TOKENS_A_BATCH), sources[0].schema)


def cuts(tokens: Numbers, rows: int, most: int) -> Iterator[tuple[int, int]]:
    """Where rows are cut into batches of at most `rows` rows and `most` tokens; a longer row stands alone."""
    ends = np.cumsum(tokens)
    start = 0
    while start < len(ends):
        before = ends[start - 1] if start else 0
        fits = int(np.searchsorted(ends, before + most, side="right"))
        stop = min(start + rows, max(start + 1, fits))
        yield start, stop
        start = stop


class SortedRows(AbstractContextManager["SortedRows"]):
    """A sorted file that is read batch by batch; `member` names a column that says how often each row comes."""

    def __init__(self, path: Place, member: str | None = None) -> None:
        self._opened = ExitStack()
        self._last: tuple[int, pa.RecordBatch] | None = None
        self._ends: dict[tuple[int, int], int] = {}
        self.member = member
        self.order_columns = ["key", "doc_id", "tokens", *([member] if member else [])]
        try:
            self._batches = self._opened.enter_context(open_batches(path))
            self.schema: pa.Schema = self._batches.schema
            # Of several batches only some columns are read where order is all that counts; one is read once.
            self._order: Any = self
            if self._batches.num_record_batches > 1:
                numbers = [self.schema.get_field_index(name) for name in self.order_columns]
                self._order = self._opened.enter_context(open_batches(path, numbers))
        except (OSError, pa.ArrowInvalid) as error:
            self._opened.close()
            raise CurateError(f"{path} cannot be read: {error}; delete it and run the same command again") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def batches_between(self, low: int, high: int) -> range:
        """Batches that hold a key from `low` (inclusive) to `high` (exclusive), found by halving."""
        listed = range(self._batches.num_record_batches)
        start = bisect_left(listed, low, key=lambda number: self._key(number, -1))
        stop = bisect_left(listed, high, key=lambda number: self._key(number, 0))
        return range(start, max(start, stop))

    def _key(self, batch: int, row: int) -> int:
        """The first (row 0) or last (row -1) key of a batch; windows that adjoin ask for the same ones."""
        if (batch, row) not in self._ends:
            keys = self._order.get_batch(batch).column("key")
            self._ends[batch, row] = int(keys[row % len(keys)].as_py())
        return self._ends[batch, row]

    def order(self, low: int, high: int) -> pa.Table:
        """The `order_columns` of the rows between two keys, with their `batch` and `row`."""
        tables = []
        for number in self.batches_between(low, high):
            found = self._order.get_batch(number)
            keys = found.column("key").to_numpy()
            start = int(np.searchsorted(keys, np.uint64(low)))
            stop = len(keys) if high >= KEYS else int(np.searchsorted(keys, np.uint64(high)))
            rows = np.arange(start, stop)
            # Taken and not cut out: a slice would hold the whole batch, which Arrow makes room for.
            taken = {name: found.column(name).take(pa.array(rows)) for name in self.order_columns}
            tables.append(pa.table({**taken, "batch": np.full(stop - start, number, np.int64), "row": rows}))
        return pa.concat_tables(tables) if tables else pa.table({})

    def get_batch(self, batch: int) -> pa.RecordBatch:
        """One batch; the last is kept, since the next call mostly asks for it again."""
        if self._last is None or self._last[0] != batch:
            self._last = (batch, self._batches.get_batch(batch))
        return self._last[1]

    def take(self, batch: int, rows: Numbers) -> pa.Table:
        """Rows of one batch."""
        return pa.Table.from_batches([self.get_batch(batch)]).take(pa.array(rows))


def merged(files: Sequence[SortedRows], rows: int, tokens: int, low: int = 0, high: int = KEYS) -> Iterator[pa.Table]:
    """Rows of sorted files between two keys, by key and id, in tables of at most `rows` rows and `tokens` tokens."""
    left: Numbers = np.zeros((4, 0), np.int64)
    for start, stop in _windows(files, low, high):
        left = np.concatenate([left, _picked(files, start, stop)], axis=1)
        *whole, rest = [*cuts(left[-1], rows, tokens)] or [(0, 0)]
        for first, last in whole:
            yield _gathered(files, left[:, first:last])
        left = left[:, rest[0] :]
    if left.size:
        yield _gathered(files, left)


def _windows(files: Sequence[SortedRows], low: int, high: int) -> Iterator[tuple[int, int]]:
    """The range of keys in parts that hold about `ROWS_A_WINDOW` rows."""
    rows = sum(len(one.batches_between(low, high)) for one in files) * ROWS_A_BATCH
    parts = max(1, -(-rows // ROWS_A_WINDOW))
    bounds = [low + (high - low) * part // parts for part in range(parts + 1)]
    return itertools.pairwise(bounds)


def _picked(files: Sequence[SortedRows], low: int, high: int) -> Numbers:
    """The rows of one window, in order, each as often as it comes: file, batch of it, row of that, tokens (4, rows)."""
    parts = []
    for number, one in enumerate(files):
        table = one.order(low, high)
        if table.num_rows:
            parts.append(table.append_column("file", pa.array(np.full(table.num_rows, number))))
    if not parts:
        return np.zeros((4, 0), np.int64)
    table = pa.concat_tables(parts)
    order = pc.sort_indices(table.select(["key", "doc_id"]), ORDER).to_numpy()
    if member := files[0].member:
        order = np.repeat(order, table.column(member).to_numpy()[order])
    return np.stack([table.column(name).to_numpy()[order] for name in ("file", "batch", "row", "tokens")])


def _gathered(files: Sequence[SortedRows], picked: Numbers) -> pa.Table:
    """The rows themselves, in order, as one batch."""
    file, batch, row, _ = picked
    places = (file << 32) | batch
    found: Numbers = np.zeros(len(places), np.int64)
    parts: list[pa.Table] = []
    taken = 0
    for place in np.unique(places):
        here = np.flatnonzero(places == place)
        parts.append(files[int(place >> 32)].take(int(place & 0xFFFFFFFF), row[here]))
        found[here] = taken + np.arange(len(here))
        taken += len(here)
    return pa.concat_tables(parts).take(pa.array(found)).combine_chunks()


def _spilled(target: Place, tables: list[pa.Table], spilled: ExitStack) -> Place:
    """A sorted run in a file that goes with the attempt."""
    path = spilled.enter_context(scratch(target))
    write_batches(path, _sorted_batches(tables), tables[0].schema)
    return path


def _sorted_batches(tables: list[pa.Table]) -> Iterator[pa.Table]:
    if not tables:
        return
    table = pa.concat_tables(tables)
    order = pc.sort_indices(table.select(["key", "doc_id"]), ORDER)
    tokens = table.column("tokens").to_numpy()[order.to_numpy()]
    for start, stop in cuts(tokens, ROWS_A_BATCH, TOKENS_A_BATCH):
        yield table.take(order.slice(start, stop - start)).combine_chunks()


def _write(target: Place, batches: Iterator[pa.Table], empty: pa.Schema) -> int:
    """Write batches, and return how many rows they have; where there is none, a file with the schema `empty`."""
    first = next(batches, empty.empty_table())
    rows = first.num_rows

    def counted() -> Iterator[pa.Table]:
        nonlocal rows
        if rows:
            yield first
        for batch in batches:
            rows += batch.num_rows
            yield batch

    write_arrow(target, counted(), first.schema)
    return int(rows)
