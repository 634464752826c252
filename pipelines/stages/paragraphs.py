"""Stage 2b: lines that stand in many of the documents that stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl

from dedup.paragraphs import LINES, REPEATED, repeated_lines
from pipelines.run_folder import RunFolder
from pipelines.stages.group import CLUSTER_STAGE, row_offsets
from pipelines.stages.read import STAGE as READ
from storage.publishing import published

STAGE: Final = "paragraphs"
PARTS: Final = 8  # by hash: what one task holds in memory


def tasks(run: RunFolder) -> list[str]:
    """One task a part of the hashes, where the recipe asks for it."""
    return [f"{part:02d}" for part in range(PARTS)] if run.recipe.dedup.paragraphs else []


def find_repeated(run: RunFolder, task: str) -> dict[str, Any]:
    """Repeated lines of one part of the hashes, documents that deduplication dropped left out."""
    wanted = run.recipe.dedup.paragraphs
    assert wanted is not None
    dropped = pl.concat(
        pl.read_parquet(run.stage_file(CLUSTER_STAGE, name)).filter(pl.col("dropped_by").is_not_null()).select("row")
        for name in ("decisions.parquet", "replaced.parquet")
    )
    lines = pl.concat([pl.DataFrame(schema=LINES), *_lines(run, int(task))])
    repeated = repeated_lines(lines.join(dropped, on="row", how="anti"), wanted.min_documents)
    with published(run.stage_file(STAGE, f"{task}.parquet")) as temporary:
        repeated.write_parquet(temporary)
    return {"lines": repeated.height}


def _lines(run: RunFolder, part: int) -> Iterator[pl.DataFrame]:
    offsets = row_offsets(run)
    runs = [(run, number) for number in range(len(run.plan.partitions))]
    runs += [(other, number) for other in run.against for number in range(len(other.plan.partitions))]
    for (one, number), first in zip(runs, offsets, strict=False):
        path = one.stage_file(READ, f"{number:05d}.lines.parquet")
        if path.exists():
            found = pl.read_parquet(path).filter(pl.col("line") % PARTS == part)
            yield found.with_columns((pl.col("row").cast(pl.UInt64) + first).cast(pl.UInt32).alias("row"))


def all_repeated(run: RunFolder) -> pl.DataFrame:
    """All repeated lines of a run, sorted by hash."""
    parts = [pl.read_parquet(run.stage_file(STAGE, f"{task}.parquet")) for task in tasks(run)]
    return pl.concat([pl.DataFrame(schema=REPEATED), *parts]).sort("line")


def rows_of(frame: pl.DataFrame, rows: pl.DataFrame) -> np.ndarray:
    """Row number of each document of `frame`, by its id; the largest number where it has none."""
    joined = frame.select("id").join(rows, on="id", how="left", maintain_order="left")
    return joined["row"].fill_null(2**32 - 1).cast(pl.UInt32).to_numpy()
