"""Join the token files of many partitions into few, so that no shard opens one file a partition.

A tree: each task joins up to `FAN_IN` files whose rows lie in the order of their keys into one such
file. A corpus of up to `FAN_IN` partitions has no such task.
"""

from __future__ import annotations

from typing import Any, Final

from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, stage
from pipelines.stages.tokens import STAGE as TOKENS
from storage.places import Place
from tokenization.sorted_rows import merge_into

STAGE: Final = "merge"
FAN_IN: Final = 16


def level_sizes(partitions: int, fan_in: int = FAN_IN) -> list[int]:
    """How many files each level of the tree writes; none where there are few enough partitions."""
    sizes: list[int] = []
    while partitions > fan_in:
        partitions = -(-partitions // fan_in)
        sizes.append(partitions)
    return sizes


def levels(run: RunFolder) -> list[list[str]]:
    """Tasks of each level, `level-number`."""
    sizes = level_sizes(len(run.plan.partitions))
    return [[f"{level}-{number:05d}" for number in range(size)] for level, size in enumerate(sizes)]


def merged_files(run: RunFolder) -> list[Place]:
    """The files that shards gather their rows from: the tree's last, or the partitions' own."""
    top = levels(run)[-1:]
    if top:
        return [run.stage_file(STAGE, f"{task}.arrow") for task in top[0]]
    return [run.stage_file(TOKENS, f"{run.partition_name(n)}.arrow") for n in range(len(run.plan.partitions))]


def _joined(run: RunFolder, task: str) -> list[tuple[str, str]]:
    """Stage and task of the files that a task joins."""
    level, number = (int(part) for part in task.split("-"))
    below = level_sizes(len(run.plan.partitions))[level - 1] if level else len(run.plan.partitions)
    members = range(number * FAN_IN, min((number + 1) * FAN_IN, below))
    return [(STAGE, f"{level - 1}-{one:05d}") if level else (TOKENS, run.partition_name(one)) for one in members]


@stage(
    STAGE,
    title="join token files",
    version=2,
    after=(TOKENS,),
    cut="tree",
    unit="files",
    levels=levels,
    reads=lambda run, task: [Outputs(name, one, ".arrow") for name, one in _joined(run, task)],
    writes=lambda run, task: [run.stage_file(STAGE, f"{task}.arrow")],
)
def join_files(run: RunFolder, task: str) -> dict[str, Any]:
    """Join sorted files into one sorted file, batch by batch."""
    rows = merge_into(
        run.stage_file(STAGE, f"{task}.arrow"),
        [run.stage_file(name, f"{one}.arrow") for name, one in _joined(run, task)],
    )
    return {"rows": rows}
