"""Stage 2: group fingerprints by key, join clusters, choose whom to keep, find what is superseded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dedup.clustering import DECISIONS, EDGES, choose, components, linked, members, superseded
from pipelines.run_folder import RunFolder
from pipelines.stages.read import STAGE as READ
from pipelines.stages.read import bands
from schemas.errors import WrongCall
from storage.json_files import read_json
from storage.publishing import published

STAGE: Final = "group"
CLUSTER_STAGE: Final = "cluster"
CANDIDATES: Final = (
    "id",
    "exact",
    "doi",
    "authority",
    "quality",
    "series",
    "edition",
    "published",
    "characters",
    "retracted",
)


def group_keys(run: RunFolder) -> list[str]:
    """Fingerprint columns by which documents are grouped: the exact hash and each band."""
    exact = ["exact"] if run.recipe.dedup.exact else []
    return exact + [f"band_{index:03d}" for index in range(bands(run))]


def own_print_files(run: RunFolder) -> list[Path]:
    """Fingerprint files of this run's partitions."""
    return [run.stage_file(READ, f"{number:05d}.prints.parquet") for number in range(len(run.plan.partitions))]


def print_files(run: RunFolder) -> list[Path]:
    """Fingerprint files of this run, then of the runs it is held against; rows count through all of them."""
    earlier = [path for other in run.against for path in own_print_files(other)]
    for path in earlier:
        if not path.exists():
            raise WrongCall(f"{path} is missing: a run can be held against only with its `stages/` folder")
    return own_print_files(run) + earlier


