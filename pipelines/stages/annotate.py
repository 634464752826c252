"""Run the steps over documents, and take the fingerprints that deduplication compares."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dedup.exact import exact_hashes
from dedup.facts import facts_of
from dedup.minhash import band_hashes, lean, signatures
from dedup.paragraphs import LINES, long_lines
from filters.step import Batch
from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, partitions, stage
from pipelines.stages.read import STAGE as READ
from pipelines.steps import concerns, decide, step_settings, text_bytes
from pipelines.stopwatch import Stopwatch
from schemas.conversation import turns_in
from schemas.document import document_columns
from schemas.errors import Unreadable
from schemas.preference import OVERALL, PAIR_START
from schemas.prompt import PROMPT_START
from schemas.recipe import Paragraphs
from storage.columnar import ParquetRows, parquet_frames
from storage.places import Place
from textcolumns.columns import TextColumn

STAGE: Final = "annotate"
PRINTS: Final = ".prints.parquet"
TALK_MARK, PROMPT_MARK, PAIR_MARK = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0x165667B19E3779F9),
)
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
        "identifiers": pl.List(pl.String),
        "authority": pl.String(),
        "quality": pl.Float64(),
        "series": pl.String(),
        "edition": pl.String(),
        "published": pl.String(),
        "characters": pl.Int64(),
        "retracted": pl.Boolean(),
        **({"facts": pl.List(pl.String)} if fact_types(run) else {}),
        **({"signature": pl.Binary()} if bands(run) else {}),
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
    version=4,  # pairs of one text that are judged in different respects are no duplicates
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
                out.append(_without_texts_of(frame, done.frame))
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


def _without_texts_of(read: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """Decided rows; a text that is still the one that was read is null: it stands in the file of `read` already."""
    same = decided["text"].eq_missing(read["text"])
    return decided.with_columns(text=pl.when(~same).then(pl.col("text"))) if same.any() else decided


def decided_documents(run: RunFolder, task: str) -> Iterator[pl.DataFrame]:
    """Decided documents of one partition with their texts, row group by row group."""
    decided = parquet_frames(run.stage_file(STAGE, f"{task}.parquet"))
    texts = parquet_frames(run.stage_file(READ, f"{task}.parquet"), ["text"])
    for frame, read in zip(decided, texts, strict=True):
        yield frame.with_columns(frame["text"].fill_null(read["text"]))


def what_is_said(frame: pl.DataFrame, column: TextColumn | None) -> TextColumn:
    """Texts to compare: of conversations, prompts and pairs what users and assistants say, without system texts.

    A text that thousands of conversations begin with makes them no duplicates of each other.
    """
    talks = frame["conversation"].is_not_null()
    if not talks.any():
        return column or TextColumn(frame["text"])
    told = [
        _spoken(text) if talk else text for text, talk in zip(frame["text"].to_list(), talks.to_list(), strict=True)
    ]
    return TextColumn(pl.Series("text", told, dtype=pl.String))


def _spoken(text: str) -> str:
    try:
        turns = turns_in(text)
    except Unreadable:
        return text
    return "\n".join(turn.content for turn in turns if turn.role not in ("system", "tool")) or text


def _kind_marks(frame: pl.DataFrame, aspects: list[tuple[int, str]]) -> npt.NDArray[np.uint64]:
    """What is mixed into the bands of each row, so that only documents of one kind meet: 0 for texts.

    A question asked in a conversation, posed as a prompt and answered twice in a pair is not said three times, and a
    pair that is preferred for its honesty says something else than one that is for its helpfulness.
    """
    beside = frame["conversation"].fill_null("")
    marks = np.where(beside == "", np.uint64(0), TALK_MARK)
    marks[beside.str.starts_with(PROMPT_START).to_numpy()] = PROMPT_MARK
    marks[beside.str.starts_with(PAIR_START).to_numpy()] = PAIR_MARK
    for row, aspect in aspects:
        marks[row] ^= np.uint64(int.from_bytes(hashlib.blake2b(aspect.encode(), digest_size=8).digest()))
    return marks


def _aspects(frame: pl.DataFrame) -> list[tuple[int, str]]:
    """Rows that are pairs preferred in a respect of their own, and in which."""
    beside = frame["conversation"].fill_null("")
    pairs = beside.str.starts_with(PAIR_START).arg_true()
    told = ((int(row), str(json.loads(beside[int(row)])["aspect"])) for row in pairs)
    return [(row, aspect) for row, aspect in told if aspect != OVERALL]


def _exact(said: TextColumn, aspects: list[tuple[int, str]]) -> pl.Series:
    """Exact hashes, of pairs with the respect in which they are preferred."""
    hashes = exact_hashes(said)
    if not aspects:
        return hashes
    marked = hashes.to_list()
    for row, aspect in aspects:
        marked[row] = hashlib.blake2b(f"{aspect}\n{marked[row]}".encode(), digest_size=16).hexdigest()
    return pl.Series(hashes.name, marked, dtype=pl.String)


def _facts(frame: pl.DataFrame, run: RunFolder) -> pl.Series:
    """Facts of the documents of these types, null for all others."""
    asked = frame["source_type"].is_in(fact_types(run))
    told = [facts_of(text) if wanted else None for text, wanted in zip(frame["text"], asked, strict=True)]
    return pl.Series("facts", told, dtype=pl.List(pl.String))


def line_hashes(batch: Batch, run: RunFolder, first: int) -> pl.DataFrame:
    """Hashes of the long lines of each document, by its row among the fingerprints (`dedup.paragraphs.LINES`)."""
    owner, hashes, long = long_lines(batch.column, *line_floors(batch, run))
    wanted = run.recipe.dedup.paragraphs or Paragraphs()
    long &= batch.frame["source_type"].is_in(wanted.source_types).to_numpy()[owner]
    found = pl.DataFrame({"row": (owner[long] + first).astype(np.uint32), "line": hashes[long]}, schema=LINES)
    return found.unique(maintain_order=True)


def line_floors(batch: Batch, run: RunFolder) -> tuple[np.ndarray, int, int]:
    """Which rows are unspaced, and the shortest lines that count in both scripts."""
    floors = run.recipe.dedup.paragraphs or Paragraphs()
    return batch.unspaced, floors.min_characters, floors.unspaced_min_characters


def fingerprints(frame: pl.DataFrame, run: RunFolder, column: TextColumn | None = None) -> pl.DataFrame:
    """Exact hash, band hashes and what the choice among duplicates needs, one row a document."""
    config = run.minhash
    said, aspects = what_is_said(frame, column), _aspects(frame)
    quality = frame["scores"].struct.field("quality") if "quality" in run.score_names else pl.lit(None, pl.Float64)
    columns = frame.select(
        "id",
        _exact(said, aspects),
        "doi",
        "identifiers",
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
    signed = signatures(said, config)
    hashes = band_hashes(signed, config) ^ _kind_marks(frame, aspects)[:, None]
    columns = columns.with_columns(signature=pl.Series(lean(signed), dtype=pl.Binary))
    wordless = pl.Series(said.unit_counts == 0)
    named = [
        pl.when(wordless).then(None).otherwise(pl.Series(hashes[:, index])).alias(f"band_{index:03d}")
        for index in range(config.bands)
    ]
    return columns.with_columns(named)
