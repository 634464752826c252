"""Stage 3: apply the choice among duplicates, mark retractions, decontaminate, write the corpus."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from dedup.contamination_index import ContaminationIndex, build_index, load_index, save_index
from dedup.decontamination import HITS, cut_spans, find_items
from pipelines.run_folder import RunFolder
from pipelines.stages.group import CLUSTER_STAGE
from pipelines.stages.read import STAGE as READ
from pipelines.stages.read import ParquetRows, parquet_frames
from schemas.benchmark import BenchmarkItem, read_items
from schemas.document import EDIT, QUARANTINE_COLUMNS, document_columns
from schemas.files import read_json, written_whole

STAGE: Final = "curate"
BENCHMARK_STAGE: Final = "benchmarks"


def index_benchmarks(run: RunFolder, task: str) -> dict[str, Any]:
    """Read all benchmark items and write the index that every partition loads."""
    wanted = run.recipe.decontaminate
    items: list[BenchmarkItem] = []
    columns = {one.name: one.columns for one in wanted.benchmarks} if wanted else {}
    for file in run.plan.benchmarks:
        items.extend(read_items(file.source, Path(file.location), columns[file.source]))
    path = run.stage_file(BENCHMARK_STAGE, "index.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    index = build_index(items, wanted.ngram if wanted else 13)
    save_index(index, path)
    counts = index.items.group_by("benchmark").agg(pl.len(), (~pl.col("checkable")).sum().alias("unchecked"))
    return {"items": {row[0]: [row[1], row[2]] for row in counts.sort("benchmark").iter_rows()}}


@lru_cache(maxsize=1)
def _index(path: Path, modified: int) -> ContaminationIndex:
    return load_index(path)


def benchmark_index(run: RunFolder) -> ContaminationIndex | None:
    """The index, loaded once a process; None where the recipe names no benchmark."""
    if run.recipe.decontaminate is None:
        return None
    path = run.stage_file(BENCHMARK_STAGE, "index.npz")
    return _index(path, path.stat().st_mtime_ns)


def curate_partition(run: RunFolder, task: str) -> dict[str, Any]:
    """Write `curated/`, `dropped/` and `quarantined/` of one partition; returns its counts."""
    columns = document_columns(run.score_names)
    decisions = pl.read_parquet(run.stage_file(CLUSTER_STAGE, "decisions.parquet"))
    retracted = read_json(run.stage_file(CLUSTER_STAGE, "clusters.json"))["retracted"]
    index = benchmark_index(run)
    dropped: Counter[str] = Counter()
    hits = [pl.DataFrame(schema=HITS)]
    curated = read = 0
    with (
        ParquetRows(run.path / "curated" / f"{task}.parquet", columns) as kept_rows,
        ParquetRows(run.path / "dropped" / f"{task}.parquet", columns) as dropped_rows,
    ):
        for frame in parquet_frames(run.stage_file(READ, f"{task}.parquet")):
            frame = _chosen(_retracted(frame, retracted), decisions)
            if index is not None:
                frame, found = _decontaminated(frame, index, run)
                hits.append(found)
            gone = pl.col("dropped_by").is_not_null()
            kept_rows.append(frame.filter(~gone))
            dropped_rows.append(frame.filter(gone))
            dropped.update(frame["dropped_by"].drop_nulls().to_list())
            read += frame.height
            curated += int(frame["dropped_by"].null_count())
    with ParquetRows(run.path / "quarantined" / f"{task}.parquet", QUARANTINE_COLUMNS) as rows:
        for frame in parquet_frames(run.stage_file(READ, f"{task}.quarantined.parquet")):
            rows.append(frame)
    with written_whole(run.stage_file(STAGE, f"{task}.hits.parquet")) as temporary:
        pl.concat(hits).write_parquet(temporary)
    return {"documents": read, "curated": curated, "dropped": dict(sorted(dropped.items()))}


def _retracted(frame: pl.DataFrame, dois: list[str]) -> pl.DataFrame:
    """Mark articles that a notice of the run retracts; a retracted article is never above grade E."""
    marked = pl.col("retracted") | pl.col("doi").is_in(dois).fill_null(False)
    return frame.with_columns(
        retracted=marked, authority=pl.when(marked).then(pl.lit("E")).otherwise(pl.col("authority"))
    )


def _chosen(frame: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    joined = frame.join(
        decisions.select("id", by="dropped_by", why="drop_reason"), on="id", how="left", maintain_order="left"
    )
    return joined.with_columns(
        dropped_by=pl.coalesce("dropped_by", "by"), drop_reason=pl.coalesce("drop_reason", "why")
    ).drop("by", "why")


def _decontaminated(
    frame: pl.DataFrame, index: ContaminationIndex, run: RunFolder
) -> tuple[pl.DataFrame, pl.DataFrame]:
    alive = frame.filter(pl.col("dropped_by").is_null())
    hits = find_items(alive["id"], alive["text"], index)
    if hits.is_empty():
        return frame, hits
    assert run.recipe.decontaminate is not None
    if run.recipe.decontaminate.action == "cut":
        return _cut(frame, hits), hits
    first = (
        hits.sort("id", pl.col("overlap"), "benchmark", "item", descending=[False, True, False, False])
        .group_by("id", maintain_order=True)
        .agg(
            pl.format(
                "holds {} items of benchmarks, first {} of {} ({} overlap {})",
                pl.struct("benchmark", "item").n_unique(),
                pl.col("item").first(),
                pl.col("benchmark").first(),
                pl.col("kind").first(),
                pl.col("overlap").first().round(2),
            ).alias("why")
        )
    )
    joined = frame.join(first, on="id", how="left", maintain_order="left")
    found = pl.col("why").is_not_null()
    return (
        joined.with_columns(
            dropped_by=pl.when(found).then(pl.lit("decontaminate")).otherwise(pl.col("dropped_by")),
            drop_reason=pl.when(found).then(pl.col("why")).otherwise(pl.col("drop_reason")),
        ).drop("why"),
        hits,
    )


def _cut(frame: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Take the sentences of every hit out of the text; a document that was nothing else is dropped."""
    spans = {key[0]: list(rows.select("start", "end").iter_rows()) for key, rows in hits.group_by("id")}
    touched = frame["id"].is_in(list(spans))
    texts = [
        cut_spans(text, spans[one]) if one in spans else text for one, text in frame.select("id", "text").iter_rows()
    ]
    edit = pl.struct(
        pl.lit("decontaminate").alias("step"),
        pl.lit("benchmark spans cut").alias("what"),
        pl.Series([len(spans.get(one, ())) for one in frame["id"]], dtype=pl.Int64).alias("count"),
    ).cast(EDIT)
    frame = frame.with_columns(
        text=pl.Series(texts, dtype=pl.String),
        edits=pl.when(touched).then(pl.concat_list("edits", edit)).otherwise(pl.col("edits")),
    )
    emptied = touched & (frame["text"].str.len_chars() == 0)
    return frame.with_columns(
        dropped_by=pl.when(emptied).then(pl.lit("decontaminate")).otherwise(pl.col("dropped_by")),
        drop_reason=pl.when(emptied)
        .then(pl.lit("nothing is left beside benchmark items"))
        .otherwise(pl.col("drop_reason")),
    )
