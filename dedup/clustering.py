"""From equal keys to clusters, and from each cluster the one document that stays.

Documents are row numbers here: keys are grouped one part of their hashes at a time, and components
are joined on numbers alone, so that memory is bounded by documents, never by signatures. Nothing
depends on how rows were partitioned: groups are linked as stars, and the choice is a total order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs
from numba import njit

from dedup.facts import others
from dedup.minhash import lean_similarities, lean_similarity

EDGES: Final = {"left": pl.UInt32(), "right": pl.UInt32()}
DECISIONS: Final = {
    "row": pl.UInt32(),
    "id": pl.String(),
    "cluster": pl.String(),
    "kept": pl.String(),
    "dropped_by": pl.String(),
    "drop_reason": pl.String(),
    "superseded_by": pl.String(),
}
# The similarity of which half of all pairs are found (14 bands of 8); the estimate from 112 bytes errs by 0.04.
NEAR: Final = 0.7
MOST_NAMED: Final = 5  # facts that a reason names
MOST_COMPARED: Final = 200  # kept documents of a cluster that each member is compared with
TOLD: Final = cs.by_name("row", "id", "root", "exact", "signature", "facts", require_all=False)
ROWS_COMPARED: Final = 100_000  # signatures that are compared at once: 11 MB a side
ROWS_A_PART: Final = 2_000_000  # keys that are sorted together: some 100 MB


def star_edges(keyed: pl.DataFrame) -> pl.DataFrame:
    """Edges (smallest row, other row) within each group of equal `key`; input columns row, key."""
    keyed = keyed.drop_nulls("key").sort("key", "row")
    key, row = keyed["key"], keyed["row"].to_numpy()
    if len(row) < 2:
        return pl.DataFrame(schema=EDGES)
    same = (key == key.shift(1)).fill_null(False).to_numpy()
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(row))))
    edges = pl.DataFrame({"left": row[first[same]], "right": row[same]}, schema=EDGES)
    return edges.filter(pl.col("left") != pl.col("right")).unique().sort("left", "right")


def linked(frames: Callable[[], Iterable[pl.DataFrame]], documents: int) -> pl.DataFrame:
    """Edges of all groups of equal keys; `frames` is called for one part of the keys after the other.

    `frames()` yields frames of columns row and key, the same each time.
    """
    parts = max(1, -(-documents // ROWS_A_PART))
    edges = [pl.DataFrame(schema=EDGES)]
    for part in range(parts):
        chosen = [
            frame.filter(pl.col("key").hash() % parts == part) if parts > 1 else frame
            for frame in (one.drop_nulls("key") for one in frames())
        ]
        edges.append(
            star_edges(pl.concat(chosen) if chosen else pl.DataFrame(schema={"row": pl.UInt32, "key": pl.UInt64}))
        )
    return pl.concat(edges).sort("left", "right")


@njit(cache=True)
def _root(parent, row):  # type: ignore[no-untyped-def]
    while parent[row] != row:
        parent[row] = parent[parent[row]]  # path halving (Tarjan and van Leeuwen 1984)
        row = parent[row]
    return row


@njit(cache=True)
def _join(parent, left, right):  # type: ignore[no-untyped-def]
    for edge in range(left.size):
        one, other = _root(parent, left[edge]), _root(parent, right[edge])
        if one < other:
            parent[other] = one
        elif other < one:
            parent[one] = other


@njit(cache=True)
def _roots(parent):  # type: ignore[no-untyped-def]
    for row in range(parent.size):
        parent[row] = _root(parent, np.int64(row))


def components(documents: int, edges: Iterator[pl.DataFrame] | Iterable[pl.DataFrame]) -> npt.NDArray[np.uint32]:
    """The smallest row of each row's component, shape (documents,); edges are taken frame by frame."""
    parent = np.arange(documents, dtype=np.uint32)
    for frame in edges:
        _join(parent, frame["left"].to_numpy(), frame["right"].to_numpy())
    _roots(parent)
    return parent


def members(roots: npt.NDArray[np.uint32]) -> pl.DataFrame:
    """Columns row and root of every row in a component of two or more."""
    sizes = np.bincount(roots, minlength=len(roots))
    rows = np.flatnonzero(sizes[roots] > 1)
    return pl.DataFrame({"row": rows.astype(np.uint32), "root": roots[rows]})


BEST_FIRST: Final = (
    pl.col("superseded").fill_null(False),
    pl.col("authority").fill_null("F"),
    -pl.col("quality").fill_null(0.0),
    # Numbers and years cannot be held against each other: there the date decides.
    pl.when(pl.col("scheme").drop_nulls().n_unique().over("root") == 1)
    .then("edition_key")
    .otherwise(None)
    .fill_null("")
    .rank("dense", descending=True),
    pl.col("published").fill_null("").rank("dense", descending=True),
    -pl.col("characters"),
    pl.col("held").not_(),  # what comes again unchanged replaces nothing
    pl.col("id"),
    pl.col("row"),
)


