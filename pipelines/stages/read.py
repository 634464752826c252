"""Stage 1: read a partition of the inputs, run the steps, take fingerprints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dedup.exact import exact_hashes
from dedup.minhash import MinHashConfig, band_hashes, signatures
from dedup.paragraphs import LINES, long_lines
from filters.step import Batch
from pipelines.run_folder import RunFolder
from pipelines.steps import decide, text_bytes
from pipelines.stopwatch import Stopwatch
from schemas.document import QUARANTINE_COLUMNS, document_columns
from schemas.recipe import Paragraphs
from sources.inputs import check_unchanged
from sources.reading import read_frames
from storage.publishing import published
from textcolumns.columns import TextColumn

STAGE: Final = "read"
DISTINCT_COLUMNS: Final = {"id", "text", "title", "raw_sha256", "exact"}  # no value comes twice: no dictionary


class ParquetRows:
    """Frames appended to one Parquet file (zstd), which appears when it is whole."""

    def __init__(self, path: Path, columns: Mapping[str, pl.DataType]) -> None:
        self._whole = published(path)
        self._columns = columns
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ParquetRows:
        self._path = self._whole.__enter__()
        schema = pl.DataFrame(schema=self._columns).to_arrow().schema
        few_values = [name for name in schema.names if name not in DISTINCT_COLUMNS]
        self._writer = pq.ParquetWriter(str(self._path), schema, compression="zstd", use_dictionary=few_values)
        return self

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows as one row group."""
        if frame.height and self._writer is not None:
            table = frame.select(list(self._columns)).cast(self._columns).to_arrow()  # type: ignore[arg-type]
            self._writer.write_table(table.cast(self._writer.schema))

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


def parquet_frames(path: Path, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """Row groups of a Parquet file as frames, one in memory at a time."""
    with pq.ParquetFile(str(path)) as file:
        for group in range(file.num_row_groups):
            frame = pl.from_arrow(file.read_row_group(group, columns=columns))
            assert isinstance(frame, pl.DataFrame)
            yield frame


def bands(run: RunFolder) -> int:
    """Number of bands that the recipe's deduplication uses."""
    return run.recipe.dedup.minhash.bands if run.recipe.dedup.minhash else 0


def print_columns(run: RunFolder) -> dict[str, pl.DataType]:
    """Columns of the fingerprint files: what grouping and choosing need, without text."""
    return {
        "id": pl.String(),
        "exact": pl.String(),
        "doi": pl.String(),
        "authority": pl.String(),
        "quality": pl.Float64(),
        "series": pl.String(),
        "edition": pl.String(),
        "published": pl.String(),
        "characters": pl.Int64(),
        "retracted": pl.Boolean(),
        **{f"band_{index:03d}": pl.UInt64() for index in range(bands(run))},
    }


def read_partition(run: RunFolder, task: str) -> dict[str, Any]:
    """Write documents, fingerprints and quarantine of one partition; returns its counts."""
    files = run.plan.partitions[int(task)]
    sources = {source.name: source for source in run.recipe.sources}
    dropped: Counter[str] = Counter()
    by_source: Counter[str] = Counter()
    retracts: set[str] = set()
    watch = Stopwatch()
    documents = quarantined = characters = printed = 0
    with (
        ParquetRows(run.stage_file(STAGE, f"{task}.parquet"), document_columns(run.score_names)) as out,
        ParquetRows(run.stage_file(STAGE, f"{task}.prints.parquet"), print_columns(run)) as prints,
        ParquetRows(run.stage_file(STAGE, f"{task}.quarantined.parquet"), QUARANTINE_COLUMNS) as broken,
        ParquetRows(run.stage_file(STAGE, f"{task}.lines.parquet"), LINES) as lines,
    ):
        for file in files:
            check_unchanged(file)
            for frame, unreadable in watch.each(f"read {file.source}", read_frames(file, sources[file.source])):
                broken.append(unreadable)
                quarantined += unreadable.height
                if frame.is_empty():
                    continue
                size = text_bytes(frame["text"])
                watch.add(f"read {file.source}", size)
                done = decide(frame, run.steps, watch)
                decided = done.frame
                with watch.of("write documents", size):
                    out.append(decided)
                documents += decided.height
                characters += int(decided["text"].str.len_chars().sum())
                by_source[file.source] += decided.height
                retracts.update(decided["retracts"].explode().drop_nulls().to_list())
                alive = decided.filter(pl.col("dropped_by").is_null())
                dropped.update(decided["dropped_by"].drop_nulls().to_list())
                if alive.height:
                    with watch.of("fingerprints", text_bytes(alive["text"])):
                        prints.append(fingerprints(alive, run, done.alive))
                    if run.recipe.dedup.paragraphs:
                        lines.append(line_hashes(Batch(alive, done.alive), run, printed))
                    printed += alive.height
    run.log("profile", stage=STAGE, task=task, profile=watch.rounded())
    return {
        "documents": documents,
        "characters": characters,
        "bytes": sum(file.size for file in files),
        "quarantined": quarantined,
        "dropped": dict(sorted(dropped.items())),
        "by_source": dict(sorted(by_source.items())),
        "retracts": sorted(retracts),
    }


def line_hashes(batch: Batch, run: RunFolder, first: int) -> pl.DataFrame:
    """Hashes of the long lines of each document, by its row among the fingerprints (`dedup.paragraphs.LINES`)."""
    owner, hashes, long = long_lines(batch.column, *line_floors(batch, run))
    found = pl.DataFrame({"row": (owner[long] + first).astype(np.uint32), "line": hashes[long]}, schema=LINES)
    return found.unique(maintain_order=True)


def line_floors(batch: Batch, run: RunFolder) -> tuple[np.ndarray, int, int]:
    """Which rows are unspaced, and the shortest lines that count in both scripts."""
    floors = run.recipe.dedup.paragraphs or Paragraphs()
    return batch.unspaced, floors.min_characters, floors.unspaced_min_characters


def fingerprints(frame: pl.DataFrame, run: RunFolder, column: TextColumn | None = None) -> pl.DataFrame:
    """Exact hash, band hashes and what the choice among duplicates needs, one row a document."""
    shape = run.recipe.dedup.minhash
    quality = frame["scores"].struct.field("quality") if "quality" in run.score_names else pl.lit(None, pl.Float64)
    columns = frame.select(
        "id",
        exact_hashes(frame["text"]),
        "doi",
        "authority",
        quality.alias("quality"),
        "series",
        "edition",
        "published",
        pl.col("text").str.len_chars().cast(pl.Int64).alias("characters"),
        "retracted",
    )
    if shape is None:
        return columns
    config = MinHashConfig(shape.ngram, shape.bands, shape.rows)
    column = column or TextColumn(frame["text"])
    hashes = band_hashes(signatures(column, config), config)
    wordless = pl.Series(column.unit_counts == 0)
    named = [
        pl.when(wordless).then(None).otherwise(pl.Series(hashes[:, index])).alias(f"band_{index:03d}")
        for index in range(shape.bands)
    ]
    return columns.with_columns(named)
