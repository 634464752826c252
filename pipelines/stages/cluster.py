"""Join groups into clusters, choose whom to keep, find what is superseded and retracted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from dedup.clustering import DECISIONS, choose, components, judged_by_the_kept, members
from dedup.editions import Series, ordered, parsed
from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, stage
from pipelines.stages.annotate import PRINTS, fact_types
from pipelines.stages.annotate import STAGE as ANNOTATE
from pipelines.stages.group import STAGE as GROUP
from pipelines.stages.group import earlier_prints, group_keys, numbered, row_offsets
from pipelines.stages.read import STAGE as READ
from pipelines.tasks import counts_of
from storage.columnar import parquet_rows, read_parquet, write_parquet

STAGE: Final = "cluster"
CANDIDATES: Final = (
    "id",
    "exact",
    "doi",
    "identifiers",
    "authority",
    "quality",
    "series",
    "edition",
    "published",
    "characters",
    "retracted",
)

UNDECIDED: Final = "edition '{}' stands beside '{}' of its series: neither number nor date says which is newer"
SERIES: Final = {"row": pl.UInt32(), "series": pl.String(), "edition": pl.String(), "published": pl.String()}


@stage(
    STAGE,
    title="cluster and choose",
    version=2,
    after=(GROUP, READ),
    cut="one",
    unit="tables",
    tasks=lambda run: ["clusters"],
    reads=lambda run, task: [
        Outputs(GROUP),
        Outputs(ANNOTATE, ending=PRINTS),
        Outputs(READ, counts=("retracts", "notices")),
    ],
    writes=lambda run, task: [run.stage_file(STAGE, name) for name in ("decisions.parquet", "replaced.parquet")],
    settings=lambda run, task: {
        "supersede": run.recipe.supersede.model_dump(mode="json") if run.recipe.supersede else None,
        **earlier_prints(run),
    },
)
def cluster(run: RunFolder, task: str) -> dict[str, Any]:
    """Clusters over the edges of all columns, the document of each that stays, series, and retractions.

    `decisions.parquet` holds this run's documents that are clustered or superseded; what a run that
    this one is held against would have to give up is in `replaced.parquet`.
    """
    offsets = row_offsets(run)
    own = offsets[len(run.plan.partitions)]
    edge_files = (read_parquet(run.stage_file(GROUP, f"{key}.parquet")) for key in group_keys(run))
    clusters = members(components(offsets[-1], edge_files))
    retracted = retracted_dois(run)
    series = ordered(_series(run) if run.recipe.supersede else pl.DataFrame(schema=SERIES))
    wanted = [clusters.select("row"), *(one.select("row") for one in (series.old, series.newest))]
    candidates = _candidates(run, pl.concat(wanted).unique(), retracted)
    candidates = candidates.hstack(parsed(candidates["edition"])).with_columns(
        superseded=pl.col("row").is_in(series.old["row"].to_list()), held=pl.col("row") >= own
    )
    decided = judged_by_the_kept(clusters, candidates, choose(clusters, candidates))
    decisions = _with_undecided(_with_series(decided, candidates, series, run), candidates, series)
    mine, theirs = decisions.filter(pl.col("row") < own), decisions.filter(pl.col("row") >= own)
    stays = mine["dropped_by"].is_null() & mine["drop_reason"].is_not_null()
    undecided = mine["drop_reason"].str.starts_with(UNDECIDED.split("{", 1)[0]).fill_null(False)
    _write(run, "decisions.parquet", mine)
    _write(run, "replaced.parquet", _replaced(theirs, run))
    return {
        "clusters": mine["cluster"].drop_nulls().n_unique(),
        "edges": sum(parquet_rows(run.stage_file(GROUP, f"{key}.parquet")) for key in group_keys(run)),
        "dropped": dict(mine["dropped_by"].drop_nulls().value_counts().sort("dropped_by").iter_rows()),
        "held_apart": int((stays & ~undecided).sum()),
        "undecided_editions": int((stays & undecided).sum()),
        "superseded": int(mine["superseded_by"].is_not_null().sum()),
        "retracted": retracted,
        "notices": _notices(run),
    }


def _write(run: RunFolder, name: str, frame: pl.DataFrame) -> None:
    ordered = frame.select(list(DECISIONS)).cast(DECISIONS).sort("row")  # type: ignore[arg-type]
    write_parquet(run.stage_file(STAGE, name), ordered, row_group_size=50_000)


def _series(run: RunFolder) -> pl.DataFrame:
    """Rows that belong to a series: columns row, series, edition, published."""
    parts = [frame.drop_nulls("series") for frame in numbered(run, ["series", "edition", "published"])]
    return pl.concat(parts).select(list(SERIES)).cast(SERIES)  # type: ignore[arg-type]


def named_by(names: Sequence[str]) -> pl.Expr:
    """Documents that these DOIs or numbers of PubMed and PMC name."""
    numbers = pl.col("identifiers").list.set_intersection(list(names)).list.len() > 0
    return pl.col("doi").is_in(names).fill_null(False) | numbers.fill_null(False)


def _candidates(run: RunFolder, wanted: pl.DataFrame, retracted: list[str]) -> pl.DataFrame:
    """What the choice needs of the wanted rows; retracted articles count as grade E."""
    columns = [*CANDIDATES, *(("signature",) if run.minhash else ()), *(("facts",) if fact_types(run) else ())]
    parts = [frame.join(wanted, on="row", how="semi") for frame in numbered(run, columns)]
    is_retracted = named_by(retracted) | pl.col("retracted").fill_null(False)
    return pl.concat(parts).with_columns(
        authority=pl.when(is_retracted).then(pl.lit("E")).otherwise(pl.col("authority"))
    )


def _with_series(decisions: pl.DataFrame, candidates: pl.DataFrame, series: Series, run: RunFolder) -> pl.DataFrame:
    """Decisions widened by documents of which a newer edition is there: dropped, or marked and kept.

    The newer one named is the best document of the newest edition, or whom its cluster keeps.
    """
    if series.old.is_empty():
        return decisions.with_columns(superseded_by=pl.lit(None, pl.String))
    edition = ["series", "scheme", "edition_key"]
    ids, kept = candidates.select("row", "id"), decisions.select("row", "kept")
    newest = (
        series.newest.join(ids, on="row")
        .join(kept, on="row", how="left")
        .group_by(edition)
        .agg(newer=pl.coalesce("kept", "id").min())
    )
    old = series.old.join(newest, on=edition).join(ids, on="row").select("row", "id", "newer")
    joined = decisions.join(old, on="row", how="full", coalesce=True)
    joined = joined.with_columns(id=pl.coalesce("id", "id_right"), superseded_by=pl.col("newer"))
    if run.recipe.supersede and run.recipe.supersede.action == "drop":
        gone = pl.col("superseded_by").is_not_null()
        joined = joined.with_columns(
            dropped_by=pl.when(gone).then(pl.lit("superseded")).otherwise("dropped_by"),
            drop_reason=pl.when(gone).then(pl.format("superseded by {}", "newer")).otherwise("drop_reason"),
        )
    return joined.select(list(DECISIONS))


def _with_undecided(decisions: pl.DataFrame, candidates: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Decisions with the reason why an edition stays beside one of another scheme, where it stays."""
    told = series.undecided.join(candidates.select("row", "id", "edition"), on="row").select(
        "row", "id", why=pl.format(UNDECIDED, "edition", "other")
    )
    joined = decisions.join(told, on="row", how="full", coalesce=True)
    why = pl.when(pl.col("dropped_by").is_null()).then(pl.coalesce("drop_reason", "why")).otherwise("drop_reason")
    return joined.with_columns(id=pl.coalesce("id", "id_right"), drop_reason=why).select(list(DECISIONS))


def _replaced(decisions: pl.DataFrame, run: RunFolder) -> pl.DataFrame:
    """Documents of earlier runs that a run over everything would not have kept, though they did."""
    lost = decisions.filter(pl.col("dropped_by").is_not_null())
    gone_before: list[str] = []
    for other in run.against:
        before = read_parquet(other.stage_file(STAGE, "decisions.parquet"))
        gone_before += before.filter(pl.col("dropped_by").is_not_null())["id"].to_list()
    return lost.filter(~pl.col("id").is_in(gone_before))


def _notices(run: RunFolder) -> list[list[str]]:
    """What notices of this run, or of one it is held against, say of which DOIs."""
    told = [
        one for part in (run, *run.against) for counts in counts_of(part, READ) for one in counts.get("notices", [])
    ]
    return sorted([doi, what] for doi, what in told)


def retracted_dois(run: RunFolder) -> list[str]:
    """DOIs that any retraction notice of this run, or of one it is held against, names."""
    found = {doi for one in (run, *run.against) for counts in counts_of(one, READ) for doi in counts["retracts"]}
    return sorted(found)
