"""Find lines that stand in many of the documents that stay."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from dedup.paragraphs import LINES, REPEATED, repeated_lines
from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, stage
from pipelines.stages.annotate import LINE_HASHES
from pipelines.stages.annotate import STAGE as ANNOTATE
from pipelines.stages.cluster import STAGE as CLUSTER
from pipelines.stages.group import earlier_prints, row_offsets
from storage.columnar import read_parquet, scan_parquet, write_parquet

STAGE: Final = "paragraphs"
# What one task holds in memory: the lines of so many partitions' worth, some 30 MB of hashes.
PARTITIONS_A_PART: Final = 16


def parts(run: RunFolder) -> int:
    """Into how many ranges the hashes are cut: with more documents, not with larger ranges."""
    return max(1, -(-len(row_offsets_of_runs(run)) // PARTITIONS_A_PART))


def row_offsets_of_runs(run: RunFolder) -> list[tuple[RunFolder, int]]:
    """Every partition of this run and of those that it is held against, in the order of row numbers."""
    return [(one, number) for one in (run, *run.against) for number in range(len(one.plan.partitions))]


def part_names(run: RunFolder) -> list[str]:
    """One task a range of the hashes, where the recipe asks for it."""
    return [f"{part:05d}" for part in range(parts(run))] if run.recipe.dedup.paragraphs else []


@stage(
    STAGE,
    title="find repeated lines",
    after=(CLUSTER,),
    cut="keys",
    unit="parts",
    tasks=part_names,
    reads=lambda run, task: [Outputs(ANNOTATE, ending=LINE_HASHES), Outputs(CLUSTER, ending=".parquet")],
    writes=lambda run, task: [run.stage_file(STAGE, f"{task}.parquet")],
    settings=lambda run, task: {
        "paragraphs": run.recipe.dedup.model_dump(mode="json")["paragraphs"],
        "parts": parts(run),
        **earlier_prints(run),
    },
)
def find_repeated(run: RunFolder, task: str) -> dict[str, Any]:
    """Repeated lines of one range of the hashes, documents that deduplication dropped left out."""
    wanted = run.recipe.dedup.paragraphs
    assert wanted is not None
    dropped = pl.concat(
        read_parquet(run.stage_file(CLUSTER, name)).filter(pl.col("dropped_by").is_not_null()).select("row")
        for name in ("decisions.parquet", "replaced.parquet")
    )
    lines = pl.concat([pl.DataFrame(schema=LINES), *_lines(run, int(task))])
    repeated = repeated_lines(lines.join(dropped, on="row", how="anti"), wanted.min_documents)
    write_parquet(run.stage_file(STAGE, f"{task}.parquet"), repeated)
    return {"lines": repeated.height}


def _lines(run: RunFolder, part: int) -> Iterator[pl.DataFrame]:
    """Lines whose hash lies in one range; row groups of other ranges are passed over by their statistics."""
    count = parts(run)
    low, high = ((part + at) * 2**64 // count for at in (0, 1))
    for (one, number), first in zip(row_offsets_of_runs(run), row_offsets(run), strict=False):
        path = one.stage_file(ANNOTATE, f"{number:05d}{LINE_HASHES}")
        if path.exists():
            inside = (pl.col("line") >= low) & (pl.col("line") <= high - 1)
            found = scan_parquet(path).filter(inside).collect()
            yield found.with_columns((pl.col("row").cast(pl.UInt64) + first).cast(pl.UInt32).alias("row"))


@lru_cache(maxsize=1)
def _repeated(run: RunFolder, identity: str) -> pl.DataFrame:
    found = [read_parquet(run.stage_file(STAGE, f"{task}.parquet")) for task in part_names(run)]
    return pl.concat([pl.DataFrame(schema=REPEATED), *found]).sort("line")


def all_repeated(run: RunFolder) -> pl.DataFrame:
    """All repeated lines of a run, sorted by hash; read once a process."""
    return _repeated(run, run.identity)


def rows_of(frame: pl.DataFrame, rows: pl.DataFrame) -> np.ndarray:
    """Row number of each document of `frame`, by its id; the largest number where it has none."""
    joined = frame.select("id").join(rows, on="id", how="left", maintain_order="left")
    return joined["row"].fill_null(2**32 - 1).cast(pl.UInt32).to_numpy()
