"""What a run means for earlier ones: documents they hold that are now withdrawn, superseded or better elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from pipelines.run_folder import RunFolder
from pipelines.stages.cluster import STAGE as CLUSTER
from pipelines.stages.cluster import named_by
from pipelines.stages.curate import withdrawn
from pipelines.stages.group import own_print_files
from pipelines.stages.read import STAGE as READ
from pipelines.tasks import counts_of
from pipelines.withdrawn import NAMES, held_by, withdrawn_why
from schemas.errors import WrongCall
from schemas.manifest import Manifest, load_manifest
from schemas.recipe import Recipe
from storage.columnar import read_parquet, scan_parquet
from storage.json_files import read_json, write_json
from storage.places import Place, resolved

FILE: Final = "against.json"
REPORT: Final = "earlier.json"
TOLD: Final = ("id", "doi", "identifiers", "licence", "uri", "retracted")  # what is asked of earlier documents


def check_earlier(recipe: Recipe, folders: Sequence[Place]) -> None:
    """Runs to be held against must be finished, keep their fingerprints, and have taken them alike."""
    for folder in folders:
        load_manifest(folder)
        earlier = RunFolder(resolved(folder))
        missing = next((path for path in own_print_files(earlier) if not path.exists()), None)
        if missing:
            raise WrongCall(f"{folder} cannot be held against: {missing} is missing (its `stages/` folder was deleted)")
        prints = own_print_files(earlier)
        known = scan_parquet(prints).collect_schema() if prints else TOLD
        if "identifiers" not in known:
            raise WrongCall(f"{folder} was made by an older version of this program; run its recipe again there first")
        ours, theirs = recipe.dedup, earlier.recipe.dedup
        if (ours.exact, ours.minhash) != (theirs.exact, theirs.minhash):
            raise WrongCall(
                f"{folder} took other fingerprints (dedup: {theirs.model_dump()}); use the same `dedup` in the recipe"
            )


def write_against(folder: Place, against: Sequence[Place], replaces: Sequence[Place]) -> None:
    """Remember which runs this one is held against, as paths from its own folder, with their digests."""
    write_json(folder / FILE, against_content(folder, against, replaces))


def against_content(folder: Place, against: Sequence[Place], replaces: Sequence[Place]) -> dict[str, Any]:
    """What `against.json` holds."""
    return {
        "runs": [os.path.relpath(resolved(path), folder) for path in against],
        "replaces": [os.path.relpath(resolved(path), folder) for path in replaces],
        "digests": [load_manifest(path).digest for path in (*against, *replaces)],
    }


def parents(run: RunFolder) -> list[str]:
    """Digests of the manifests that this run was held against or replaces."""
    path = run.path / FILE
    return list(read_json(path)["digests"]) if path.exists() else []


def replaced_runs(run: RunFolder) -> list[RunFolder]:
    """Runs that this one takes the place of."""
    path = run.path / FILE
    return [RunFolder(resolved(run.path / one)) for one in read_json(path)["replaces"]] if path.exists() else []


def report_earlier(run: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """Write `earlier.json`: documents in earlier shards that this run's lists withdraw, or that it would not keep."""
    lists = withdrawn(run).names if run.recipe.withdrawn else pl.DataFrame(schema=NAMES)
    retracted = own_retractions(run)
    licences = run.recipe.withdrawn.licences if run.recipe.withdrawn else []
    replaced = read_parquet(run.stage_file(CLUSTER, "replaced.parquet"))
    told: dict[str, list[dict[str, Any]]] = {"withdrawn": [], "replaced": []}
    for earlier in (*run.against, *replaced_runs(run)):
        manifest = load_manifest(earlier.path)
        curated = scan_parquet(sorted((earlier.path / "curated").glob("*.parquet"), key=str)).select(*TOLD).collect()
        gone = withdrawn_documents(curated, lists, licences, retracted)
        told["withdrawn"] += _placed(earlier.path, manifest, gone)
        lost = curated.join(replaced.select("id", why="drop_reason").unique("id"), on="id")
        told["replaced"] += _placed(earlier.path, manifest, lost)
    write_json(run.path / REPORT, told)
    return told


def withdrawn_documents(
    curated: pl.DataFrame, lists: pl.DataFrame, licences: Sequence[str], retracted: Sequence[str] = ()
) -> pl.DataFrame:
    """Documents that a list names, whose licence is withdrawn, or that a notice retracts which was not known before.

    `curated` has the columns `TOLD`; the result has them and why.
    """
    noticed = named_by(retracted) & ~pl.col("retracted").fill_null(False)
    return (
        curated.with_columns(why=withdrawn_why(curated, lists, licences))
        .with_columns(why=pl.coalesce("why", pl.when(noticed).then(pl.lit("retracted by a notice that came later"))))
        .filter(pl.col("why").is_not_null())
        .select("id", "doi", "licence", "uri", "why")
    )


def own_retractions(run: RunFolder) -> list[str]:
    """What notices of this run itself retract: DOIs and numbers of PubMed and PMC."""
    return sorted({name for counts in counts_of(run, READ) for name in counts["retracts"]})


def _placed(folder: Place, manifest: Manifest, documents: pl.DataFrame) -> list[dict[str, Any]]:
    places = held_by(folder, manifest, documents["id"].to_list()) if documents.height else {}
    return [
        {"run": folder.name, "manifest": manifest.digest, **row, "shards": places.get(row["id"], [])}
        for row in documents.sort("id").iter_rows(named=True)
    ]
