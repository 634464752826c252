"""Group documents by equal fingerprints."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from dedup.clustering import EDGES, linked
from pipelines.run_folder import RunFolder
from pipelines.stage import Grouping, Outputs, stage
from pipelines.stages.annotate import PRINTS, bands
from pipelines.stages.annotate import STAGE as ANNOTATE
from schemas.errors import WrongCall
from schemas.manifest import load_manifest
from storage.columnar import parquet_rows, read_parquet, write_parquet
from storage.places import Place

STAGE: Final = "group"


def group_keys(run: RunFolder) -> list[str]:
    """Fingerprint columns by which documents are grouped: the exact hash and each band."""
    exact = ["exact"] if run.recipe.dedup.exact else []
    return exact + [f"band_{index:03d}" for index in range(bands(run))]


def own_print_files(run: RunFolder) -> list[Place]:
    """Fingerprint files of this run's partitions."""
    return [run.stage_file(ANNOTATE, f"{number:05d}{PRINTS}") for number in range(len(run.plan.partitions))]


def print_files(run: RunFolder) -> list[Place]:
    """Fingerprint files of this run, then of the runs it is held against; rows count through all of them."""
    earlier = [path for other in run.against for path in own_print_files(other)]
    for path in earlier:
        if not path.exists():
            raise WrongCall(f"{path} is missing: a run can be held against only with its `stages/` folder")
    return own_print_files(run) + earlier


def row_offsets(run: RunFolder) -> list[int]:
    """Number of the first row of each fingerprint file, and of all rows at the end; counted once a process."""
    return _offsets(run, run.identity)


@lru_cache(maxsize=4)
def _offsets(run: RunFolder, identity: str) -> list[int]:
    counts = [parquet_rows(path) for path in print_files(run)]
    return [0, *np.cumsum(counts).tolist()]


def keyed_rows(run: RunFolder, column: str) -> Iterator[pl.DataFrame]:
    """Columns row and key of one fingerprint column, file by file."""
    for frame in numbered(run, [column]):
        yield frame.select("row", key=column)


def write_edges(run: RunFolder, task: str, edges: pl.DataFrame) -> dict[str, Any]:
    """Write the edges of one column, sorted: the same bytes from every engine."""
    ordered = edges.select(list(EDGES)).cast(EDGES).unique().sort("left", "right")  # type: ignore[arg-type]
    write_parquet(run.stage_file(STAGE, f"{task}.parquet"), ordered)
    return {"edges": edges.height}


def _rows(run: RunFolder, part: int, keys: list[str]) -> pl.DataFrame:
    """Columns row and each key's of one fingerprint file."""
    first = row_offsets(run)[part]
    frame = read_parquet(print_files(run)[part], keys)
    return frame.with_columns(row=pl.Series(np.arange(first, first + frame.height, dtype=np.uint32)))


@stage(
    STAGE,
    title="group equal fingerprints",
    after=(ANNOTATE,),
    cut="keys",
    unit="keys",
    tasks=group_keys,
    reads=lambda run, task: [Outputs(ANNOTATE, ending=PRINTS)],
    writes=lambda run, task: [run.stage_file(STAGE, f"{task}.parquet")],
    settings=lambda run, task: earlier_prints(run),
    grouping=Grouping(lambda run: len(print_files(run)), _rows, write_edges),
)
def group_band(run: RunFolder, task: str) -> dict[str, Any]:
    """Edges between documents that agree in one fingerprint column; only that column is read."""
    return write_edges(run, task, linked(lambda: keyed_rows(run, task), row_offsets(run)[-1]))


def earlier_prints(run: RunFolder) -> dict[str, Any]:
    """What tells the fingerprints of earlier runs that this one is held against."""
    return {"against": [load_manifest(other.path).digest for other in run.against]}


def numbered(run: RunFolder, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Fingerprint files with the number of each row, file by file."""
    for path, first in zip(print_files(run), row_offsets(run), strict=False):
        frame = read_parquet(path, columns)
        yield frame.with_columns(row=pl.Series(np.arange(first, first + frame.height, dtype=np.uint32)))
