"""Rows of one component's shards, as Megatron's indexed dataset and more: masks, sources, grades, ids.

Token ids stay in the memory-mapped files. Opening costs a footer a shard and the offsets of its rows,
not a walk over the rows.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenization.shards import open_shard

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Rows:
    """One record batch: where its rows start, and its columns."""

    offsets: npt.NDArray[np.int64]
    ids: Ids
    batch: pa.RecordBatch

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Rows:
        """Views into the batch; nothing is copied."""
        lists = batch.column("input_ids")
        return cls(lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=True), batch)

    @cached_property
    def turns(self) -> npt.NDArray[np.int16]:
        """For each token the answer (from 1) it belongs to, 0 where it is not to be learned."""
        return self.batch.column("turns").values.to_numpy(zero_copy_only=True)

    def codes(self, column: str) -> npt.NDArray[Any]:
        """Codes of a dictionary column; shape (rows,)."""
        return self.batch.column(column).indices.to_numpy(zero_copy_only=True)


@dataclass
class ArrowTokens:
    """Rows `start` to `stop` of a component."""

    path_prefix: str
    batches: list[Rows]
    starts: npt.NDArray[np.int64]
    start: int
    stop: int
    _codes: dict[str, list[npt.NDArray[Any]]] = field(default_factory=dict)

    @classmethod
    def open(cls, name: str, paths: list[Path]) -> ArrowTokens:
        """All rows of a component."""
        batches = [Rows.of(batch) for path in paths for batch in open_shard(path).to_batches() if batch.num_rows]
        counts = np.fromiter((len(rows.offsets) - 1 for rows in batches), np.int64, len(batches))
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
        return cls(name, batches, starts, 0, int(starts[-1]))

    def part(self, name: str, start: int, stop: int) -> ArrowTokens:
        """Rows `start` to `stop` of these, under a name of their own; everything is shared."""
        return ArrowTokens(name, self.batches, self.starts, self.start + start, self.start + stop, self._codes)

    def __len__(self) -> int:
        return self.stop - self.start

    @cached_property
    def sequence_lengths(self) -> npt.NDArray[np.int32]:
        """Tokens of each row."""
        if not self.batches:
            return np.zeros(0, np.int32)
        lengths = np.concatenate([np.diff(rows.offsets) for rows in self.batches])
        return lengths[self.start : self.stop].astype(np.int32)

    @property
    def document_indices(self) -> npt.NDArray[np.int64]:
        """Megatron's boundaries of documents: each row is one."""
        return np.arange(len(self) + 1, dtype=np.int64)

    @cached_property
    def _bounds(self) -> list[int]:
        return list(self.starts.tolist())

    def locate(self, index: int) -> tuple[int, int]:
        """Record batch and row within it of row `index`."""
        index = int(index) + self.start
        bounds = self._bounds  # halved in a list: a tenth of what numpy's call costs
        number = bisect_right(bounds, index) - 1
        return number, index - bounds[number]

    def get(self, index: int, offset: int = 0, length: int | None = None) -> Ids:
        """Tokens of one row, from `offset` on, at most `length`."""
        number, row = self.locate(index)
        rows = self.batches[number]
        first, end = int(rows.offsets[row]) + offset, int(rows.offsets[row + 1])
        return rows.ids[first : end if length is None else min(end, first + int(length))]

    def turns(self, index: int) -> npt.NDArray[np.int16]:
        """For each token of a conversation the answer it belongs to, 0 for none."""
        number, row = self.locate(index)
        rows = self.batches[number]
        return rows.turns[rows.offsets[row] : rows.offsets[row + 1]]

    @cached_property
    def rejected_lengths(self) -> npt.NDArray[np.int32]:
        """Tokens of each row's other answer with its question, where rows are preferences."""
        if not self.batches:
            return np.zeros(0, np.int32)
        lengths = np.concatenate(
            [np.diff(rows.batch.column("rejected_ids").offsets.to_numpy()) for rows in self.batches]
        )
        return lengths[self.start : self.stop].astype(np.int32)

    def rejected(self, index: int) -> Ids:
        """Tokens of a preference's question with the answer that was not preferred."""
        number, row = self.locate(index)
        lists = self.batches[number].batch.column("rejected_ids")
        return lists.values.to_numpy()[lists.offsets[row].as_py() : lists.offsets[row + 1].as_py()]

    def cell(self, column: str, index: int) -> Any:
        """A row's value in any other column."""
        number, row = self.locate(index)
        return self.batches[number].batch.column(column)[row].as_py()

    def values(self, column: str) -> list[Any]:
        """A column's values, each once."""
        return sorted({one for rows in self.batches for one in rows.batch.column(column).unique().to_pylist()})

    def code(self, column: str, index: int) -> int:
        """Code of a dictionary column (`source`, `authority`) in one row."""
        if column not in self._codes:
            self._codes[column] = [rows.codes(column) for rows in self.batches]
        number, row = self.locate(index)
        return int(self._codes[column][number][row])

    def names(self, column: str) -> list[str]:
        """What the codes of a dictionary column stand for; the same in every shard of a run."""
        return [str(one) for one in self.batches[0].batch.column(column).dictionary.to_pylist()] if self.batches else []

    def document_id(self, index: int) -> str:
        """Id of the document in row `index`."""
        number, row = self.locate(index)
        return str(self.batches[number].batch.column("doc_id")[row].as_py())
