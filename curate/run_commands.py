"""`curate run`, `curate plan` and `curate verify`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curate.streams import visible
from curate.terminal import Output, json_line
from schemas.errors import EXIT_FAILED, EXIT_TOO_MUCH_QUARANTINED
from schemas.manifest import Manifest

if TYPE_CHECKING:
    from pipelines.plan import Plan
    from pipelines.run_folder import RunFolder
    from schemas.recipe import Recipe

DATA = click.Path(path_type=Path, file_okay=False)


@click.command("run", context_settings={"ignore_unknown_options": False})
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data", type=DATA, help="Root of the recipe's file patterns (default: the recipe's folder).")
@click.option("--run-dir", type=DATA, required=True, help="Folder of this run; called again on it, the run resumes.")
@click.option("--engine", default="datatrove", show_default=True, help="datatrove, beam, or serial (for a debugger).")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes (default: one a core).")
@click.option("--against", type=DATA, multiple=True, help="A finished run whose documents are not to come again.")
@click.option("--replaces", type=DATA, multiple=True, help="A finished run that this one takes the place of.")
@click.option("--reuse", type=DATA, multiple=True, help="An earlier run whose finished tasks may be taken over.")
@click.option("--keep-intermediates", is_flag=True, help="Keep file names of persons in plan and logs.")
@click.option("--profile", is_flag=True, help="Afterwards print MB/s a core of every step, and the slowest.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's digest and counts as JSON.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def run_command(
    recipe: Path,
    data: Path | None,
    run_dir: Path,
    engine: str,
    workers: int | None,
    against: tuple[Path, ...],
    replaces: tuple[Path, ...],
    reuse: tuple[Path, ...],
    keep_intermediates: bool,
    profile: bool,
    as_json: bool,
    options: tuple[str, ...],
) -> None:
    """Run RECIPE up to its token shards and manifest.

    Called again on the same folder it resumes. Where the recipe of a finished run was edited, or --reuse
    names an earlier run, only what depends on the change is done again.

    What follows `--` goes to the engine as it is. Exit status: 0 done, 1 failed, 2 the call or the
    recipe is wrong (nothing was written), 3 done but more was quarantined than the recipe allows.

    \b
    Examples:
      curate run recipes/demo.yaml --run-dir runs/demo
      curate run recipes/medical.yaml --data ../data --run-dir runs/medical --workers 2
      curate run recipes/medical.yaml --data /data --run-dir runs/m --engine beam -- --runner=DirectRunner
      curate run recipes/medical.yaml --data /new --run-dir runs/d2 --against runs/d1
      curate run stricter.yaml --data /data --run-dir runs/m2 --reuse runs/m
    """
    from curate.progress import RunProgress
    from pipelines.execute import execute
    from pipelines.notes import notes

    progress = RunProgress()
    try:
        manifest = execute(
            recipe,
            data,
            run_dir,
            engine,
            workers or os.cpu_count() or 1,
            options,
            watch=progress.watch,
            against=against,
            replaces=replaces,
            reuse=reuse,
            keep_intermediates=keep_intermediates,
            say=lambda text: click.echo(text, err=True),
        )
    finally:
        progress.close()
    from curate.report import write_report

    report = write_report(run_dir)
    if against or replaces:
        _tell_earlier(run_dir)
    if profile:
        from curate.profile import print_profile

        print_profile(run_dir)
    told = summary_of(manifest)
    if as_json:
        click.echo(json_line(told))
    else:
        click.echo(
            f"read {told['read']:,}  curated {told['curated']:,}  dropped {told['dropped']:,}  "
            f"quarantined {told['quarantined']:,}  tokens {told['tokens']:,}",
            err=True,
        )
        click.echo(f"report {report}", err=True)
        click.echo(manifest.digest)
    for note in notes(run_dir, manifest):
        click.echo(visible(f"note: {note}"), err=True)
    if not told["curated"]:
        click.echo(
            f"warning: no document was kept, the shards are empty; `curate inspect {run_dir}` says why", err=True
        )
    if too_much_quarantined(manifest, run_dir):
        share = manifest.counts.quarantined / max(manifest.counts.quarantined + manifest.counts.read, 1)
        click.echo(
            f"warning: {share:.1%} of the inputs were quarantined, more than the recipe's max_quarantined; "
            f"see `curate inspect {run_dir} --quarantined`",
            err=True,
        )
        raise SystemExit(EXIT_TOO_MUCH_QUARANTINED)


def _tell_earlier(run_dir: Path) -> None:
    """What earlier shards hold that this run withdrew, or found a better document for."""
    from storage.json_files import read_json

    for what, documents in read_json(run_dir / "earlier.json").items():
        shards = sorted({f"{one['run']}/{place['shard']}" for one in documents for place in one["shards"]})
        if documents:
            told = ", ".join(shards[:5]) + (", …" if len(shards) > 5 else "")
            click.echo(
                f"{what}: {len(documents):,} documents of earlier runs, in {len(shards):,} shards: {told}", err=True
            )


def summary_of(manifest: Manifest) -> dict[str, int | str]:
    """Counts of a manifest in one flat object."""
    counts = manifest.counts
    return {
        "digest": manifest.digest,
        "read": counts.read,
        "curated": counts.curated,
        "dropped": sum(counts.dropped.values()),
        "quarantined": counts.quarantined,
        "tokens": counts.total.tokens,
    }


def too_much_quarantined(manifest: Manifest, run_dir: Path) -> bool:
    """Whether the share of quarantined inputs exceeds what the run's recipe allows, or none at all could be read."""
    from pipelines.run_folder import RunFolder

    counts = manifest.counts
    share = counts.quarantined / max(counts.quarantined + counts.read, 1)
    nothing = bool(counts.quarantined) and not counts.read
    return nothing or share > RunFolder(run_dir.resolve()).recipe.max_quarantined


