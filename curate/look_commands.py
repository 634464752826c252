"""`curate inspect`, `curate report` and `curate trace`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import polars as pl

from schemas.errors import WrongCall

RUN = click.Path(path_type=Path, file_okay=False)
TABLES = ("curated", "dropped", "quarantined")
PREVIEW = 2000


def table(run_dir: Path, name: str) -> pl.LazyFrame:
    """One of a run's tables: curated, dropped or quarantined."""
    if not any((run_dir / name).glob("*.parquet")):
        raise WrongCall(f"{run_dir} holds no {name} documents; is it the folder of a finished `curate run`?")
    return pl.scan_parquet(run_dir / name / "*.parquet")


@click.command("inspect")
@click.argument("run_dir", type=RUN)
@click.option("--id", "document", help="Show one document whole, wherever it is (a prefix of the id is enough).")
@click.option("--dropped", "step", help="List what STEP dropped, with reasons.")
@click.option("--quarantined", is_flag=True, help="List the inputs that could not be read.")
@click.option("--cluster", help="Show a cluster of duplicates (by the id of any member), with the differences.")
@click.option("--authority", is_flag=True, help="Table of grades by source, with the reasons.")
@click.option("--sql", help="A query over the tables curated, dropped and quarantined.")
@click.option("--limit", default=20, show_default=True, help="Rows to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of tables.")
def inspect_command(
    run_dir: Path,
    document: str | None,
    step: str | None,
    quarantined: bool,
    cluster: str | None,
    authority: bool,
    sql: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Look inside a run: its summary, one document, what a step dropped, or any SQL.

    \b
    Examples:
      curate inspect runs/demo
      curate inspect runs/demo --id 0351b208
      curate inspect runs/demo --dropped gopher_quality --limit 5
      curate inspect runs/demo --cluster 0351b208
      curate inspect runs/demo --authority
      curate inspect runs/demo --sql "select source, avg(scores.words) as words from curated group by source"
    """
    if document:
        _show_document(run_dir, document, as_json)
    elif step:
        rows = table(run_dir, "dropped").filter(pl.col("dropped_by") == step)
        columns = ["id", "source", "uri", "title", "drop_reason"]
        frame = rows.select(columns).head(limit).collect()
        if frame.is_empty():
            known = table(run_dir, "dropped").select(pl.col("dropped_by").unique().sort()).collect().to_series()
            raise WrongCall(f"no document was dropped by '{step}'; steps that dropped some: {', '.join(known)}")
        _print(frame, as_json)
    elif quarantined:
        _print(table(run_dir, "quarantined").head(limit).collect(), as_json)
    elif cluster:
        from curate.cluster_view import show_cluster

        show_cluster(run_dir, cluster, as_json)
    elif authority:
        from curate.report_quality import grades_by_source

        _print(grades_by_source(table(run_dir, "curated")), as_json)
    elif sql:
        context = pl.SQLContext({name: table(run_dir, name) for name in TABLES}, eager=True)
        try:
            frame = context.execute(sql)
        except Exception as error:
            raise WrongCall(f"the query fails: {str(error).splitlines()[0]}") from None
        _print(frame.head(limit) if "limit" not in sql.lower() else frame, as_json)
    else:
        _summary(run_dir, as_json)


def _print(frame: pl.DataFrame, as_json: bool) -> None:
    if as_json:
        for row in frame.iter_rows(named=True):
            click.echo(json.dumps(row, ensure_ascii=False, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(*frame.columns)
    for values in frame.iter_rows():
        shown.add_row(*[_cell(value) for value in values])
    Console().print(shown)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    text = "" if value is None else str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def _show_document(run_dir: Path, wanted: str, as_json: bool) -> None:
    for name in ("curated", "dropped"):
        rows = table(run_dir, name).filter(pl.col("id").str.starts_with(wanted)).head(1).collect()
        if rows.height:
            row = rows.row(0, named=True)
            if as_json:
                click.echo(json.dumps({"table": name, **row}, ensure_ascii=False, default=str))
                return
            click.echo(f"{name}: {row['id']}")
            for key, value in row.items():
                if key not in ("text", "id", "scores") and value not in (None, [], False):
                    click.echo(f"  {key}: {value}")
            scores = {key: round(value, 4) for key, value in (row["scores"] or {}).items() if value is not None}
            click.echo(f"  scores: {scores}")
            click.echo()
            click.echo(row["text"] if len(row["text"]) < PREVIEW * 5 else row["text"][: PREVIEW * 5] + "\n…")
            return
    raise WrongCall(f"no document of {run_dir} has an id that begins with '{wanted}'")


def _summary(run_dir: Path, as_json: bool) -> None:
    from schemas.manifest import load_manifest

    manifest = load_manifest(run_dir)
    counts = manifest.counts
    if as_json:
        click.echo(json.dumps({"digest": manifest.digest, **counts.model_dump(mode="json")}, ensure_ascii=False))
        return
    click.echo(f"{manifest.name}  digest {manifest.digest}")
    click.echo(
        f"read {counts.read:,} = curated {counts.curated:,} + dropped {sum(counts.dropped.values()):,}; "
        f"quarantined {counts.quarantined:,}; {counts.total.characters:,} characters, {counts.total.tokens:,} tokens"
    )
    for title, totals in (
        ("source", counts.by_source),
        ("language", counts.by_language),
        ("authority", counts.by_authority),
    ):
        rows = [{title: name, **one.model_dump()} for name, one in totals.items()]
        if rows:
            _print(pl.DataFrame(rows), as_json=False)
    if counts.dropped:
        _print(pl.DataFrame({"dropped by": list(counts.dropped), "documents": list(counts.dropped.values())}), False)


@click.command("report")
@click.argument("run_dir", type=RUN)
@click.option("--model", "models", type=RUN, multiple=True, help="Training folder whose curves to show (repeatable).")
def report_command(run_dir: Path, models: tuple[Path, ...]) -> None:
    """Write RUN_DIR/report.html: one file, no network; training curves of models beside it are found.

    \b
    Examples:
      curate report runs/demo
      curate report runs/medical --model runs/medical-model
    """
    from curate.report import write_report

    click.echo(write_report(run_dir, models))
