"""Index the benchmarks that must not stand in the corpus."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import polars as pl

from dedup.contamination_index import ContaminationIndex, build_index, load_index, save_index
from pipelines.run_folder import RunFolder
from pipelines.stage import stage
from schemas.benchmark import BenchmarkItem
from sources.benchmark_items import read_items
from sources.inputs import check_unchanged
from storage.places import Place, make_folder

STAGE: Final = "benchmarks"
INDEX: Final = "index.npz"
ITEMS: Final = "index.items.parquet"


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    wanted = run.recipe.decontaminate
    return {
        "files": [file.told() for file in run.plan.benchmarks],
        "columns": {one.name: one.columns for one in wanted.benchmarks} if wanted else {},
        "ngram": wanted.ngram if wanted else 0,
    }


@stage(
    STAGE,
    title="index the benchmarks",
    cut="one",
    unit="index",
    tasks=lambda run: ["index"] if run.recipe.decontaminate else [],
    writes=lambda run, task: [run.stage_file(STAGE, INDEX), run.stage_file(STAGE, ITEMS)],
    settings=_settings,
)
def index_benchmarks(run: RunFolder, task: str) -> dict[str, Any]:
    """Read all benchmark items and write the index that every partition loads."""
    wanted = run.recipe.decontaminate
    items: list[BenchmarkItem] = []
    columns = {one.name: one.columns for one in wanted.benchmarks} if wanted else {}
    for file in run.plan.benchmarks:
        check_unchanged(file)
        items.extend(read_items(file.source, file.location, columns[file.source]))
    path = run.stage_file(STAGE, INDEX)
    make_folder(path.parent)
    index = build_index(items, wanted.ngram if wanted else 13)
    save_index(index, path)
    counts = index.items.group_by("benchmark").agg(pl.len(), (~pl.col("checkable")).sum().alias("unchecked"))
    return {"items": {row[0]: [row[1], row[2]] for row in counts.sort("benchmark").iter_rows()}}


@lru_cache(maxsize=1)
def _index(path: Place, identity: str) -> ContaminationIndex:
    return load_index(path)


def benchmark_index(run: RunFolder) -> ContaminationIndex | None:
    """The index, loaded once a process; None where the recipe names no benchmark."""
    if run.recipe.decontaminate is None:
        return None
    return _index(run.stage_file(STAGE, INDEX), run.identity)
