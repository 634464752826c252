"""Parquet and Arrow files of a run: written whole, read by row group, mapped into memory where they are local."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.places import Place, is_local
from storage.publishing import published

DISTINCT_COLUMNS: Final = {"id", "text", "title", "raw_sha256", "exact"}  # no value comes twice: no dictionary


class ParquetRows:
    """Frames appended to one Parquet file, which appears when it is whole.

    What is read once and soon is better left as it is: zstd takes five times as long to write.
    """

    def __init__(
        self, target: Place, columns: Mapping[str, pl.DataType], compression: Literal["zstd", "none"] = "zstd"
    ) -> None:
        self._compression = compression
        self._whole = published(target)
        self._columns = columns
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ParquetRows:
        attempt = self._whole.__enter__()
        schema = _arrow_schema(tuple(self._columns.items()))
        few_values = [name for name in schema.names if name not in DISTINCT_COLUMNS]
        self._writer = pq.ParquetWriter(str(attempt), schema, compression=self._compression, use_dictionary=few_values)
        return self

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows as one row group."""
        if frame.height and self._writer is not None:
            rows = frame if frame.columns == list(self._columns) else frame.select(list(self._columns))
            if rows.schema != self._columns:
                rows = rows.cast(self._columns)  # type: ignore[arg-type]
            self._writer.write_table(rows.to_arrow().cast(self._writer.schema))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
        except OSError as failed:
            if error is None:
                self._whole.__exit__(type(failed), failed, failed.__traceback__)
                raise
        self._whole.__exit__(kind, error, trace)


@lru_cache(maxsize=32)  # dozens of columns, the same for every partition
def _arrow_schema(columns: tuple[tuple[str, pl.DataType], ...]) -> pa.Schema:
    return pl.DataFrame(schema=dict(columns)).to_arrow().schema


def write_parquet(target: Place, frame: pl.DataFrame, **options: Any) -> None:
    """Write a frame as one Parquet file."""
    with published(target) as attempt:
        frame.write_parquet(attempt, **options)


def parquet_frames(source: Place, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """Row groups of a Parquet file as frames, one in memory at a time."""
    with source.open("rb") as handle, pq.ParquetFile(handle) as file:
        for group in range(file.num_row_groups):
            frame = pl.from_arrow(file.read_row_group(group, columns=None if columns is None else list(columns)))
            assert isinstance(frame, pl.DataFrame)
            yield frame


def read_parquet(source: Place, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """A whole Parquet file, or some of its columns."""
    told = source if is_local(source) else io.BytesIO(source.read_bytes())
    return pl.read_parquet(told, columns=None if columns is None else list(columns))


def scan_parquet(sources: Place | Sequence[Place]) -> pl.LazyFrame:
    """Parquet files as one lazy frame; those of a store are read first."""
    listed = [sources] if not isinstance(sources, Sequence) else list(sources)
    if all(map(is_local, listed)):
        return pl.scan_parquet(listed)
    return pl.concat([read_parquet(one).lazy() for one in listed])


def parquet_rows(source: Place) -> int:
    """Number of rows, by the file's footer."""
    with source.open("rb") as handle:
        return int(pq.read_metadata(handle).num_rows)


def write_arrow(target: Place, batches: Iterator[pa.RecordBatch | pa.Table], schema: pa.Schema) -> None:
    """Write an uncompressed Arrow IPC file, batch by batch."""
    with published(target) as attempt:
        write_batches(attempt, batches, schema)


def write_batches(path: Path, batches: Iterator[pa.RecordBatch | pa.Table], schema: pa.Schema) -> None:
    """Write an uncompressed Arrow IPC file that this attempt alone reads, as it goes."""
    with pa.OSFile(str(path), "wb") as sink:
        with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression=None)) as writer:
            for batch in batches:
                writer.write(batch)


@contextlib.contextmanager
def open_batches(source: Place, columns: Sequence[int] = ()) -> Iterator[pa.ipc.RecordBatchFileReader]:
    """An Arrow IPC file whose batches are read one at a time, or only columns of these numbers; it is not mapped."""
    with pa.OSFile(str(source)) if is_local(source) else pa.PythonFile(source.open("rb"), mode="r") as file:
        yield pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=list(columns)))


def open_arrow(source: Place) -> pa.Table:
    """An Arrow IPC file, mapped into memory where it is local: nothing is copied."""
    data = pa.memory_map(str(source), "r") if is_local(source) else pa.BufferReader(source.read_bytes())
    return pa.ipc.open_file(data).read_all()
