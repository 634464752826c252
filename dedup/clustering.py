"""From candidate pairs to clusters, and from each cluster the one document that stays.

Nothing here depends on the order of rows or on how they were partitioned: groups are linked as
stars to their smallest id, components are found on ids alone, and the choice is a total order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

EDGES: Final = {"left": pl.String(), "right": pl.String()}
DECISIONS: Final = {
    "id": pl.String(),
    "cluster": pl.String(),
    "kept": pl.String(),
    "dropped_by": pl.String(),
    "drop_reason": pl.String(),
}


def star_edges(frame: pl.DataFrame) -> pl.DataFrame:
    """Edges (smallest id, other id) within each group of equal `key`; input columns id, key."""
    grouped = frame.drop_nulls("key").with_columns(left=pl.col("id").min().over("key"))
    edges = grouped.filter(pl.col("id") != pl.col("left")).select("left", right=pl.col("id"))
    return edges.unique().sort("left", "right")


def components(edges: pl.DataFrame) -> pl.DataFrame:
    """Columns id and cluster (the smallest id of the component), for every id in an edge."""
    ids = pl.concat([edges["left"], edges["right"]]).unique().sort()
    if ids.is_empty():
        return pl.DataFrame(schema={"id": pl.String, "cluster": pl.String})
    left = ids.search_sorted(edges["left"]).to_numpy()
    right = ids.search_sorted(edges["right"]).to_numpy()
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(ids), len(ids)))
    _, label = connected_components(graph, directed=False)
    frame = pl.DataFrame({"id": ids, "label": label})
    return frame.select("id", cluster=pl.col("id").min().over("label")).sort("id")


def choose(clusters: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Decide for every clustered document whether it stays.

    `candidates` has id, exact, authority (A best), quality, edition, published, characters; the
    best by (authority, quality, newest edition, newest publication, longest, id) is kept. Returns
    the columns of `DECISIONS`, sorted by id; `dropped_by` is null for the kept one.
    """
    best_first = [
        pl.col("authority").fill_null("F"),
        -pl.col("quality").fill_null(0.0),
        pl.col("edition").fill_null("").rank("dense", descending=True),
        pl.col("published").fill_null("").rank("dense", descending=True),
        -pl.col("characters"),
        pl.col("id"),
    ]
    ranked = clusters.join(candidates, on="id").sort(best_first)
    kept = ranked.group_by("cluster", maintain_order=True).first()
    joined = ranked.join(kept.select("cluster", kept="id", kept_exact="exact"), on="cluster")
    stays = pl.col("id") == pl.col("kept")
    same = pl.col("exact") == pl.col("kept_exact")
    return joined.select(
        "id",
        "cluster",
        "kept",
        dropped_by=pl.when(stays).then(None).when(same).then(pl.lit("exact")).otherwise(pl.lit("minhash")),
        drop_reason=pl.when(stays)
        .then(None)
        .when(same)
        .then(pl.format("exact duplicate of {}", "kept"))
        .otherwise(pl.format("near duplicate of {}", "kept")),
    ).sort("id")
