"""`curate apply`: take out of earlier runs what a later delivery says must go."""

from __future__ import annotations

from pathlib import Path

import click

from curate.terminal import json_line


@click.command("apply")
@click.argument("later", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where new folders are made."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line for each run written.")
def apply_command(later: Path, to: Path, as_json: bool) -> None:
    """Write earlier runs again without the documents that LATER (a run, or its earlier.json) lists.

    Each earlier run becomes a folder TO/NAME: shards and tables without those documents, a manifest that
    names its parents, everything else linked. The earlier run stays as it is; train on the new folder,
    and hold the next delivery against it.

    \b
    Examples:
      curate run recipes/medical.yaml --data /new --run-dir runs/d2 --against runs/d1
      curate apply runs/d2 --to runs/without
      curate verify runs/without/d1
    """
    from curate.report import write_report
    from pipelines.apply import to_apply, without
    from schemas.errors import WrongCall
    from schemas.manifest import load_manifest

    folder = later if later.is_dir() else later.parent
    digest = load_manifest(folder).digest
    runs = to_apply(later)
    if not runs:
        click.echo("nothing to take out: no earlier shard holds a document that is listed", err=True)
    for run, _ in runs:
        if (to / run.path.name).exists():
            raise WrongCall(f"{to / run.path.name} exists; choose another --to")
    for run, gone in runs:
        target = to / run.path.name
        manifest = without(run, gone, digest, target)
        write_report(target)
        taken = load_manifest(run.path).counts.curated - manifest.counts.curated
        if as_json:
            click.echo(json_line({"run": str(target), "digest": manifest.digest, "taken_out": taken}))
        else:
            click.echo(f"{target}: {taken:,} documents taken out, {manifest.counts.curated:,} left", err=True)
            click.echo(manifest.digest)
