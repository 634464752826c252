"""The stage graph: what runs after what, and how one task of a stage is performed exactly once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.run_folder import RunFolder
from pipelines.stages import classifiers, curate, group, paragraphs, read, tokens
from storage.json_files import read_json, write_json
from storage.memory import keep_freed_pages

Work = Callable[[RunFolder, str], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """A stage: a function on one task, and the tasks of a run; all of them may run side by side."""

    name: str
    title: str
    tasks: Callable[[RunFolder], list[str]]
    work: Work
    unit: str = "partitions"


def _partitions(run: RunFolder) -> list[str]:
    return [run.partition_name(number) for number in range(len(run.plan.partitions))]


def _one(name: str) -> Callable[[RunFolder], list[str]]:
    return lambda run: [name]


def _benchmark_tasks(run: RunFolder) -> list[str]:
    return ["index"] if run.recipe.decontaminate else []


STAGES: Final = (
    Stage(classifiers.STAGE, "train the classifiers", classifiers.classifier_names, classifiers.train, "classifiers"),
    Stage(read.STAGE, "read, annotate, filter, fingerprint", _partitions, read.read_partition),
    Stage(curate.BENCHMARK_STAGE, "index the benchmarks", _benchmark_tasks, curate.index_benchmarks, "index"),
    Stage(group.STAGE, "group equal fingerprints", group.group_keys, group.group_band, "keys"),
    Stage(group.CLUSTER_STAGE, "cluster and choose", _one("clusters"), group.cluster, "tables"),
    Stage(paragraphs.STAGE, "find repeated lines", paragraphs.tasks, paragraphs.find_repeated, "parts"),
    Stage(curate.STAGE, "apply the choice, decontaminate, write the corpus", _partitions, curate.curate_partition),
    Stage(tokens.TOKENIZER_STAGE, "prepare the tokenizer", _one("tokenizer"), tokens.prepare_tokenizer, "tokenizer"),
    Stage(tokens.STAGE, "tokenize", _partitions, tokens.tokenize_partition),
    Stage(tokens.SHARD_STAGE, "shuffle and shard", tokens.shard_tasks, tokens.write_shard_rows, "shards"),
)
BY_NAME: Final = {stage.name: stage for stage in STAGES}


def marker(run: RunFolder, stage: str, task: str) -> Path:
    """The file that says a task is done, and holds its counts."""
    return run.stage_file(stage, f"{task.replace('/', '~')}.json")


def is_done(run: RunFolder, stage: str, task: str) -> bool:
    """Whether a task has been performed in this run."""
    return marker(run, stage, task).exists()


def perform(folder: Path, stage_name: str, task: str) -> dict[str, Any]:
    """Perform one task unless it is done; its marker is written last, so a killed task runs again."""
    run = opened(folder)
    path = marker(run, stage_name, task)
    if path.exists():
        return dict(read_json(path))
    started = time.perf_counter()
    counts = BY_NAME[stage_name].work(run, task)
    write_json(path, counts, indent=None)
    run.log("task", stage=stage_name, task=task, seconds=round(time.perf_counter() - started, 3), pid=os.getpid())
    return counts


_RUNS: dict[tuple[Path, int], RunFolder] = {}


def opened(folder: Path) -> RunFolder:
    """The run of this folder, opened once a process: recipe, plan and models are kept."""
    key = (folder, (folder / "plan.json").stat().st_mtime_ns)
    if key not in _RUNS:
        keep_freed_pages()
        _RUNS[key] = RunFolder(folder)
    return _RUNS[key]


def counts_of(run: RunFolder, stage: str) -> list[dict[str, Any]]:
    """Counts of every task of a finished stage, in the order of its tasks."""
    return [dict(read_json(marker(run, stage, task))) for task in BY_NAME[stage].tasks(run)]
