"""`curate inspect`, `curate report` and `curate trace`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
import polars as pl

from curate.terminal import cell, json_line, print_frame, say
from schemas.condition import QUOTED
from schemas.errors import WrongCall
from schemas.manifest import LEFT_OUT
from schemas.nearest import nearest

RUN = click.Path(path_type=Path, file_okay=False)
TABLES: Final = ("curated", "dropped", "quarantined")
PREVIEW: Final = 10_000  # characters of a document's text
CANDIDATES: Final = 5  # ids shown where a prefix fits several
WHOLE_ID: Final = re.compile(r"[0-9a-f]{32}")
READS_FILES: Final = re.compile(r"\b(?:read|scan)_\w+", re.IGNORECASE)
UNKNOWN_TABLE: Final = re.compile(r"relation '([^']+)' was not found")


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
@click.option("--left-out", is_flag=True, help="List the conversations that are in no shard, with reasons.")
@click.option("--cluster", help="Show a cluster of duplicates (by the id of any member), with the differences.")
@click.option("--authority", is_flag=True, help="Table of grades by source, with the reasons.")
@click.option("--sql", help="A query over the tables curated, dropped, quarantined and, with conversations, left_out.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Rows to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of tables.")
def inspect_command(
    run_dir: Path,
    document: str | None,
    step: str | None,
    quarantined: bool,
    left_out: bool,
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
    selections = {"--id": document, "--dropped": step, "--quarantined": quarantined}
    selections |= {"--left-out": left_out, "--cluster": cluster, "--authority": authority, "--sql": sql}
    asked = [name for name, value in selections.items() if value not in (None, False)]
    if len(asked) > 1:
        raise WrongCall(f"{' and '.join(asked)} select different things; give one of them")
    if document is not None:
        _show_document(run_dir, document, as_json)
    elif step is not None:
        print_frame(_dropped_by(run_dir, step, limit), as_json)
    elif quarantined:
        print_frame(table(run_dir, "quarantined").head(limit).collect(), as_json)
    elif left_out:
        print_frame(table(run_dir, LEFT_OUT).head(limit).collect(), as_json)
    elif cluster is not None:
        from curate.cluster_view import show_cluster

        show_cluster(run_dir, cluster, as_json)
    elif authority:
        from curate.report_quality import grades_by_source

        print_frame(grades_by_source(table(run_dir, "curated")), as_json)
    elif sql is not None:
        print_frame(_queried(run_dir, sql, limit), as_json)
    else:
        _summary(run_dir, as_json)


def _dropped_by(run_dir: Path, step: str, limit: int) -> pl.DataFrame:
    rows = table(run_dir, "dropped").filter(pl.col("dropped_by") == step)
    frame = rows.select("id", "source", "uri", "title", "drop_reason").head(max(limit, 1)).collect()
    if frame.is_empty():
        known = table(run_dir, "dropped").select(pl.col("dropped_by").unique().sort()).collect().to_series()
        raise WrongCall(f"no document was dropped by '{step}'; steps that dropped some: {', '.join(known)}")
    return frame.head(limit)


def _queried(run_dir: Path, sql: str, limit: int) -> pl.DataFrame:
    """Rows of a query over the run's own tables; at most `limit`, unless the query sets one itself."""
    bare = QUOTED.sub("''", sql)
    if found := READS_FILES.search(bare):
        raise WrongCall(f"`{found.group()}` is not allowed: a query sees the tables of the run alone")
    names = [*TABLES, *([LEFT_OUT] if (run_dir / LEFT_OUT).exists() else [])]
    context = pl.SQLContext({name: table(run_dir, name) for name in names}, eager=True)
    try:
        frame = context.execute(sql)
    except Exception as error:
        message = (str(error).splitlines() or [type(error).__name__])[0]
        unknown = UNKNOWN_TABLE.search(message)
        hint = nearest(unknown[1], names) if unknown else ""
        raise WrongCall(f"the query fails: {message}{hint}") from None
    return frame if re.search(r"\blimit\b", bare, re.IGNORECASE) else frame.head(limit)


def whole_id(run_dir: Path, wanted: str) -> str:
    """The id that `wanted` is, or begins as no other does; a whole one is not looked for."""
    if WHOLE_ID.fullmatch(wanted):
        return wanted
    if not wanted:
        raise WrongCall("an id is needed, or the beginning of one")
    begins = pl.col("id").str.starts_with(wanted)
    parts = [table(run_dir, name).filter(begins).select("id") for name in ("curated", "dropped")]
    ids = pl.concat(parts).unique().sort("id").collect()["id"].to_list()
    if not ids:
        raise WrongCall(f"no document of {run_dir} has an id that begins with '{wanted}'")
    if len(ids) > 1:
        more = ", …" * (len(ids) > CANDIDATES)
        told = ", ".join(ids[:CANDIDATES])
        raise WrongCall(f"{len(ids):,} documents have an id that begins with '{wanted}': {told}{more}")
    return str(ids[0])


def _found_document(run_dir: Path, wanted: str) -> tuple[str, dict[str, Any]]:
    """The table that holds a document, and its row."""
    document = whole_id(run_dir, wanted)
    for name in ("curated", "dropped"):
        rows = table(run_dir, name).filter(pl.col("id") == document).head(1).collect()
        if rows.height:
            return name, rows.row(0, named=True)
    raise WrongCall(f"no document of {run_dir} has the id '{document}'")


def _show_document(run_dir: Path, wanted: str, as_json: bool) -> None:
    name, row = _found_document(run_dir, wanted)
    if as_json:
        click.echo(json_line({"table": name, **row}))
        return
    say(f"{name}: {row['id']}")
    for key, value in row.items():
        if key not in ("text", "id", "scores") and value not in (None, [], False):
            say(f"  {key}: {cell(value, PREVIEW)}")
    scores = {key: round(value, 4) for key, value in (row["scores"] or {}).items() if value is not None}
    say(f"  scores: {scores}")
    say()
    text = row["text"]
    say(
        text
        if len(text) <= PREVIEW
        else f"{text[:PREVIEW]}\n… {len(text) - PREVIEW:,} characters more; --json shows all"
    )


def _summary(run_dir: Path, as_json: bool) -> None:
    from schemas.manifest import load_manifest

    manifest = load_manifest(run_dir)
    counts = manifest.counts
    if as_json:
        click.echo(json_line({"digest": manifest.digest, **counts.model_dump(mode="json")}))
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
            print_frame(pl.DataFrame(rows), as_json=False)
    if counts.dropped:
        print_frame(
            pl.DataFrame({"dropped by": list(counts.dropped), "documents": list(counts.dropped.values())}), False
        )


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