def row_offsets(run: RunFolder) -> list[int]:
    """Number of the first row of each fingerprint file, and of all rows at the end; counted once a process."""
    return _offsets(run, (run.path / "plan.json").stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _offsets(run: RunFolder, planned: int) -> list[int]:
    counts = [pq.read_metadata(path).num_rows for path in print_files(run)]
    return [0, *np.cumsum(counts).tolist()]


def keyed_rows(run: RunFolder, column: str) -> Iterator[pl.DataFrame]:
    """Columns row and key of one fingerprint column, file by file."""
    for frame in _numbered(run, [column]):
        yield frame.select("row", key=column)


def group_band(run: RunFolder, task: str) -> dict[str, Any]:
    """Edges between documents that agree in one fingerprint column; only that column is read."""
    return write_edges(run, task, linked(lambda: keyed_rows(run, task), row_offsets(run)[-1]))


def write_edges(run: RunFolder, task: str, edges: pl.DataFrame) -> dict[str, Any]:
    """Write the edges of one column, sorted: the same bytes from every engine."""
    with published(run.stage_file(STAGE, f"{task}.parquet")) as temporary:
        edges.select(list(EDGES)).cast(EDGES).unique().sort("left", "right").write_parquet(temporary)  # type: ignore[arg-type]
    return {"edges": edges.height}


def cluster(run: RunFolder, task: str) -> dict[str, Any]:
    """Clusters over the edges of all columns, the document of each that stays, series, and retractions.

    `decisions.parquet` holds this run's documents that are clustered or superseded; what a run that
    this one is held against would have to give up is in `replaced.parquet`.
    """
    offsets = row_offsets(run)
    own = offsets[len(run.plan.partitions)]
    edge_files = (pl.read_parquet(run.stage_file(STAGE, f"{key}.parquet")) for key in group_keys(run))
    clusters = members(components(offsets[-1], edge_files))
    retracted = retracted_dois(run)
    series = _series(run) if run.recipe.supersede else pl.DataFrame(schema={"row": pl.UInt32})
    wanted = pl.concat([clusters.select("row"), series.select("row")]).unique()
    candidates = _candidates(run, wanted, retracted)
    if run.recipe.supersede:
        old = superseded(series)
        candidates = candidates.join(old, on="row", how="left", maintain_order="left")
    else:
        candidates = candidates.with_columns(newest=pl.lit(None, pl.String))
    candidates = candidates.with_columns(superseded=pl.col("newest").is_not_null())
    decisions = _with_series(choose(clusters, candidates), candidates, run)
    mine, theirs = decisions.filter(pl.col("row") < own), decisions.filter(pl.col("row") >= own)
    _write(run, "decisions.parquet", mine)
    _write(run, "replaced.parquet", _replaced(theirs, run))
    return {
        "clusters": mine["cluster"].drop_nulls().n_unique(),
        "edges": sum(pq.read_metadata(run.stage_file(STAGE, f"{key}.parquet")).num_rows for key in group_keys(run)),
        "dropped": dict(mine["dropped_by"].drop_nulls().value_counts().sort("dropped_by").iter_rows()),
        "superseded": int(mine["superseded_by"].is_not_null().sum()),
        "retracted": retracted,
    }


def _write(run: RunFolder, name: str, frame: pl.DataFrame) -> None:
    with published(run.stage_file(CLUSTER_STAGE, name)) as temporary:
        frame.select(list(DECISIONS)).cast(DECISIONS).sort("row").write_parquet(temporary, row_group_size=50_000)  # type: ignore[arg-type]


def _numbered(run: RunFolder, columns: list[str]) -> Iterator[pl.DataFrame]:
    for path, first in zip(print_files(run), row_offsets(run), strict=False):
        frame = pl.read_parquet(path, columns=columns)
        yield frame.with_columns(row=pl.Series(np.arange(first, first + frame.height, dtype=np.uint32)))


def _series(run: RunFolder) -> pl.DataFrame:
    """Rows that belong to a series: columns row, series, edition."""
    parts = [frame.drop_nulls("series") for frame in _numbered(run, ["series", "edition"])]
    return pl.concat(parts).select("row", "series", "edition")


def _candidates(run: RunFolder, wanted: pl.DataFrame, retracted: list[str]) -> pl.DataFrame:
    """What the choice needs of the wanted rows; retracted articles count as grade E."""
    parts = [frame.join(wanted, on="row", how="semi") for frame in _numbered(run, list(CANDIDATES))]
    is_retracted = pl.col("doi").is_in(retracted).fill_null(False) | pl.col("retracted").fill_null(False)
    return pl.concat(parts).with_columns(
        authority=pl.when(is_retracted).then(pl.lit("E")).otherwise(pl.col("authority"))
    )


def _with_series(decisions: pl.DataFrame, candidates: pl.DataFrame, run: RunFolder) -> pl.DataFrame:
    """Decisions widened by documents of which a newer edition is there: dropped, or marked and kept.

    The newer one named is the best document of the newest edition, or whom its cluster keeps.
    """
    if not candidates["superseded"].any():
        return decisions.with_columns(superseded_by=pl.lit(None, pl.String))
    kept = decisions.select("row", "kept")
    newest = (
        candidates.drop_nulls(["series", "edition"])
        .with_columns(top=pl.col("edition").max().over("series"))
        .filter(pl.col("edition") == pl.col("top"))
        .join(kept, on="row", how="left")
        .group_by("series")
        .agg(newer=pl.coalesce("kept", "id").min())
    )
    old = candidates.filter("superseded").select("row", "id", "series").join(newest, on="series").drop("series")
    joined = decisions.join(old, on="row", how="full", coalesce=True)
    joined = joined.with_columns(id=pl.coalesce("id", "id_right"), superseded_by=pl.col("newer"))
    if run.recipe.supersede and run.recipe.supersede.action == "drop":
        gone = pl.col("superseded_by").is_not_null()
        joined = joined.with_columns(
            dropped_by=pl.when(gone).then(pl.lit("superseded")).otherwise("dropped_by"),
            drop_reason=pl.when(gone).then(pl.format("superseded by {}", "newer")).otherwise("drop_reason"),
        )
    return joined.select(list(DECISIONS))


def _replaced(decisions: pl.DataFrame, run: RunFolder) -> pl.DataFrame:
    """Documents of earlier runs that a run over everything would not have kept, though they did."""
    lost = decisions.filter(pl.col("dropped_by").is_not_null())
    gone_before: list[str] = []
    for other in run.against:
        before = pl.read_parquet(other.stage_file(CLUSTER_STAGE, "decisions.parquet"))
        gone_before += before.filter(pl.col("dropped_by").is_not_null())["id"].to_list()
    return lost.filter(~pl.col("id").is_in(gone_before))


def retracted_dois(run: RunFolder) -> list[str]:
    """DOIs that any retraction notice of this run, or of one it is held against, names."""
    found: set[str] = set()
    for one in (run, *run.against):
        for number in range(len(one.plan.partitions)):
            found.update(read_json(one.stage_file(READ, f"{number:05d}.json"))["retracts"])
    return sorted(found)
