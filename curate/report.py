"""The HTML report of a run: one file, no network, light and dark, from desktop to phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from curate.differences import marked_differences
from curate.page import excerpt, page_of
from curate.plots import histogram
from curate.report_quality import quality_parts
from curate.report_training import training_parts
from filters.step import STEPS
from pipelines.finish import hits
from pipelines.notes import notes
from pipelines.run_folder import RunFolder
from schemas.manifest import LEFT_OUT, Manifest, Totals, load_manifest
from storage.publishing import write_text

EXAMPLES_A_STEP: Final = 4
PAIRS: Final = 4
EXCERPT: Final = 600
TITLE: Final = 200
QUARANTINE_ROWS: Final = 50
NOT_STEPS: Final = {
    "exact": "Exact duplicates: texts that are equal but for white space.",
    "minhash": "Near duplicates by MinHash; the best by authority, quality and edition stays.",
    "decontaminate": "Documents that hold items of the benchmarks.",
    "superseded": "Earlier editions of documents of which a newer one is there.",
    "withdrawn": "Documents that a list of retractions or withdrawn licences names.",
    "paragraphs": "Documents of nothing but lines that other documents hold as well.",
}


def write_report(run_dir: Path, models: tuple[Path, ...] = ()) -> Path:
    """Write `report.html` into the run's folder; returns its path."""
    manifest = load_manifest(run_dir)
    run = RunFolder(run_dir.resolve())
    page = page_of("report.html").render(**_content(run, manifest, models))
    path = run_dir / "report.html"
    write_text(path, page)
    return path


def _content(run: RunFolder, manifest: Manifest, models: tuple[Path, ...]) -> dict[str, Any]:
    counts = manifest.counts
    curated = pl.scan_parquet(run.path / "curated" / "*.parquet")
    dropped = pl.scan_parquet(run.path / "dropped" / "*.parquet")
    return {
        "manifest": manifest,
        "counts": counts,
        "dropped_total": sum(counts.dropped.values()),
        "funnel": _funnel(run, manifest),
        "groups": [
            ("Source", _shares(counts.by_source)),
            ("Type of material", _shares(counts.by_type)),
            ("Language", _shares(counts.by_language)),
            ("Authority", _shares(counts.by_authority)),
        ],
        "licences": sorted(manifest.licences.items(), key=lambda one: -one[1]),
        "drops": _drops(run, manifest, dropped),
        "pairs": _pairs(run, curated, dropped),
        "lengths": _lengths(curated),
        "notes": notes(run.path, manifest),
        "left_out": _left_out(run),
        "contamination": manifest.decontaminated_of,
        "contaminated": _contaminated(run),
        "quarantine": _quarantine(run),
        "quarantine_more": max(counts.quarantined - QUARANTINE_ROWS, 0),
        "retracted": _retracted(curated, dropped),
        "models": training_parts(run.path, models),
        **quality_parts(run, curated, dropped),
    }


def _funnel(run: RunFolder, manifest: Manifest) -> list[dict[str, Any]]:
    """Documents left after each step, from all inputs to what is in the corpus."""
    counts = manifest.counts
    left = counts.read + counts.quarantined
    total = max(left, 1)
    rows = [{"name": "inputs", "left": left, "lost": 0, "share": 100.0}]
    order = [call.name for call in run.recipe.steps]
    names = list(dict.fromkeys(["read", *order, "exact", "minhash", "decontaminate", *counts.dropped]))
    for name, lost in [("quarantine", counts.quarantined), *((name, counts.dropped.get(name, 0)) for name in names)]:
        if lost:
            left -= lost
            rows.append({"name": name, "left": left, "lost": lost, "share": 100 * left / total})
    return rows


def _shares(totals: dict[str, Totals]) -> list[dict[str, Any]]:
    whole = max(sum(one.tokens for one in totals.values()), 1)
    rows = [
        {"name": name, "documents": one.documents, "tokens": one.tokens, "share": 100 * one.tokens / whole}
        for name, one in totals.items()
    ]
    return sorted(rows, key=lambda row: -row["tokens"])


