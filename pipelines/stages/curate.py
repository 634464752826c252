"""Apply the choice among duplicates, mark retractions, decontaminate, write the corpus."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from dedup.contamination_index import ContaminationIndex
from dedup.decontamination import HITS, cut_spans, find_items, flagged_only
from dedup.paragraphs import without_repeated
from filters.step import Batch
from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, partitions, stage
from pipelines.stages.annotate import PRINTS, decided_documents, line_floors
from pipelines.stages.annotate import STAGE as ANNOTATE
from pipelines.stages.benchmarks import STAGE as BENCHMARKS
from pipelines.stages.benchmarks import benchmark_index
from pipelines.stages.cluster import STAGE as CLUSTER
from pipelines.stages.cluster import named_by
from pipelines.stages.group import row_offsets
from pipelines.stages.paragraphs import STAGE as PARAGRAPHS
from pipelines.stages.paragraphs import all_repeated, rows_of
from pipelines.stages.read import STAGE as READ
from pipelines.steps import dropped_where, text_bytes, with_edit
from pipelines.stopwatch import Stopwatch
from pipelines.tasks import counts_of
from pipelines.withdrawn import Withdrawn, read_withdrawn, together, withdrawn_why
from schemas.conversation import turns_in, turns_of
from schemas.document import QUARANTINE_COLUMNS, document_columns
from schemas.errors import Unreadable, WrongCall
from schemas.preference import PAIR_START, asked_and_answers
from schemas.prompt import PROMPT_START, check_prompt
from sources.inputs import check_unchanged
from storage.columnar import ParquetRows, parquet_frames, read_parquet, scan_parquet, write_parquet
from storage.places import Place
from verifiers.verifier import VERIFIERS

STAGE: Final = "curate"
FOLDERS: Final = ("curated", "dropped", "quarantined")


def _writes(run: RunFolder, task: str) -> list[Place]:
    return [*(run.path / name / f"{task}.parquet" for name in FOLDERS), run.stage_file(STAGE, f"{task}.hits.parquet")]


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    recipe = run.recipe
    return {
        "withdrawn": recipe.withdrawn.model_dump(mode="json") if recipe.withdrawn else None,
        "lists": [file.told() for file in run.plan.withdrawn],
        "action": recipe.decontaminate.action if recipe.decontaminate else None,
        "paragraphs": recipe.dedup.model_dump(mode="json")["paragraphs"],
    }


@stage(
    STAGE,
    title="apply the choice, decontaminate, write the corpus",
    after=(CLUSTER, PARAGRAPHS, BENCHMARKS),
    tasks=partitions,
    reads=lambda run, task: [
        Outputs(ANNOTATE, task, f"/{task}.parquet"),
        Outputs(ANNOTATE, task, PRINTS),
        Outputs(READ, task, ".parquet"),
        Outputs(CLUSTER),
        Outputs(PARAGRAPHS, ending=".parquet"),
        Outputs(BENCHMARKS),
    ],
    writes=_writes,
    settings=_settings,
)
def curate_partition(run: RunFolder, task: str) -> dict[str, Any]:
    """Write `curated/`, `dropped/` and `quarantined/` of one partition; returns its counts."""
    columns = document_columns(run.score_names)
    decisions = partition_decisions(run, int(task))
    repeated = all_repeated(run)
    rows = _printed_rows(run, int(task)) if repeated.height else None
    lists = withdrawn(run).names
    chosen = counts_of(run, CLUSTER)[0]
    retracted, notices = chosen["retracted"], _by_doi(chosen["notices"])
    index = benchmark_index(run)
    dropped: Counter[str] = Counter()
    hits = [pl.DataFrame(schema=HITS)]
    curated = read = quarantined = 0
    watch = Stopwatch()
    with (
        ParquetRows(run.path / "curated" / f"{task}.parquet", columns) as kept_rows,
        ParquetRows(run.path / "dropped" / f"{task}.parquet", columns) as dropped_rows,
    ):
        for frame in decided_documents(run, task):
            frame = _noticed(_retracted(frame, retracted), notices)
            frame = _chosen(_withdrawn(frame, lists, run), decisions)
            if rows is not None:
                with watch.of("paragraphs", text_bytes(frame["text"])):
                    frame = _without_boilerplate(frame, rows, repeated, run)
            if index is not None:
                with watch.of("decontaminate", text_bytes(frame["text"])):
                    frame, found = _decontaminated(frame, index, run)
                hits.append(found)
            frame = _whole_conversations(frame)
            gone = pl.col("dropped_by").is_not_null()
            with watch.of("write corpus", text_bytes(frame["text"])):
                kept_rows.append(frame.filter(~gone))
                dropped_rows.append(frame.filter(gone))
            dropped.update(frame["dropped_by"].drop_nulls().to_list())
            read += frame.height
            curated += int(frame["dropped_by"].null_count())
    with ParquetRows(run.path / "quarantined" / f"{task}.parquet", QUARANTINE_COLUMNS) as broken:
        for frame in parquet_frames(run.stage_file(READ, f"{task}.quarantined.parquet")):
            broken.append(frame)
            quarantined += frame.height
    write_parquet(run.stage_file(STAGE, f"{task}.hits.parquet"), pl.concat(hits))
    run.log("profile", stage=STAGE, task=task, profile=watch.rounded())
    return {
        "documents": read,
        "curated": curated,
        "dropped": dict(sorted(dropped.items())),
        "quarantined": quarantined,
    }


def partition_decisions(run: RunFolder, number: int) -> pl.DataFrame:
    """Decisions on the rows of one partition; other row groups are not read."""
    offsets = row_offsets(run)
    found = scan_parquet(run.stage_file(CLUSTER, "decisions.parquet"))
    return found.filter((pl.col("row") >= offsets[number]) & (pl.col("row") < offsets[number + 1])).collect()


def _printed_rows(run: RunFolder, number: int) -> pl.DataFrame:
    """Ids and row numbers of one partition's fingerprints."""
    first = row_offsets(run)[number]
    ids = read_parquet(run.stage_file(ANNOTATE, f"{number:05d}{PRINTS}"), ["id"])
    return ids.with_columns(row=pl.Series(np.arange(first, first + ids.height, dtype=np.uint32)))


