"""What a stage is: declared once, in its own file; engines, plan, progress and clean-up follow from that.

    @stage(
        "annotate",
        title="run the steps, take fingerprints",
        after=("read", "classifiers"),
        tasks=partitions,
        reads=lambda run, task: [Outputs("read", task)],
        writes=lambda run, task: [run.stage_file("annotate", f"{task}.parquet")],
        settings=lambda run, task: {"steps": …},
    )
    def annotate_partition(run: RunFolder, task: str) -> dict[str, Any]: ...

A task is a function of what it reads and of its settings, and of nothing else: so what one run has
done another can take over wherever both are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from pipelines.run_folder import RunFolder
from plugins.registry import Registry
from storage.places import Place

# One task; one a partition of the inputs; one a key under which rows of all partitions meet; or levels
# of tasks, each joining a few outputs of the level before.
Cut = Literal["one", "partitions", "keys", "tree"]
Work = Callable[[RunFolder, str], dict[str, Any]]
EVERY: Final = "*"


@dataclass(frozen=True)
class Outputs:
    """What a task reads of another stage: the outputs of one task or of every one, by the end of their names.

    Without an ending or counts it reads all of them, and all counts beside.
    """

    stage: str
    task: str = EVERY
    ending: str = ""
    counts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grouping:
    """How a stage of cut `keys` groups rows, for engines that group by themselves.

    `parts`: how many files of rows there are. `rows(run, part, keys)`: columns row and each key's.
    `write(run, key, edges)`: write what was found under one key, as the stage's own work does.
    """

    parts: Callable[[RunFolder], int]
    rows: Callable[[RunFolder, int, list[str]], pl.DataFrame]
    write: Callable[[RunFolder, str, pl.DataFrame], dict[str, Any]]


def _nothing(run: RunFolder, task: str) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Stage:
    """A stage of the graph.

    `settings` are the parts of recipe and plan that its result depends on; `version` counts up with
    every change of what its code makes of the same input; `still` asks whether what a finished task
    noted of the code it used (readers, say) holds today.
    """

    name: str
    title: str
    work: Work
    tasks: Callable[[RunFolder], list[str]]
    reads: Callable[[RunFolder, str], list[Outputs]]
    writes: Callable[[RunFolder, str], list[Place]]
    settings: Callable[[RunFolder, str], Mapping[str, Any]]
    after: tuple[str, ...]
    cut: Cut
    unit: str
    version: int
    still: Callable[[Mapping[str, Any]], bool]
    grouping: Grouping | None
    levels: Callable[[RunFolder], list[list[str]]]


STAGES: Registry[Stage] = Registry("stage", ("pipelines.stages",))


def stage(
    name: str,
    *,
    title: str,
    writes: Callable[[RunFolder, str], list[Place]],
    tasks: Callable[[RunFolder], list[str]] | None = None,
    reads: Callable[[RunFolder, str], list[Outputs]] = lambda run, task: [],
    settings: Callable[[RunFolder, str], Mapping[str, Any]] = _nothing,
    after: Iterable[str] = (),
    cut: Cut = "partitions",
    unit: str = "partitions",
    version: int = 1,
    still: Callable[[Mapping[str, Any]], bool] = lambda counts: True,
    grouping: Grouping | None = None,
    levels: Callable[[RunFolder], list[list[str]]] | None = None,
) -> Callable[[Work], Work]:
    """Register a function on one task as a stage; it names its `tasks`, or, as a tree, their `levels`."""
    if levels is not None:
        in_waves = levels
        all_tasks: Callable[[RunFolder], list[str]] = lambda run: [task for level in levels(run) for task in level]  # noqa: E731
    elif tasks is not None:
        in_waves, all_tasks = (lambda run: [tasks(run)]), tasks
    else:
        raise ValueError(f"stage {name!r} has neither tasks nor levels")

    def register(work: Work) -> Work:
        STAGES.add(
            name,
            Stage(
                name, title, work, all_tasks, reads, writes, settings, tuple(after), cut, unit, version, still,
                grouping, in_waves,
            ),
        )  # fmt: skip
        return work

    return register


def in_order() -> list[Stage]:
    """All stages, each behind those it waits for; where the graph leaves a choice, by name."""
    left = dict(STAGES.items())
    ordered: list[Stage] = []
    while left:
        ready = [one for one in left.values() if not any(before in left for before in one.after)]
        if not ready:
            raise ValueError(f"stages wait for each other: {', '.join(sorted(left))}")
        ordered.append(ready[0])
        del left[ready[0].name]
    return ordered


def partitions(run: RunFolder) -> list[str]:
    """One task a partition of the inputs."""
    return [run.partition_name(number) for number in range(len(run.plan.partitions))]


def waves(run: RunFolder) -> Iterator[tuple[Stage, list[str]]]:
    """Every stage with tasks that may be performed side by side, in order; a tree gives one a level."""
    for one in in_order():
        for tasks in one.levels(run):
            if tasks:
                yield one, tasks
