"""Find lines that stand in many of the documents that stay.

Where there are many partitions their lines are first joined, some dozens of files into one, sorted by
hash; each range of the hashes then reads its row groups of few files, so that the cost grows with the
lines and not with partitions times ranges.
"""

from __future__ import annotations

import contextlib
import itertools
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from dedup.paragraphs import LINES, REPEATED, repeated_lines
from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, stage
from pipelines.stages.annotate import LINE_HASHES
from pipelines.stages.annotate import STAGE as ANNOTATE
from pipelines.stages.cluster import STAGE as CLUSTER
from pipelines.stages.group import earlier_prints, row_offsets
from storage.columnar import open_batches, read_parquet, scan_parquet, write_arrow, write_parquet
from storage.places import Place

STAGE: Final = "paragraphs"
# What one task holds in memory: the lines of so many partitions (of 36 with 107 MB each: 0.8 GiB, the program with it).
PARTITIONS_A_TASK: Final = 32
JOINED: Final = "lines-"
OPEN_FILES: Final = 128  # of joined lines, in one process; systems often allow 1,024


def line_files(run: RunFolder) -> list[tuple[RunFolder, int]]:
    """Every partition of this run and of those that it is held against, in the order of row numbers."""
    return [(one, number) for one in (run, *run.against) for number in range(len(one.plan.partitions))]


def parts(run: RunFolder) -> int:
    """Into how many ranges the hashes are cut: with more documents there are more, not larger ones."""
    return -(-len(line_files(run)) // PARTITIONS_A_TASK)


def levels(run: RunFolder) -> list[list[str]]:
    """Files to join where there are several ranges, then one task a range."""
    if not run.recipe.dedup.paragraphs:
        return []
    return [joined_names(run) if parts(run) > 1 else [], part_names(run)]


def joined_names(run: RunFolder) -> list[str]:
    """One task a file of joined lines; there are as many of them as ranges."""
    return [f"{JOINED}{number:05d}" for number in range(parts(run))]


def part_names(run: RunFolder) -> list[str]:
    """One task a range of the hashes, where the recipe asks for it."""
    return [f"{part:05d}" for part in range(parts(run))] if run.recipe.dedup.paragraphs else []


def _reads(run: RunFolder, task: str) -> list[Outputs]:
    if task.startswith(JOINED):
        number = int(task.removeprefix(JOINED))
        chosen = line_files(run)[number * PARTITIONS_A_TASK : (number + 1) * PARTITIONS_A_TASK]
        own = [Outputs(ANNOTATE, one.partition_name(at), LINE_HASHES) for one, at in chosen if one is run]
        return [*own, Outputs(CLUSTER, ending=".parquet")]
    return [Outputs(ANNOTATE, ending=LINE_HASHES), Outputs(CLUSTER, ending=".parquet")]


@stage(
    STAGE,
    title="find repeated lines",
    after=(CLUSTER,),
    cut="tree",
    unit="parts",
    levels=levels,
    reads=_reads,
    writes=lambda run, task: [_file(run, task)],
    settings=lambda run, task: {
        "paragraphs": run.recipe.dedup.model_dump(mode="json")["paragraphs"],
        "parts": parts(run),
        "rows": row_offsets(run)[-1],
        **earlier_prints(run),
    },
    version=3,  # joined lines are Arrow, of documents that stay
)
def find_repeated(run: RunFolder, task: str) -> dict[str, Any]:
    """Repeated lines of one range of the hashes, documents that deduplication dropped left out; or files joined."""
    if task.startswith(JOINED):
        return _join(run, task)
    wanted = run.recipe.dedup.paragraphs
    assert wanted is not None
    repeated = repeated_lines(_lines(run, int(task)), wanted.min_documents)
    write_parquet(_file(run, task), repeated)
    return {"lines": repeated.height}


def _file(run: RunFolder, task: str) -> Place:
    return run.stage_file(STAGE, f"{task}{'.arrow' if task.startswith(JOINED) else '.parquet'}")


def _join(run: RunFolder, task: str) -> dict[str, Any]:
    """Lines of some dozens of partitions in one file, a batch a range of the hashes."""
    lines = _numbered_lines(run, int(task.removeprefix(JOINED))).sort("line", "row")
    hashes, count = lines["line"].to_numpy(), parts(run)
    edges = [int(np.searchsorted(hashes, np.uint64(part * 2**64 // count))) for part in range(count)]
    whole = pa.record_batch([lines[name].to_arrow() for name in LINES], names=list(LINES))
    batches = (whole[start:end] for start, end in itertools.pairwise([*edges, lines.height]))
    write_arrow(_file(run, task), batches, whole.schema)
    return {"lines": lines.height}


def _numbered_lines(run: RunFolder, number: int) -> pl.DataFrame:
    """Lines of the documents that stay in one group of partitions, their rows numbered through all of them."""
    offsets = row_offsets(run)
    first = number * PARTITIONS_A_TASK
    chosen = line_files(run)[first : first + PARTITIONS_A_TASK]
    found = [pl.LazyFrame(schema=LINES)]
    for place, (one, at) in enumerate(chosen, first):
        path = one.stage_file(ANNOTATE, f"{one.partition_name(at)}{LINE_HASHES}")
        if path.exists():
            row = (pl.col("row").cast(pl.UInt64) + offsets[place]).cast(pl.UInt32)
            found.append(scan_parquet(path).with_columns(row.alias("row")))
    dropped = _dropped(run, offsets[first], offsets[first + len(chosen)])
    return pl.concat(found).join(dropped, on="row", how="anti").collect()


def _dropped(run: RunFolder, start: int, end: int) -> pl.LazyFrame:
    """Rows of this range that deduplication dropped; only their row groups are read, since the tables are sorted."""
    tables = scan_parquet([run.stage_file(CLUSTER, name) for name in ("decisions.parquet", "replaced.parquet")])
    here = pl.col("row").is_between(start, end, closed="left")
    return tables.filter(here & pl.col("dropped_by").is_not_null()).select("row")


def _lines(run: RunFolder, part: int) -> pl.DataFrame:
    """Lines whose hash lies in one range: of every joined file the batch that holds it."""
    if parts(run) == 1:
        return _numbered_lines(run, 0)
    files = (_joined(run, run.identity, name)[0] for name in joined_names(run))
    lines = pl.from_arrow(pa.Table.from_batches([file.get_batch(part) for file in files]))
    assert isinstance(lines, pl.DataFrame)
    return lines


@lru_cache(maxsize=OPEN_FILES)
def _joined(run: RunFolder, identity: str, name: str) -> tuple[pa.ipc.RecordBatchFileReader, contextlib.ExitStack]:
    """A joined file, left open since every range reads of each; and what closes it when it is forgotten."""
    opened = contextlib.ExitStack()
    return opened.enter_context(open_batches(_file(run, name))), opened


@lru_cache(maxsize=1)
def _repeated(run: RunFolder, identity: str) -> pl.DataFrame:
    found = [read_parquet(_file(run, task)) for task in part_names(run)]
    return pl.concat([pl.DataFrame(schema=REPEATED), *found]).sort("line")


def all_repeated(run: RunFolder) -> pl.DataFrame:
    """All repeated lines of a run, sorted by hash; read once a process."""
    return _repeated(run, run.identity)


def rows_of(frame: pl.DataFrame, rows: pl.DataFrame) -> np.ndarray:
    """Row number of each document of `frame`, by its id; the largest number where it has none."""
    joined = frame.select("id").join(rows, on="id", how="left", maintain_order="left")
    return joined["row"].fill_null(2**32 - 1).cast(pl.UInt32).to_numpy()