@click.command("plan")
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data", type=DATA, help="Root of the recipe's file patterns (default: the recipe's folder).")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan_command(recipe: Path, data: Path | None, as_json: bool) -> None:
    """Show the stage graph, partitions and sizes of RECIPE; nothing is run and nothing written.

    \b
    Examples:
      curate plan recipes/demo.yaml
      curate plan recipes/medical.yaml --data ../data --json
    """
    from pipelines.prepare import classifier_recipes, planned
    from pipelines.run_folder import unwritten

    loaded, plan = planned(recipe, data)
    stages = list(planned_stages(unwritten(loaded, plan, classifier_recipes(loaded, recipe))))
    if as_json:
        click.echo(json_line({**plan.as_json(), "stages": stages}))
        return
    print_plan(loaded, plan, stages)


def planned_stages(run: RunFolder) -> Iterator[dict[str, Any]]:
    """What each stage would do: its tasks, how they are cut, what they read and write."""
    from pipelines.stage import in_order

    for stage in in_order():
        tasks = stage.tasks(run)
        told: dict[str, Any] = {"stage": stage.name, "does": stage.title, "cut": stage.cut, "tasks": len(tasks)}
        told["after"] = list(stage.after)
        told["reads"] = told["writes"] = []
        if tasks:
            told["reads"] = list(dict.fromkeys(one.stage for one in stage.reads(run, tasks[0])))
            paths = [path.relative_to(run.path).as_posix() for path in stage.writes(run, tasks[0])]
            told["writes"] = [path.replace(tasks[0], "*") for path in paths]
        yield told


def print_plan(recipe: Recipe, plan: Plan, stages: list[dict[str, Any]]) -> None:
    """Sources, files whose content is told by samples alone, and the stages, as tables."""
    from rich.table import Table

    from storage.fingerprints import covers_content

    console = Output()
    sources = Table(
        "source", "type", "files", "MB", title=f"{recipe.name}: {plan.files:,} files, {plan.bytes / 1e6:,.1f} MB"
    )
    for source in recipe.sources:
        files = [file for part in plan.partitions for file in part if file.source == source.name]
        sources.add_row(source.name, source.source_type, f"{len(files):,}", f"{sum(f.size for f in files) / 1e6:,.2f}")
    console.print(sources)
    table = Table("stage", "does", "tasks", "reads", "writes", title="stages")
    for one in stages:
        reads, writes = ", ".join(one["reads"]) or "inputs", "\n".join(one["writes"])
        table.add_row(one["stage"], one["does"], f"{one['tasks']:,}", reads if one["tasks"] else "", writes)
    console.print(table)
    large = sum(not covers_content(file.size) for _, file in plan.named())
    if large:
        console.print(f"{large:,} files are too large to be hashed whole: a change is told by size, samples and time")


@click.command("verify")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--against", type=click.Path(path_type=Path), help="Name the first stage that differs from this run.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify_command(run_dir: Path, against: Path | None, as_json: bool) -> None:
    """Recompute every checksum and count of a run; the first file that differs is named.

    \b
    Examples:
      curate verify runs/demo
      curate verify runs/demo/manifest.json --json
      curate verify runs/demo --against runs/other
    """
    from pipelines.verify import first_difference, verify

    if against is not None:
        difference = first_difference(run_dir, against)
        if as_json:
            click.echo(json_line({"equal": difference is None, "difference": difference}))
        else:
            click.echo(difference or f"every stage of {run_dir} and {against} wrote the same bytes")
        if difference:
            raise SystemExit(EXIT_FAILED)
        return

    checked = sum(1 for _ in verify(run_dir))
    if as_json:
        click.echo(json_line({"files": checked, "ok": True}))
    else:
        click.echo(f"ok: {checked} files match the manifest")