def choose(clusters: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Decide for every clustered document whether it stays.

    `clusters` has row and root; `candidates` has row, id, exact, superseded, authority (A best),
    quality, scheme and edition_key (`dedup.editions.parsed`), published, characters, and held: whether an earlier
    delivery brought it. The best by (not superseded, authority, quality, newest edition, newest publication, longest,
    held, id) is kept. Returns the columns of `DECISIONS` but for
    `superseded_by`, sorted by row; `dropped_by` is null for the kept one.
    """
    joined = clusters.join(candidates, on="row")
    names = joined.group_by("root").agg(cluster=pl.col("id").min())
    ranked = joined.join(names, on="root").sort(BEST_FIRST)
    kept = ranked.group_by("root", maintain_order=True).first()
    joined = ranked.join(kept.select("root", kept="id", kept_row="row", kept_exact="exact"), on="root")
    stays = pl.col("row") == pl.col("kept_row")
    same = pl.col("exact") == pl.col("kept_exact")
    return joined.select(
        "row",
        "id",
        "cluster",
        "kept",
        dropped_by=pl.when(stays).then(None).when(same).then(pl.lit("exact")).otherwise(pl.lit("minhash")),
        drop_reason=pl.when(stays)
        .then(None)
        .when(same)
        .then(pl.format("exact duplicate of {}", "kept"))
        .otherwise(pl.format("near duplicate of {}", "kept")),
    ).sort("row")


def judged_by_the_kept(clusters: pl.DataFrame, candidates: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """The decisions, but for members that are not near whom their cluster keeps, or assert other facts: they stay.

    Along a chain of editions the last may share nothing with the first. So in the order of the choice each member goes
    to the first kept document that it is near to (`signature`, by `NEAR`) and that states all its `facts` (null
    where a document is not asked), or is kept itself; what facts hold apart is named. Components of two without facts
    are near by how they were found.
    """
    large = clusters.filter(pl.len().over("root") > 2)
    if "facts" in candidates.columns:
        asked = clusters.join(candidates.filter(pl.col("facts").is_not_null()).select("row"), on="row", how="semi")
        large = pl.concat([large, clusters.join(asked.select("root").unique(), on="root", how="semi")]).unique()
    ranked = large.join(candidates, on="row").sort("root", *BEST_FIRST)
    ranked = ranked.join(_roots_in_doubt(ranked), on="root", how="semi", maintain_order="left")
    changed: list[tuple[int, str, str | None, str | None]] = []
    for _, cluster in groupby(ranked.select(TOLD).iter_rows(named=True), key=itemgetter("root")):
        changed.extend(_apart(cluster))
    if not changed:
        return decisions
    columns = ("row", "kept", "dropped_by", "drop_reason")
    told = pl.DataFrame(changed, schema={name: DECISIONS[name] for name in columns}, orient="row")
    untouched = decisions.join(told, on="row", how="anti")
    again = decisions.drop("kept", "dropped_by", "drop_reason").join(told, on="row").select(decisions.columns)
    return pl.concat([untouched, again]).sort("row")


def _roots_in_doubt(ranked: pl.DataFrame) -> pl.DataFrame:
    """Clusters with a member that is not near the first of its cluster, or whose facts are asked: most have none."""
    root = ranked["root"].to_numpy()
    begins = np.r_[True, root[1:] != root[:-1]] if len(root) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(root)), 0)).astype(np.int64)
    doubt = np.zeros(len(root), bool)
    if "signature" in ranked.columns:
        told = ranked["signature"]
        for start in range(0, len(root), ROWS_COMPARED):
            part = slice(start, start + ROWS_COMPARED)
            doubt[part] = _far(told[part].to_list(), told[first[part]].to_list())
    doubt &= (ranked["exact"] != ranked["exact"][first]).fill_null(True).to_numpy()
    if "facts" in ranked.columns:
        doubt |= ranked["facts"].is_not_null().to_numpy()
    return ranked.filter(pl.Series(doubt)).select("root").unique()


def _far(left: list[bytes | None], right: list[bytes | None]) -> npt.NDArray[np.bool_]:
    known = np.array([one is not None and other is not None for one, other in zip(left, right, strict=True)], bool)
    signatures = [
        np.frombuffer(b"".join(one for one, is_known in zip(side, known, strict=True) if is_known and one), np.uint8)
        for side in (left, right)
    ]
    far = np.zeros(len(known), bool)
    if known.any():
        pairs = [one.reshape(int(known.sum()), -1) for one in signatures]
        far[known] = lean_similarities(*pairs) < NEAR
    return far


def _apart(cluster: Iterable[dict[str, Any]]) -> Iterator[tuple[int, str, str | None, str | None]]:
    """Decisions of one cluster, whose rows are the best first."""
    kept: list[dict[str, Any]] = []
    for row in cluster:
        same = next((one for one in kept if one["exact"] == row["exact"]), None)
        if same is not None:
            yield row["row"], same["id"], "exact", f"exact duplicate of {same['id']}"
            continue
        near = [one for one in kept[:MOST_COMPARED] if _is_near(row, one)]
        equal = next((one for one in near if not _other_facts(row, one)), None)
        if equal is not None:
            yield row["row"], equal["id"], "minhash", f"near duplicate of {equal['id']}"
            continue
        why = None
        if near:
            facts = _other_facts(row, near[0])
            more = f" and {len(facts) - MOST_NAMED} more" if len(facts) > MOST_NAMED else ""
            why = f"held apart from its near duplicate {near[0]['id']} by {', '.join(facts[:MOST_NAMED])}{more}"
        kept.append(row)
        yield row["row"], row["id"], None, why


def _is_near(row: dict[str, Any], kept: dict[str, Any]) -> bool:
    one, other = row.get("signature"), kept.get("signature")
    return one is None or other is None or lean_similarity(one, other) >= NEAR


def _other_facts(row: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    one, other = row.get("facts"), kept.get("facts")
    return [] if one is None or other is None else others(one, other)
