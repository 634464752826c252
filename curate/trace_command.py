"""`curate trace`: lineage both ways, from documents to shards and training steps and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import polars as pl

from curate.look_commands import RUN, table, whole_id
from curate.terminal import json_line
from schemas.errors import WrongCall
from schemas.manifest import LEFT_OUT, Manifest, load_manifest
from schemas.nearest import nearest
from storage.json_files import read_json


@click.command("trace")
@click.argument("run_dir", type=RUN, required=False)
@click.option("--document", help="Id of a document: its source, every decision, the shard rows that hold it.")
@click.option("--shard", help="Path of a shard relative to the run; with --row: the document of that row.")
@click.option("--row", type=click.IntRange(0), help="Row of the shard.")
@click.option(
    "--list", "listed", type=click.Path(path_type=Path), help="A list of DOIs or ids: the shards that hold them."
)
@click.option("--step", type=click.IntRange(1), help="A training step: the documents of its batch (JSON lines).")
@click.option(
    "--checkpoint",
    "model",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A trained model: with --step, or with --document the steps that saw it.",
)
def trace_command(
    run_dir: Path | None,
    document: str | None,
    shard: str | None,
    row: int | None,
    listed: Path | None,
    step: int | None,
    model: Path | None,
) -> None:
    """Follow lineage; prints JSON. RUN_DIR may be left out where a model says which run it learned from.

    \b
    Examples:
      curate trace runs/demo --document 0351b20863c1d50f091334c2f38d5311
      curate trace runs/demo --shard shards/pretrain/textbooks/00000-of-00002.arrow --row 3
      curate trace runs/demo --list retracted.csv
      curate trace --step 120 --checkpoint runs/demo/models/pretrain
      curate trace --document 0351b20863c1d50f091334c2f38d5311 --checkpoint runs/demo/models/pretrain
    """
    if run_dir is None:
        run_dir = _run_of(model)
    if step is not None:
        if model is None:
            raise WrongCall("--step needs --checkpoint, a trained model")
        _trace_step(run_dir, model, step)
    elif listed is not None:
        _trace_list(run_dir, listed)
    else:
        _trace_document(run_dir, _wanted(run_dir, document, shard, row), model)


def _run_of(model: Path | None) -> Path:
    settings = model / "train.json" if model else None
    if settings is None or not settings.exists():
        raise WrongCall("give RUN_DIR, or --checkpoint with a trained model")
    manifest = Path(read_json(settings)["manifest"])
    return manifest if manifest.is_dir() else manifest.parent


def _wanted(run_dir: Path, document: str | None, shard: str | None, row: int | None) -> str:
    if (document is None) == (shard is None or row is None):
        raise WrongCall("give --document, or --shard and --row, or --step and --checkpoint, or --list")
    if document is not None:
        return whole_id(run_dir, document)
    from tokenization.shards import open_shard

    manifest = load_manifest(run_dir)
    parts = [part for mixture in manifest.mixtures.values() for part in mixture.components.values()]
    known = [one.path for part in parts for one in part.shards]
    if shard not in known and not (run_dir / str(shard)).is_file():  # files between two stages hold rows as well
        raise WrongCall(f"the manifest of {run_dir} names no shard '{shard}'{nearest(str(shard), known)}")
    opened = open_shard(run_dir / str(shard))
    assert row is not None
    if row >= opened.num_rows:
        raise WrongCall(f"{shard} has {opened.num_rows} rows; there is no row {row}")
    return str(opened.column("doc_id")[row].as_py())


def _trace_document(run_dir: Path, document: str, model: Path | None) -> None:
    from tokenization.places import places_of

    manifest = load_manifest(run_dir)
    places = list(places_of(run_dir, manifest, document))
    found = _decisions(run_dir, [document], {place.partition for place in places}).get(document)
    if found is None:
        raise WrongCall(f"no document of {run_dir} has the id '{document}'")
    shards = [place.told() for place in places]
    told: dict[str, Any] = {"document": found, "shards": shards, "manifest": manifest.digest}
    if not shards:
        told["in_no_shard"] = _why_in_no_shard(run_dir, found)
    if model is not None:
        told |= _steps_of(model, run_dir, places, document)
    click.echo(json_line(told, indent=2))


def _why_in_no_shard(run_dir: Path, document: dict[str, Any]) -> str:
    if document["table"] == "dropped":
        return f"dropped by {document['dropped_by']}: {document['drop_reason']}"
    if any((run_dir / LEFT_OUT).glob("*.parquet")):
        rows = table(run_dir, LEFT_OUT).filter(pl.col("id") == document["id"]).collect()
        if rows.height:
            return f"left out: {rows['why'][0]}"
    return "no component of a mixture takes it"


def _steps_of(model: Path, run_dir: Path, places: list[Any], document: str) -> dict[str, Any]:
    """The steps that saw a document, and the components in which it is held out for validation."""
    from trainers.lineage.rolled_out import RolledOut, is_rolled_out

    if is_rolled_out(model):
        return {"steps": RolledOut.open(model).steps_of_document(document)}
    from trainers.lineage.trained_on import TrainedOn

    opened = TrainedOn.open(model, run_dir)
    held_out = opened.held_out(places, run_dir)
    return {"steps": opened.steps_of_document(places, run_dir), **({"held_out": held_out} if held_out else {})}


def _trace_rollouts(run_dir: Path, model: Path, step: int) -> None:
    """Prompts of a step with their answers and verdicts, and the documents that the prompts were made from."""
    from tokenization.places import places_of
    from trainers.lineage.rolled_out import RolledOut

    manifest = load_manifest(run_dir)
    found = RolledOut.open(model).rollouts_of_step(step)
    partitions = {place.partition for one in found for place in places_of(run_dir, manifest, one)}
    decisions = _decisions(run_dir, list(found), partitions)
    for prompt, answers in found.items():
        beside = json.loads(decisions.get(prompt, {}).get("conversation") or "{}")
        told = {
            "document": prompt,
            "source_documents": beside.get("source_documents", []),
            **decisions.get(prompt, {}),
            "rollouts": answers,
        }
        click.echo(json_line(told))


def _trace_step(run_dir: Path, model: Path, step: int) -> None:
    from tokenization.places import places_of
    from trainers.lineage.rolled_out import is_rolled_out

    if is_rolled_out(model):
        _trace_rollouts(run_dir, model, step)
        return
    from trainers.lineage.trained_on import TrainedOn

    opened = TrainedOn.open(model, run_dir)
    batch = opened.documents_of_step(step)
    ids = list(dict.fromkeys(one["document"] for one in batch))
    decisions: dict[str, dict[str, Any]] = {}
    for folder, manifest in opened.runs:
        partitions = {place.partition for one in ids for place in places_of(folder, manifest, one)}
        decisions |= _decisions(folder, [one for one in ids if one not in decisions], partitions)
    for one in ids:
        samples = sorted({row["sample"] for row in batch if row["document"] == one})
        components = sorted({row["component"] for row in batch if row["document"] == one})
        told = {
            "document": one,
            "component": components[0] if len(components) == 1 else components,
            "samples": samples,
            **decisions.get(one, {}),
        }
        click.echo(json_line(told))


def _trace_list(run_dir: Path, listed: Path) -> None:
    from pipelines.earlier import TOLD, withdrawn_documents
    from pipelines.withdrawn import held_by, read_withdrawn

    manifest: Manifest = load_manifest(run_dir)
    columns = table(run_dir, "curated").select(*TOLD).collect()
    gone = withdrawn_documents(columns, read_withdrawn(listed, listed.name).names, ())
    held = held_by(run_dir, manifest, gone["id"].to_list())
    if gone.is_empty():
        click.echo(f"no document of {run_dir} is on the list {listed}", err=True)
    for named in gone.iter_rows(named=True):
        click.echo(json_line({**named, "shards": held.get(named["id"], [])}))


def _decisions(run_dir: Path, ids: list[str], partitions: set[int]) -> dict[str, dict[str, Any]]:
    """What was decided on documents: in the curated files that shards name, else wherever they are."""
    files = [run_dir / "curated" / f"{number:05d}.parquet" for number in sorted(partitions)]
    frames = [("curated", pl.scan_parquet(file)) for file in files]
    found: dict[str, dict[str, Any]] = {}
    for name, frame in frames or [(name, table(run_dir, name)) for name in ("curated", "dropped")]:
        for row in frame.filter(pl.col("id").is_in(ids)).drop("text").collect().iter_rows(named=True):
            found[row["id"]] = {"table": name, **row}
    return found
