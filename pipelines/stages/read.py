"""From bytes to documents: read a partition of the inputs, and take out what no file may hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import polars as pl

from filters.classifier_model import CARD_FILE, classifier_folder
from filters.glance import glancer
from filters.privacy.step import redacted
from pipelines.run_folder import RunFolder
from pipelines.stage import partitions, stage
from pipelines.steps import decide, score_names, step_settings, takes_out_persons, text_bytes
from pipelines.stopwatch import Stopwatch
from schemas.document import DECISION_COLUMNS, QUARANTINE_COLUMNS, document_columns
from schemas.recipe import Source
from sources.formats import FORMATS
from sources.inputs import InputFile, check_unchanged
from sources.reading import Glance, batched_frames, read_frames
from sources.row_columns import ABSENT, MISFIT
from storage.columnar import ParquetRows
from storage.fingerprints import fingerprint_of
from storage.places import Place

STAGE = "read"


def _writes(run: RunFolder, task: str) -> list[Place]:
    return [run.stage_file(STAGE, f"{task}.parquet"), run.stage_file(STAGE, f"{task}.quarantined.parquet")]


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    files = run.plan.partitions[int(task)]
    wanted = {file.source for file in files}
    return {
        "files": [file.told() for file in files],
        "sources": [one.model_dump(mode="json") for one in run.recipe.sources if one.name in wanted],
        "edits": step_settings(run.edits, run.plan),
        "glances": [
            fingerprint_of(str(classifier_folder(one.glance.model) / CARD_FILE))
            for one in run.recipe.sources
            if one.name in wanted and one.glance and one.glance.model
        ],
    }


def _readers_still(counts: Mapping[str, Any]) -> bool:
    """Whether every reader that was used reads the same today."""
    known = FORMATS.names()
    return all(name in known and FORMATS.get(name).version == version for name, version in counts["readers"].items())


@stage(
    STAGE,
    title="read",
    version=4,
    tasks=partitions,
    writes=_writes,
    settings=_settings,
    still=_readers_still,
)
def read_partition(run: RunFolder, task: str) -> dict[str, Any]:
    """Write documents and quarantine of one partition; returns its counts."""
    files = run.plan.partitions[int(task)]
    sources = {source.name: source for source in run.recipe.sources}
    names = score_names(run.edits)
    by_source: Counter[str] = Counter()
    misfits: Counter[tuple[str, str]] = Counter()
    retracts: set[str] = set()
    notices: set[tuple[str, str]] = set()
    readers: dict[str, int] = {}
    watch = Stopwatch()
    looks = {file.source: glancer(look) for file in files if (look := sources[file.source].glance)}
    quarantined = 0
    documents, broken = _writes(run, task)
    with (
        ParquetRows(documents, document_columns(names), compression="none") as out,
        ParquetRows(broken, QUARANTINE_COLUMNS) as unreadable_rows,
    ):
        for source, of_source in groupby(files, key=lambda file: file.source):
            frames = _frames_of(of_source, sources[source], readers, looks.get(source))
            for frame, unreadable in watch.each(f"read {source}", batched_frames(frames)):
                unreadable_rows.append(_without_persons(unreadable) if takes_out_persons(run.edits) else unreadable)
                quarantined += unreadable.height
                if frame.is_empty():
                    continue
                size = text_bytes(frame["text"])
                watch.add(f"read {source}", size)
                done = _edited(frame, run, watch)
                with watch.of("write documents", size):
                    out.append(done)
                by_source[source] += done.height
                misfits.update(_misfits(frame, source))
                retracts.update(done["retracts"].explode().drop_nulls().to_list())
                notices.update(_concerned(done))
    run.log("profile", stage=STAGE, task=task, profile=watch.rounded())
    return {
        "documents": by_source.total(),
        "bytes": sum(file.size for file in files),
        "quarantined": quarantined,
        "by_source": dict(sorted(by_source.items())),
        "retracts": sorted(retracts),
        "notices": sorted(notices),
        "misfits": [[source, what, rows] for (source, what), rows in sorted(misfits.items())],
        "readers": dict(sorted(readers.items())),
    }


def _frames_of(
    files: Iterable[InputFile], source: Source, readers: dict[str, int], look: Glance | None
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    for file in files:
        check_unchanged(file)
        yield from read_frames(file, source, readers, look)


def _edited(frame: pl.DataFrame, run: RunFolder, watch: Stopwatch) -> pl.DataFrame:
    """The frame after the steps that take out persons, from what readers left out as well."""
    if not run.edits:
        return decide(frame, (), watch).frame
    decided = frame.select(list(DECISION_COLUMNS))
    done = decide(frame.drop(*DECISION_COLUMNS), run.edits, watch).frame
    return done.with_columns(pl.coalesce(decided[name], done[name]).alias(name) for name in DECISION_COLUMNS)


def _misfits(frame: pl.DataFrame, source: str) -> dict[tuple[str, str], int]:
    """In how many rows a value of a column does not fit, by source and what is said of it."""
    said = frame.select(pl.col("edits").list.eval(pl.element().struct.field("what")).explode()).to_series()
    ends = said.str.ends_with(MISFIT) | said.str.ends_with(ABSENT)
    return {(source, what): rows for what, rows in said.filter(ends).value_counts().iter_rows()}


def _concerned(frame: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """DOIs that notices are about, each with what is said of it and by which notice."""
    told = frame.select("notices", "doi", "id").filter(pl.col("notices").list.len() > 0)
    for notices, doi, own in told.iter_rows():
        for notice in notices:
            what, joint, other = notice.partition(" of ")
            if joint:
                yield other, f"{what} by {doi or own}"


def _without_persons(unreadable: pl.DataFrame) -> pl.DataFrame:
    """Quarantine without the identifiers of persons that file names and quoted rows may hold."""
    if unreadable.is_empty():
        return unreadable
    return unreadable.with_columns(redacted(unreadable["uri"], places=True), redacted(unreadable["error"]))
