"""Stage 2: group fingerprints by key, link each group, find clusters, choose whom to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import polars as pl

from dedup.clustering import DECISIONS, EDGES, choose, components, star_edges
from pipelines.run_folder import RunFolder
from pipelines.stages.read import STAGE as READ
from pipelines.stages.read import bands
from schemas.files import read_json, written_whole

STAGE: Final = "group"
CLUSTER_STAGE: Final = "cluster"


def group_keys(run: RunFolder) -> list[str]:
    """Fingerprint columns by which documents are grouped: the exact hash and each band."""
    exact = ["exact"] if run.recipe.dedup.exact else []
    return exact + [f"band_{index:03d}" for index in range(bands(run))]


def print_files(run: RunFolder) -> list[Path]:
    """Fingerprint files of all partitions."""
    return [run.stage_file(READ, f"{number:05d}.prints.parquet") for number in range(len(run.plan.partitions))]


def group_band(run: RunFolder, task: str) -> dict[str, Any]:
    """Edges between documents that agree in one fingerprint column; only that column is read."""
    frames = [pl.read_parquet(path, columns=["id", task]) for path in print_files(run)]
    edges = star_edges(pl.concat(frames).rename({task: "key"}))
    return write_edges(run, task, edges)


def write_edges(run: RunFolder, task: str, edges: pl.DataFrame) -> dict[str, Any]:
    """Write the edges of one column, sorted: the same bytes from every engine."""
    with written_whole(run.stage_file(STAGE, f"{task}.parquet")) as temporary:
        edges.select(list(EDGES)).unique().sort("left", "right").write_parquet(temporary)
    return {"edges": edges.height}


def cluster(run: RunFolder, task: str) -> dict[str, Any]:
    """Clusters over the edges of all columns, the document of each that stays, and retractions."""
    edges = pl.concat(
        [
            pl.DataFrame(schema=EDGES),
            *(pl.read_parquet(run.stage_file(STAGE, f"{key}.parquet")) for key in group_keys(run)),
        ]
    ).unique()
    clusters = components(edges)
    retracted = retracted_dois(run)
    wanted = clusters.select("id")
    columns = [
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
    ]
    candidates = pl.concat(
        [pl.read_parquet(path, columns=columns).join(wanted, on="id", how="semi") for path in print_files(run)]
    ).with_columns(
        authority=pl.when(pl.col("doi").is_in(retracted) | pl.col("retracted"))
        .then(pl.lit("E"))
        .otherwise(pl.col("authority"))
    )
    decisions = choose(clusters, candidates) if clusters.height else pl.DataFrame(schema=DECISIONS)
    with written_whole(run.stage_file(CLUSTER_STAGE, "decisions.parquet")) as temporary:
        decisions.write_parquet(temporary)
    return {
        "clusters": decisions["cluster"].n_unique(),
        "edges": edges.height,
        "dropped": dict(decisions["dropped_by"].drop_nulls().value_counts().sort("dropped_by").iter_rows()),
        "retracted": retracted,
    }


def retracted_dois(run: RunFolder) -> list[str]:
    """DOIs that any retraction notice of the run names."""
    found: set[str] = set()
    for number in range(len(run.plan.partitions)):
        found.update(read_json(run.stage_file(READ, f"{number:05d}.json"))["retracts"])
    return sorted(found)
