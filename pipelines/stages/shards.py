"""Gather rows into shards: each takes its range of keys, so that the order is one global shuffle."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, stage
from pipelines.stages.merge import STAGE as MERGE
from pipelines.stages.merge import merged_files
from pipelines.stages.tokens import STAGE as TOKENS
from storage.places import Place
from tokenization.mixtures import member_column
from tokenization.shards import (
    GRADES,
    coded,
    open_shard,
    shard_facts,
    shard_name,
    shard_schema,
    with_columns_of,
    write_shard,
)

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
)
def write_shard_rows(run: RunFolder, task: str) -> dict[str, Any]:
    """Gather the rows of one shard from all partitions, in the order of their keys."""
    mixture, component, number = task.split("/")
    shards = run.recipe.mixtures[mixture].shards
    low, high = _key_range(int(number), shards)
    member = member_column(mixture, component)
    schema = shard_schema(run.recipe.mixtures[mixture].kind)
    parts = []
    for path in merged_files(run):
        table = open_shard(path)
        if not table.num_rows:
            continue
        keys = table.column("key").combine_chunks().to_numpy()
        start, stop = np.searchsorted(keys, [low, high])
        rows = table.slice(start, stop - start)
        times = rows.column(member).to_numpy()
        taken = with_columns_of(rows.take(np.repeat(np.arange(len(times)), times)), schema)
        parts.append(taken.select(["key", *schema.names]))
    rows = _in_order(parts, schema, [source.name for source in run.recipe.sources])
    path = shard_path(run, task)
    write_shard(path, rows, schema)
    return shard_facts(path, rows)


def _in_order(parts: list[pa.Table], schema: pa.Schema, sources: list[str]) -> pa.Table:
    """The rows of a shard by key and id, with names for the numbers of source and grade."""
    if not parts:
        return schema.empty_table()
    table = pa.concat_tables(parts)
    table = table.take(pc.sort_indices(table, [("key", "ascending"), ("doc_id", "ascending")]))
    for name, names, kind in (("source", sources, pa.int16()), ("authority", GRADES, pa.int8())):
        table = table.set_column(table.schema.get_field_index(name), name, coded(table.column(name), names, kind))
    return table.select(schema.names)


def _key_range(number: int, shards: int) -> tuple[np.uint64, np.uint64]:
    """Keys from (inclusive) and to (exclusive) of a shard; the same cut as `shard_numbers`."""
    low = -((-number << 32) // shards)
    high = -((-(number + 1) << 32) // shards)
    return np.uint64(low << 32), np.uint64(min(high << 32, 2**64 - 1))
