"""Parts of the report about what documents are worth: scores, grades, redactions, classifiers, earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from curate.plots import share_histogram
from filters.classifier_model import CARD_FILE
from pipelines.earlier import REPORT
from pipelines.run_folder import RunFolder
from storage.json_files import read_json

QUALITY_STEPS: Final = ("classifier", "fasttext_classifier")
SHOWN_EARLIER: Final = 20


def quality_parts(run: RunFolder, curated: pl.LazyFrame, dropped: pl.LazyFrame) -> dict[str, Any]:
    """What the template shows of scores, grades, redactions and earlier runs."""
    return {
        "score_plots": _score_plots(run, curated, dropped),
        "grades": grades_by_source(curated).to_dicts(),
        "redactions": _edits(curated, dropped, "phi"),
        "repeated": _edits(curated, dropped, "paragraphs"),
        "cards": _cards(run),
        "earlier": _earlier(run.path),
        "superseded_kept": curated.filter(pl.col("superseded_by").is_not_null()).select(pl.len()).collect().item(),
    }


def _score_plots(run: RunFolder, curated: pl.LazyFrame, dropped: pl.LazyFrame) -> list[dict[str, Any]]:
    """Distribution of each model's score by source, over everything that was scored."""
    names = [name for step in run.steps if step.kind.name in QUALITY_STEPS for name in step.scores]
    names += ["ocr"]
    plots = []
    for name in dict.fromkeys(names):
        column = pl.col("scores").struct.field(name).alias("score")
        parts = [frame.select("source", column).drop_nulls().collect() for frame in (curated, dropped)]
        rows = pl.concat(parts)
        sources = [
            {
                "name": source,
                "number": part.height,
                "median": float(np.median(part["score"].to_numpy())),
                "svg": share_histogram(part["score"].to_numpy()),
            }
            for (source,), part in sorted(rows.group_by("source"))
        ]
        if sources:
            plots.append({"name": name, "sources": sources})
    return plots


def grades_by_source(curated: pl.LazyFrame) -> pl.DataFrame:
    """Documents by source and grade, with the reasons."""
    rows = curated.select("source", pl.col("authority").fill_null("-"), "authority_reason").collect()
    counted = rows.group_by("source", "authority").agg(
        pl.len().alias("documents"),
        pl.col("authority_reason").drop_nulls().unique().sort().str.join("; ").alias("because"),
    )
    return counted.sort("source", "authority")


def _edits(curated: pl.LazyFrame, dropped: pl.LazyFrame, step: str) -> list[dict[str, Any]]:
    """What a step edited, by source and kind: documents and count."""
    parts = [
        frame.select("source", "edits").explode("edits").drop_nulls("edits").unnest("edits")
        for frame in (curated, dropped)
    ]
    rows = pl.concat(parts).filter(pl.col("step") == step)
    counted = rows.group_by("source", "what").agg(pl.len().alias("documents"), pl.col("count").sum())
    return counted.sort("source", "what").collect().to_dicts()


def _cards(run: RunFolder) -> list[dict[str, Any]]:
    """Cards of the classifiers that the run trained."""
    folders = [run.classifier_folder(name) for name in run.recipe.classifiers]
    return [read_json(folder / CARD_FILE) for folder in folders if (folder / CARD_FILE).exists()]


def _earlier(folder: Path) -> list[dict[str, Any]]:
    path = folder / REPORT
    if not path.exists():
        return []
    told = read_json(path)
    return [
        {"what": what, "number": len(documents), "documents": documents[:SHOWN_EARLIER]}
        for what, documents in told.items()
        if documents
    ]
