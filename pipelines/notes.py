"""What a finished run should not leave unsaid: empty components, conversations in no shard, short questions, lists."""

from __future__ import annotations

from collections import Counter
from typing import Final

import polars as pl

from dedup.contamination_index import SHORT_ANCHOR
from pipelines.run_folder import RunFolder
from pipelines.stages import cluster, curate, read
from pipelines.stages.curate import withdrawn
from pipelines.tasks import counts_of, files_of
from schemas.manifest import Manifest
from sources.pages.ocr import ocr_is_installed
from storage.columnar import scan_parquet
from storage.json_files import read_json, write_json
from storage.places import Place

FILE: Final = "notes.json"


def notes(folder: Place, manifest: Manifest) -> list[str]:
    """One sentence for each thing that a reader of counts alone would miss."""
    path = folder / FILE
    return [*_empty(manifest), *_talks(manifest), *_unchecked(manifest), *(read_json(path) if path.exists() else ())]


def write_notes(run: RunFolder) -> None:
    """Keep what only the run under way knows: its lists and stages may be gone when its report is written again."""
    told = [_pictures(run), *_misfits(run), withdrawn(run).told() if run.recipe.withdrawn else None]
    undecided = counts_of(run, cluster.STAGE)[0].get("undecided_editions", 0)
    if undecided:
        told.append(
            f"{undecided:,} documents stay beside another edition of their series, since neither number nor date says "
            "which is newer (`drop_reason` of the curated document names it)"
        )
    write_json(run.path / FILE, [one for one in told if one])


def _misfits(run: RunFolder) -> list[str]:
    """Values of rows that were left out, by source and column."""
    rows: Counter[tuple[str, str]] = Counter()
    for counts in counts_of(run, read.STAGE):
        rows.update({(source, what): number for source, what, number in counts["misfits"]})
    return [
        f"source '{source}': {what}, in {number:,} of its rows; the document is there without it"
        for (source, what), number in sorted(rows.items())
    ]


def _pictures(run: RunFolder) -> str | None:
    """Pages that are pictures, where nothing that reads them is installed."""
    if ocr_is_installed():
        return None
    files = [run.path / name for name in files_of(run, curate.STAGE) if name.startswith("quarantined/")]
    unread = pl.col("error").str.contains("^no text layer|^a picture of a page")
    number = scan_parquet(files).filter(unread).select(pl.len()).collect().item() if files else 0
    told = "to read them: pip install 'curate-medical[ocr]', and run again in a new folder"
    return f"{number:,} inputs are pictures of pages and were not read; {told}" if number else None


def _empty(manifest: Manifest) -> list[str]:
    found = []
    for name, mixture in manifest.mixtures.items():
        parts = mixture.components
        if not any(part.documents for part in parts.values()):
            found.append(f"mixture '{name}' is empty: no {mixture.kind} of the corpus match its components")
            continue
        found += [
            f"component '{component}' of mixture '{name}' matches no {mixture.kind} (where: {part.where}); "
            f"its weight {part.weight:g} goes to nothing"
            for component, part in parts.items()
            if not part.documents
        ]
    return found


def _unchecked(manifest: Manifest) -> list[str]:
    """Benchmarks with questions of so few letters that no text can be held against them."""
    return [
        f"{one.items_unchecked:,} of {one.items:,} questions of benchmark '{one.benchmark}' have fewer than "
        f"{SHORT_ANCHOR} letters and were not looked for"
        for one in manifest.decontaminated_of
        if one.items_unchecked
    ]


def _talks(manifest: Manifest) -> list[str]:
    talks = manifest.conversations
    if talks is None or not talks.left_out:
        return []
    return [
        f"{talks.left_out:,} conversations are in no shard, since they are longer than {talks.max_tokens} tokens "
        "(`curate inspect RUN --left-out` names them)"
    ]
