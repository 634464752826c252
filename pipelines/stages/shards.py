"""Gather rows into shards: each takes its range of keys, so that the order is one global shuffle."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, stage
from pipelines.stages.merge import STAGE as MERGE
from pipelines.stages.merge import merged_files
from pipelines.stages.tokens import STAGE as TOKENS
from storage.places import Place
from tokenization.mixtures import member_column
from tokenization.shards import (
    GRADES,
    ROWS_A_BATCH,
    TOKENS_A_BATCH,
    coded,
    shard_name,
    shard_schema,
    with_columns_of,
    write_shard,
)
from tokenization.sorted_rows import SortedRows, merged

STAGE: Final = "shards"


def shard_tasks(run: RunFolder) -> list[str]:
    """One task a shard: `mixture/component/number`."""
    return [
        f"{name}/{component.name}/{number:05d}"
        for name, mixture in run.recipe.mixtures.items()
        for component in mixture.components
        for number in range(mixture.shards)
    ]


def shard_path(run: RunFolder, task: str) -> Place:
    """Where the shard of a task lies in the run."""
    mixture, component, number = task.split("/")
    return run.path / "shards" / mixture / component / shard_name(int(number), run.recipe.mixtures[mixture].shards)


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    mixture = run.recipe.mixtures[task.split("/")[0]]
    return {
        "kind": mixture.kind,
        "shards": mixture.shards,
        "sources": [source.name for source in run.recipe.sources],
    }


@stage(
    STAGE,
    title="shuffle and shard",
    after=(MERGE,),
    cut="keys",
    unit="shards",
    tasks=shard_tasks,
    reads=lambda run, task: [Outputs(stage, ending=".arrow") for stage in (TOKENS, MERGE)],
    writes=lambda run, task: [shard_path(run, task)],
    settings=_settings,
    version=2,  # both sides of pairs are counted
)
def write_shard_rows(run: RunFolder, task: str) -> dict[str, Any]:
    """Gather the rows of one shard from all partitions, in the order of their keys, batch by batch."""
    mixture, component, number = task.split("/")
    low, high = _key_range(int(number), run.recipe.mixtures[mixture].shards)
    schema = shard_schema(run.recipe.mixtures[mixture].kind)
    names = {"source": [source.name for source in run.recipe.sources], "authority": list(GRADES)}
    path = shard_path(run, task)
    files = _opened(run, run.identity, member_column(mixture, component))
    rows = merged(files, ROWS_A_BATCH, TOKENS_A_BATCH, low, high)
    return write_shard(path, (_of_kind(table, schema, names) for table in rows), schema)


@lru_cache(maxsize=1)
def _opened(run: RunFolder, identity: str, member: str) -> list[SortedRows]:
    """The files that every shard of a component reads of, left open in a process until others are asked for."""
    return [SortedRows(one, member) for one in merged_files(run)]


def _of_kind(rows: pa.Table, schema: pa.Schema, names: dict[str, list[str]]) -> pa.Table:
    """Rows with the columns of a shard, and names for the numbers of source and grade."""
    rows = with_columns_of(rows, schema)
    for name, told in names.items():
        column = coded(rows.column(name), told, schema.field(name).type.index_type)
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows.select(schema.names)


def _key_range(number: int, shards: int) -> tuple[int, int]:
    """Keys from (inclusive) and to (exclusive) of a shard; the same cut as `shard_numbers`."""
    low, high = (-((-one << 32) // shards) << 32 for one in (number, number + 1))
    return low, high