def _retracted(frame: pl.DataFrame, dois: list[str]) -> pl.DataFrame:
    """Mark articles that a notice of the run retracts; a retracted article is never above grade E."""
    marked = pl.col("retracted") | named_by(dois)
    return frame.with_columns(
        retracted=marked,
        authority=pl.when(marked).then(pl.lit("E")).otherwise(pl.col("authority")),
        authority_reason=pl.when(marked).then(pl.lit("retracted")).otherwise(pl.col("authority_reason")),
    )


def _by_doi(notices: Sequence[Sequence[str]]) -> pl.DataFrame:
    """What is said of each DOI; columns doi, said."""
    frame = pl.DataFrame(list(notices), schema={"doi": pl.String, "said": pl.String}, orient="row")
    return frame.group_by("doi").agg(pl.col("said").unique().sort())


def _noticed(frame: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """Say on articles what notices of the run say of them, beside what they say themselves."""
    if said.is_empty():
        return frame
    names = frame.select(_row=pl.int_range(pl.len()), name=pl.concat_list("identifiers", "doi")).explode("name")
    told = names.join(said, left_on="name", right_on="doi").select("_row", pl.col("said")).explode("said")
    rows = told.group_by("_row").agg(pl.col("said").unique())
    every = pl.col("notices").fill_null([]).list.set_union(pl.col("said").fill_null([])).list.sort()
    joined = frame.with_columns(_row=pl.int_range(pl.len())).join(rows, on="_row", how="left", maintain_order="left")
    return joined.with_columns(notices=every).drop("said", "_row")


def withdrawn(run: RunFolder) -> Withdrawn:
    """What the recipe's lists name, with the file that names each; read once a process."""
    return _withdrawn_lists(run, run.identity)


@lru_cache(maxsize=1)
def _withdrawn_lists(run: RunFolder, identity: str) -> Withdrawn:
    found = []
    for file in run.plan.withdrawn:
        check_unchanged(file)
        found.append(read_withdrawn(file.location, file.uri))
    return together(found)


def _withdrawn(frame: pl.DataFrame, gone: pl.DataFrame, run: RunFolder) -> pl.DataFrame:
    """Mark, and by recipe drop, what the lists name and what stands under a withdrawn licence."""
    wanted = run.recipe.withdrawn
    if wanted is None:
        return frame
    frame = frame.with_columns(_why=withdrawn_why(frame, gone, wanted.licences))
    licence = pl.col("licence").is_in(wanted.licences).fill_null(False)
    named = pl.col("_why").is_not_null()
    frame = frame.with_columns(
        retracted=pl.col("retracted") | (named & ~licence),
        authority=pl.when(named).then(pl.lit("E")).otherwise("authority"),
        authority_reason=pl.when(named).then(pl.lit("withdrawn")).otherwise("authority_reason"),
    )
    if wanted.action == "drop":
        first = frame["_why"].is_not_null() & frame["dropped_by"].is_null()
        frame = dropped_where(frame, first, "withdrawn", pl.col("_why"))
    return frame.drop("_why")


def _chosen(frame: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    columns = decisions.select("id", by="dropped_by", why="drop_reason", newer="superseded_by").unique(
        "id", keep="first", maintain_order=True
    )
    joined = frame.join(columns, on="id", how="left", maintain_order="left")
    return joined.with_columns(
        dropped_by=pl.coalesce("dropped_by", "by"),
        drop_reason=pl.coalesce("drop_reason", "why"),
        superseded_by=pl.coalesce("superseded_by", "newer"),
    ).drop("by", "why", "newer")


def _without_boilerplate(
    frame: pl.DataFrame, rows: pl.DataFrame, repeated: pl.DataFrame, run: RunFolder
) -> pl.DataFrame:
    """Documents without the lines that an earlier document keeps; one of nothing else is dropped."""
    # A system text that many conversations share belongs to each of them.
    wanted = run.recipe.dedup.paragraphs
    kinds = frame["source_type"].is_in(wanted.source_types if wanted else [])
    alive = frame["dropped_by"].is_null() & frame["conversation"].is_null() & kinds
    if not alive.any():
        return frame
    kept = frame.filter(alive)
    batch = Batch(kept)
    text, removed = without_repeated(kept["text"], batch.column, rows_of(kept, rows), repeated, line_floors(batch, run))
    if not removed.any():
        return frame
    kept = with_edit(kept.with_columns(text=text), "paragraphs", "repeated lines removed", removed)
    emptied = pl.Series(removed > 0) & (text.str.len_chars() == 0)
    kept = dropped_where(kept, emptied, "paragraphs", pl.lit("nothing is left beside repeated lines"))
    # Rows keep their order: those that were dropped before, and those just looked at.
    order = pl.concat([alive.arg_true(), (~alive).arg_true()])
    return pl.concat([kept, frame.filter(~alive)]).with_columns(_place=order).sort("_place").drop("_place")


def _whole_conversations(frame: pl.DataFrame) -> pl.DataFrame:
    """Drop conversations whose turns a step has broken (by cutting a line or a span), with the reason."""
    alive = (frame["dropped_by"].is_null() & frame["conversation"].is_not_null()).arg_true()
    broken: dict[int, str] = {}
    for row, text, beside in zip(alive, frame["text"].gather(alive), frame["conversation"].gather(alive), strict=True):
        try:
            if beside.startswith(PAIR_START):
                asked_and_answers(turns_in(text))
            elif beside.startswith(PROMPT_START):
                check_prompt(turns_in(text))
                told = json.loads(beside)
                VERIFIERS.get(told["verifier"]).read(told["reference"])
            else:
                turns_of(text)
        except Unreadable as error:
            broken[row] = f"no longer a conversation after the steps: {error}"
        except WrongCall as error:
            broken[row] = str(error)
    if not broken:
        return frame
    why = pl.Series([broken.get(row) for row in range(frame.height)], dtype=pl.String)
    return dropped_where(frame, why.is_not_null(), "conversation", pl.lit(why))


def _decontaminated(
    frame: pl.DataFrame, index: ContaminationIndex, run: RunFolder
) -> tuple[pl.DataFrame, pl.DataFrame]:
    alive = frame.filter(pl.col("dropped_by").is_null())
    hits = find_items(alive["id"], alive["text"], index)
    noted = hits.filter(flagged_only(hits))
    if noted.height:
        frame = _noted(frame, noted)
    told = hits.filter(~flagged_only(hits))
    if told.is_empty():
        return frame, hits
    assert run.recipe.decontaminate is not None
    if run.recipe.decontaminate.action == "cut":
        return _cut(frame, told), hits
    first = (
        told.sort("id", pl.col("overlap"), "benchmark", "item", descending=[False, True, False, False])
        .group_by("id", maintain_order=True)
        .agg(
            pl.format(
                "holds {} items of benchmarks, first {} of {} ({} overlap {})",
                pl.struct("benchmark", "item").n_unique(),
                pl.col("item").first(),
                pl.col("benchmark").first(),
                pl.col("kind").first(),
                pl.col("overlap").first().round(2),
            ).alias("why")
        )
    )
    joined = frame.join(first, on="id", how="left", maintain_order="left")
    return dropped_where(joined, joined["why"].is_not_null(), "decontaminate", pl.col("why")).drop("why"), hits


def _noted(frame: pl.DataFrame, noted: pl.DataFrame) -> pl.DataFrame:
    """Count near-copies of benchmark items among a document's edits; the document stays as it is."""
    counts = noted.group_by("id").agg(_noted=pl.struct("benchmark", "item").n_unique())
    found = frame.select("id").join(counts, on="id", how="left", maintain_order="left")["_noted"]
    numbers = found.fill_null(0).cast(pl.Int64).to_numpy()
    return with_edit(frame, "decontaminate", "near-copies of benchmark items noted", numbers)


def _cut(frame: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Take the sentences of every hit out of the text; a document that was nothing else is dropped."""
    spans = {key[0]: list(rows.select("start", "end").iter_rows()) for key, rows in hits.group_by("id")}
    texts = [
        cut_spans(text, spans[one]) if one in spans else text for one, text in frame.select("id", "text").iter_rows()
    ]
    counts = np.array([len(spans.get(one, ())) for one in frame["id"]], dtype=np.int64)
    frame = frame.with_columns(text=pl.Series(texts, dtype=pl.String))
    frame = with_edit(frame, "decontaminate", "benchmark spans cut", counts)
    emptied = pl.Series(counts > 0) & (frame["text"].str.len_chars() == 0)
    return dropped_where(frame, emptied, "decontaminate", pl.lit("nothing is left beside benchmark items"))
