"""`curate inspect --cluster`: the members of a cluster, whom it keeps, and how the others differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import polars as pl
from rich.text import Text

from curate.differences import marked_differences
from curate.streams import visible
from curate.terminal import Output, json_line
from pipelines.stages.cluster import STAGE as CLUSTER
from schemas.errors import WrongCall

COLUMNS: Final = (
    "id",
    "source",
    "uri",
    "title",
    "authority",
    "edition",
    "published",
    "dropped_by",
    "drop_reason",
    "text",
)
SHOWN: Final = 3000


def cluster_members(run_dir: Path, wanted: str) -> list[dict[str, Any]]:
    """Documents of the cluster that a document belongs to, whom it keeps first; `wanted` is the start of an id."""
    decisions = pl.scan_parquet(run_dir / "stages" / CLUSTER / "decisions.parquet")
    mine = decisions.filter(pl.col("id").str.starts_with(wanted) | pl.col("cluster").str.starts_with(wanted))
    found = mine.select("cluster").drop_nulls().unique().sort("cluster").collect()
    if found.is_empty() or not wanted:
        raise WrongCall(f"no cluster of {run_dir} has a document whose id begins with '{wanted}'")
    if found.height > 1:
        raise WrongCall(f"{found.height} clusters have a document whose id begins with '{wanted}'; give more of it")
    rows = decisions.filter(pl.col("cluster") == found["cluster"][0]).select("id", "kept").collect()
    parts = [
        pl.scan_parquet(run_dir / name / "*.parquet")
        .filter(pl.col("id").is_in(rows["id"].to_list()))
        .select(*COLUMNS, pl.lit(name).alias("table"))
        .collect()
        for name in ("curated", "dropped")
    ]
    kept = rows["kept"][0]
    return pl.concat(parts).sort(pl.col("id") != kept, "id").to_dicts()


def show_cluster(run_dir: Path, wanted: str, as_json: bool) -> None:
    """Print the cluster; what differs from the document that stays is marked."""
    documents = cluster_members(run_dir, wanted)
    if as_json:
        for one in documents:
            click.echo(json_line({**one, "text": one["text"][:SHOWN]}))
        return
    console = Output()
    first = documents[0]
    for one in documents:
        facts = ", ".join(f"{key} {one[key]}" for key in ("authority", "edition", "published") if one[key])
        console.print(Text(one["table"], "bold"), visible(f"{one['id']}  {one['source']}  {one['uri']}  {facts}"))
        if one["drop_reason"]:
            console.print(visible(f"  {one['dropped_by']}: {one['drop_reason']}"))
        left, right = marked_differences(first["text"][:SHOWN], one["text"][:SHOWN])
        line = Text()
        for differs, text in right if one is not first else [(False, first["text"][:SHOWN])]:
            marked = f"[{text.strip()}] " if differs and not console.is_terminal else text
            line.append(visible(marked), "reverse" if differs else "")
        console.print(line)
        missing = sum(len(text) for differs, text in left if differs)
        if one is not first:
            console.print(f"  {missing} characters of the kept document are not in it\n")