def _drops(run: RunFolder, manifest: Manifest, dropped: pl.LazyFrame) -> list[dict[str, Any]]:
    summaries = {name: kind.summary for name, kind in STEPS.items()} | NOT_STEPS
    found = []
    for name, number in sorted(manifest.counts.dropped.items(), key=lambda one: -one[1]):
        rows = dropped.filter(pl.col("dropped_by") == name)
        reasons = (
            rows.select(pl.col("drop_reason").str.extract(r"^([A-Za-z_0-9 ]+)").str.strip_chars().alias("reason"))
            .group_by("reason")
            .len()
            .sort("len", "reason", descending=[True, False])
            .head(6)
            .collect()
        )
        examples = rows.sort("id").head(EXAMPLES_A_STEP).select("id", "uri", "title", "drop_reason", "text").collect()
        found.append(
            {
                "name": name,
                "number": number,
                "summary": summaries.get(name, ""),
                "reasons": list(reasons.iter_rows()) if name not in NOT_STEPS else [],
                "examples": [_example(row) for row in examples.iter_rows(named=True)],
            }
        )
    return found


def _example(row: dict[str, Any]) -> dict[str, Any]:
    title = excerpt(row["title"], TITLE) if row["title"] else None
    return {**row, "title": title, "uri": excerpt(row["uri"], TITLE), "text": excerpt(row["text"], EXCERPT)}


def _pairs(run: RunFolder, curated: pl.LazyFrame, dropped: pl.LazyFrame) -> list[dict[str, Any]]:
    """Near duplicates side by side, the differences marked; those whose better document lies in this run."""
    keeper = pl.col("drop_reason").str.split(" ").list.last()
    gone = dropped.filter(pl.col("dropped_by") == "minhash").select("id", keeper=keeper)
    ids = pl.concat([curated.select(keeper="id"), dropped.select(keeper="id")])
    chosen = gone.join(ids, on="keeper", how="semi").sort("id").head(PAIRS).collect()
    wanted = [*chosen["id"], *chosen["keeper"]]
    parts = [frame.filter(pl.col("id").is_in(wanted)).select("id", "uri", "text") for frame in (curated, dropped)]
    known = {row["id"]: row for row in pl.concat(parts).collect().iter_rows(named=True)}
    pairs = []
    for one, other in chosen.iter_rows():
        left, right = marked_differences(known[other]["text"][: 4 * EXCERPT], known[one]["text"][: 4 * EXCERPT])
        pairs.append({"kept": known[other]["uri"], "gone": known[one]["uri"], "left": left, "right": right})
    return pairs


def _left_out(run: RunFolder) -> list[dict[str, Any]]:
    """Conversations of the corpus that no shard holds, counted by why."""
    if not (run.path / LEFT_OUT).exists():
        return []
    rows = pl.scan_parquet(run.path / LEFT_OUT / "*.parquet").group_by("source", "why").len("number")
    return rows.sort("source", "why").collect().to_dicts()


def _lengths(curated: pl.LazyFrame) -> list[dict[str, Any]]:
    frame = curated.select("source_type", pl.col("text").str.len_chars().alias("length")).collect()
    plots = []
    for (name,), rows in sorted(frame.group_by("source_type")):
        values = np.log10(np.maximum(rows["length"].to_numpy(), 1))
        median = int(np.median(rows["length"].to_numpy()))
        plots.append({"name": name, "median": median, "svg": histogram(values)})
    return plots


def _contaminated(run: RunFolder) -> list[dict[str, Any]]:
    if run.recipe.decontaminate is None:
        return []
    found = hits(run).sort("benchmark", "item", "id").head(20)
    return found.to_dicts()


def _quarantine(run: RunFolder) -> list[dict[str, Any]]:
    return (
        pl.scan_parquet(run.path / "quarantined" / "*.parquet").sort("uri").head(QUARANTINE_ROWS).collect().to_dicts()
    )


def _retracted(curated: pl.LazyFrame, dropped: pl.LazyFrame) -> list[dict[str, Any]]:
    columns = ["id", "uri", "title", "doi", "authority"]
    parts = [
        frame.filter(pl.col("retracted")).select(*columns, pl.lit(fate).alias("fate"))
        for frame, fate in ((curated, "curated, grade E"), (dropped, "dropped"))
    ]
    return pl.concat(parts).sort("uri").head(20).collect().to_dicts()
