"""Run the steps over documents, and take the fingerprints that deduplication compares."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
import polars as pl

from dedup.exact import exact_hashes
from dedup.facts import facts_of
from dedup.minhash import band_hashes, signatures
from dedup.paragraphs import LINES, long_lines
from filters.step import Batch
from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, partitions, stage
from pipelines.stages.read import STAGE as READ
from pipelines.steps import concerns, decide, step_settings, text_bytes
from pipelines.stopwatch import Stopwatch
from schemas.document import document_columns
from schemas.recipe import Paragraphs
from storage.columnar import ParquetRows, parquet_frames
from storage.places import Place
from textcolumns.columns import TextColumn

STAGE: Final = "annotate"
PRINTS: Final = ".prints.parquet"
LINE_HASHES: Final = ".lines.parquet"


def bands(run: RunFolder) -> int:
    """Number of bands that the recipe's deduplication uses."""
    return run.minhash.bands if run.minhash else 0


def fact_types(run: RunFolder) -> tuple[str, ...]:
    """Source types whose near duplicates are held apart by what they assert."""
    return run.recipe.dedup.minhash.fact_types if run.recipe.dedup.minhash else ()


def print_columns(run: RunFolder) -> dict[str, pl.DataType]:
    """Columns of the fingerprint files: what grouping and choosing need, without text."""
    return {
        "id": pl.String(),
        "exact": pl.String(),
        "doi": pl.String(),
        "authority": pl.String(),
        "quality": pl.Float64(),
        "series": pl.String(),
        "edition": pl.String(),
        "published": pl.String(),
        "characters": pl.Int64(),
        "retracted": pl.Boolean(),
        **({"facts": pl.List(pl.String)} if fact_types(run) else {}),
        **{f"band_{index:03d}": pl.UInt64() for index in range(bands(run))},
    }


def _writes(run: RunFolder, task: str) -> list[Place]:
    return [run.stage_file(STAGE, f"{task}{ending}") for ending in (".parquet", PRINTS, LINE_HASHES)]


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    """Steps that this partition's source does not concern are left out: their parameters change nothing here."""
    names = {file.source for file in run.plan.partitions[int(task)]}
    sources = [one for one in run.recipe.sources if one.name in names]
    steps = [step for step in run.steps[len(run.edits) :] if concerns(step, sources)]
    return {
        "steps": step_settings(steps, run.plan),
        "scores": run.score_names,
        "dedup": run.recipe.dedup.model_dump(mode="json"),
    }


@stage(
    STAGE,
    title="annotate, filter, fingerprint",
    after=(READ, "classifiers"),
    tasks=partitions,
    reads=lambda run, task: [Outputs(READ, task, f"/{task}.parquet"), Outputs("classifiers")],
    writes=_writes,
    settings=_settings,
)
def annotate_partition(run: RunFolder, task: str) -> dict[str, Any]:
    """Write decided documents, fingerprints and line hashes of one partition; returns its counts."""
    steps = run.steps[len(run.edits) :]
    names = run.score_names
    dropped: Counter[str] = Counter()
    watch = Stopwatch()
    documents = characters = printed = 0
    decided_file, print_file, line_file = _writes(run, task)
    lines = [pl.DataFrame(schema=LINES)]
    with (
        ParquetRows(decided_file, document_columns(names), compression="none") as out,
        ParquetRows(print_file, print_columns(run)) as prints,
    ):
        for frame in parquet_frames(run.stage_file(READ, f"{task}.parquet")):
            done = decide(frame, steps, watch, names)
            with watch.of("write documents", text_bytes(frame["text"])):
                out.append(done.frame)
            documents += done.frame.height
            characters += int(done.frame["text"].str.len_chars().sum())
            dropped.update(done.frame["dropped_by"].drop_nulls().to_list())
            alive = done.frame.filter(pl.col("dropped_by").is_null())
            if alive.height:
                with watch.of("fingerprints", text_bytes(alive["text"])):
                    prints.append(fingerprints(alive, run, done.alive))
                if run.recipe.dedup.paragraphs:
                    lines.append(line_hashes(Batch(alive, done.alive), run, printed))
                printed += alive.height
    with ParquetRows(line_file, LINES) as line_rows:
        line_rows.append(pl.concat(lines).sort("line", "row"))
    run.log("profile", stage=STAGE, task=task, profile=watch.rounded())
    return {
        "documents": documents,
        "characters": characters,
        "dropped": dict(sorted(dropped.items())),
    }


def _facts(frame: pl.DataFrame, run: RunFolder) -> pl.Series:
    """Facts of the documents of these types, null for all others."""
    asked = frame["source_type"].is_in(fact_types(run))
    told = [facts_of(text) if wanted else None for text, wanted in zip(frame["text"], asked, strict=True)]
    return pl.Series("facts", told, dtype=pl.List(pl.String))


def line_hashes(batch: Batch, run: RunFolder, first: int) -> pl.DataFrame:
    """Hashes of the long lines of each document, by its row among the fingerprints (`dedup.paragraphs.LINES`)."""
    owner, hashes, long = long_lines(batch.column, *line_floors(batch, run))
    found = pl.DataFrame({"row": (owner[long] + first).astype(np.uint32), "line": hashes[long]}, schema=LINES)
    return found.unique(maintain_order=True)


def line_floors(batch: Batch, run: RunFolder) -> tuple[np.ndarray, int, int]:
    """Which rows are unspaced, and the shortest lines that count in both scripts."""
    floors = run.recipe.dedup.paragraphs or Paragraphs()
    return batch.unspaced, floors.min_characters, floors.unspaced_min_characters


def fingerprints(frame: pl.DataFrame, run: RunFolder, column: TextColumn | None = None) -> pl.DataFrame:
    """Exact hash, band hashes and what the choice among duplicates needs, one row a document."""
    config = run.minhash
    quality = frame["scores"].struct.field("quality") if "quality" in run.score_names else pl.lit(None, pl.Float64)
    columns = frame.select(
        "id",
        exact_hashes(frame["text"]),
        "doi",
        "authority",
        quality.alias("quality"),
        "series",
        "edition",
        "published",
        pl.col("text").str.len_chars().cast(pl.Int64).alias("characters"),
        "retracted",
    )
    if config is None:
        return columns
    if fact_types(run):
        columns = columns.with_columns(_facts(frame, run))
    column = column or TextColumn(frame["text"])
    hashes = band_hashes(signatures(column, config), config)
    wordless = pl.Series(column.unit_counts == 0)
    named = [
        pl.when(wordless).then(None).otherwise(pl.Series(hashes[:, index])).alias(f"band_{index:03d}")
        for index in range(config.bands)
    ]
    return columns.with_columns(named)
