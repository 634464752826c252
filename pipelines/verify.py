"""Check a finished run against its manifest, and two runs against each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pipelines.run_folder import RunFolder, recipe_digest
from pipelines.stage import in_order
from pipelines.stages.curate import FOLDERS
from schemas.errors import CurateError, WrongCall
from schemas.manifest import LEFT_OUT, Manifest, load_manifest
from storage.columnar import parquet_rows
from storage.fingerprints import sha256_file
from storage.json_files import read_whole_json
from storage.places import Place, files_below
from tokenization.shards import TOKEN_COLUMNS, open_shard, token_count

# Folders of which other commands read every file.
READ_WHOLE: Final = (*FOLDERS, LEFT_OUT, "shards", "tokenizer")


def verify(folder: Place) -> Iterator[str]:
    """Recompute every checksum and count of a run; yields each path checked, raises at the first that differs."""
    manifest = load_manifest(folder)
    base = folder if folder.is_dir() else folder.parent
    listed = list(_listed(manifest))
    # Hashing lets other threads run, so several files are read at once.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        checks = pool.map(lambda one: _verify_file(base, *one), listed)
        for (name, _, _), _ in zip(listed, checks, strict=True):
            yield name
    _verify_recipe(base, manifest)
    _verify_nothing_else(base, manifest, {name for name, _, _ in listed})
    _verify_counts(base, manifest)


def _verify_recipe(base: Place, manifest: Manifest) -> None:
    """The recipe beside the manifest must be the one that it names; a manifest that was taken out alone has none."""
    path = base / "recipe.yaml"
    if not path.exists():
        return
    run = RunFolder(base)
    try:
        found = recipe_digest(run.recipe, run.classifier_recipes)
    except WrongCall as error:
        raise CurateError(f"{path} differs: it is no recipe any more: {error}") from None
    if found != manifest.recipe_digest:
        raise CurateError(f"{path} differs: it is not the recipe that the manifest names")


def _verify_nothing_else(base: Place, manifest: Manifest, known: set[str]) -> None:
    """No file that the manifest does not name may lie where other commands and trainers read all there is."""
    if not manifest.beside:  # of an earlier version, which named no more than the tokenizer itself
        known |= {path.relative_to(base).as_posix() for path in files_below(base / "tokenizer")}
    for folder in READ_WHOLE:
        for path in files_below(base / folder):
            name = path.relative_to(base).as_posix()
            if name not in known and not path.name.startswith("."):
                raise CurateError(
                    f"{path} is not of this run: the manifest does not name it, and commands that read {folder}/ "
                    "would read it too; move it elsewhere"
                )


def _listed(manifest: Manifest) -> Iterator[tuple[str, int | None, str]]:
    """Path, bytes where they are told, and SHA-256 of every file that a manifest names."""
    yield manifest.tokenizer.file, None, manifest.tokenizer.digest
    for entry in manifest.files:
        yield entry.path, entry.bytes, entry.sha256
    for path, digest in manifest.beside.items():
        yield path, None, digest
    for mixture in manifest.mixtures.values():
        for component in mixture.components.values():
            for shard in component.shards:
                yield shard.path, shard.bytes, shard.sha256


def _verify_counts(base: Place, manifest: Manifest) -> None:
    """Rows and tokens of every file, and that they add up to what the manifest says was read."""
    rows: dict[str, Any] = dict.fromkeys(FOLDERS, 0)
    for entry in manifest.files:
        _verify_number(entry.path, "rows", entry.rows, parquet_rows(base / entry.path))
        rows[entry.path.split("/")[0]] += entry.rows
    for mixture in manifest.mixtures.values():
        for component in mixture.components.values():
            for shard in component.shards:
                table = open_shard(base / shard.path)
                _verify_number(shard.path, "rows", shard.rows, table.num_rows)
                for column, counted in TOKEN_COLUMNS.items():
                    found = token_count(table, column) if column in table.schema.names else 0
                    _verify_number(shard.path, counted.replace("_", " "), getattr(shard, counted), found)
    counts = manifest.counts
    for name, wanted in (
        ("curated", counts.curated),
        ("dropped", sum(counts.dropped.values())),
        ("quarantined", counts.quarantined),
    ):
        _verify_number("manifest.json", f"{name} documents", wanted, rows[name])
    _verify_number("manifest.json", "read documents", counts.read, counts.curated + sum(counts.dropped.values()))


def first_difference(folder: Place, other: Place) -> str | None:
    """The first stage, in the order of the graph, of which two runs wrote other bytes; None where none did."""
    runs = [RunFolder(one) for one in (folder, other)]
    for stage in in_order():
        files = [_files_of(run, stage.name) for run in runs]
        for path in sorted(files[0].keys() | files[1].keys()):
            here, there = files[0].get(path), files[1].get(path)
            if here != there:
                told = f"{path} is {_short(here)} here and {_short(there)} there"
                return f"stage '{stage.name}' ({stage.title}) is the first that differs: {told}"
    mine, theirs = (load_manifest(one).digest for one in (folder, other))
    return None if mine == theirs else f"all files are equal, the manifests are not: {mine[:12]} and {theirs[:12]}"


def _files_of(run: RunFolder, stage: str) -> dict[str, str]:
    """SHA-256 of each file by its path, as the markers of a stage tell it."""
    found: dict[str, str] = {}
    folder = run.path / "stages" / stage
    for marker in sorted(folder.glob("*.json")) if folder.exists() else ():
        told = read_whole_json(marker)
        if isinstance(told, dict):
            found |= {path: digest for path, (_, digest) in told.get("files", {}).items()}
    return found


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "missing"


def _verify_file(base: Place, name: str, size: int | None, digest: str) -> Place:
    path = base / name
    if not path.is_file():
        raise CurateError(f"{path} is missing; the manifest names it")
    if size is not None and path.stat().st_size != size:
        raise CurateError(f"{path} differs: {path.stat().st_size} bytes, the manifest says {size}")
    if sha256_file(path) != digest:
        raise CurateError(f"{path} differs: its SHA-256 is not the manifest's")
    return path


def _verify_number(name: str, what: str, wanted: int, found: int) -> None:
    if wanted != found:
        raise CurateError(f"{name} differs: {found} {what}, the manifest says {wanted}")
