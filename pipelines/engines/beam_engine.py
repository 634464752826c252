"""Apache Beam: the whole graph as one pipeline of PTransforms, with a real GroupByKey where rows are grouped.

Every task calls the same function as on the other engines. A stage waits for those before it by a
side input. Where a stage declares a `Grouping`, its rows become (key, row) pairs that Beam groups; the
edges of each key are grouped again and written by the stage's own writer. What follows `--` goes to
Beam as it is, so the same graph runs on Direct, Prism, Flink, Spark and Dataflow, given a run folder
that all workers see.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import polars as pl

from dedup.clustering import EDGES
from pipelines.engines.engine import engine
from pipelines.engines.quiet_workers import quiet_workers
from pipelines.run_folder import RunFolder
from pipelines.stage import STAGES, Grouping, Stage
from pipelines.tasks import finish_task, is_done, opened, perform, take_over, waves_left
from schemas.errors import CurateError, WrongCall
from storage.places import Place, place
from storage.same_imports import children_import_alike

NAMED_ERROR: Final = re.compile(r"(?:[\w.]+\.)?\w*(?:Error|Exception|Unreadable|WrongCall|Interrupt)\b")
ENDING: Final = re.compile(r" \[while running '.*$")  # Beam's own name of the place


def perform_after(task: str, folder: str, stage: str, before: Any) -> tuple[str, int]:
    """One task, as Beam calls it; `before` is the side input that makes it wait."""
    counts = perform(place(folder), stage, task)
    return task, int(counts.get("documents", 0))


def grouped_pairs(part: int, folder: str, stage: str, before: Any) -> Iterator[tuple[tuple[str, str], int]]:
    """((key, value), row) of every value of one file of rows, for keys not yet done."""
    run = opened(place(folder))
    left = [key for key in STAGES.get(stage).tasks(run) if not take_over(run, stage, key)]
    if not left:
        return
    frame = _grouping(stage).rows(run, part, left)
    rows = frame["row"].to_list()
    for key in left:
        for row, value in zip(rows, frame[key].to_list(), strict=True):
            if value is not None:
                yield (key, str(value)), row


def _grouping(stage: str) -> Grouping:
    grouping = STAGES.get(stage).grouping
    assert grouping is not None
    return grouping


def star(grouped: tuple[tuple[str, str], Iterable[int]]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Edges of one group to its smallest row, keyed by the column that grouped it."""
    (key, _), members = grouped
    rows = sorted(set(members))
    for other in rows[1:]:
        yield key, (rows[0], other)


def write_grouped(grouped: tuple[str, Iterable[tuple[int, int]]], folder: str, stage: str) -> str:
    """Write the edges of one key as the other engines do, and mark it done."""
    key, edges = grouped
    run = opened(place(folder))
    if not is_done(run, stage, key):
        frame = pl.DataFrame(sorted(set(edges)), schema=EDGES, orient="row")
        finish_task(run, stage, key, _grouping(stage).write(run, key, frame))
    return key


@engine("beam")
def run_beam(folder: Place, workers: int, options: Sequence[str]) -> None:
    """Run all stages as one Beam pipeline; `options` are Beam's pipeline options."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # on import it tells of Google's libraries that are not there
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise WrongCall("engine beam needs Apache Beam: pip install 'curate-medical[beam]'") from None
    finally:
        logging.disable(before)
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    given = list(options)
    workers = max(1, min(workers, len(RunFolder(folder).plan.partitions)))
    if not any(option.startswith("--runner") for option in given):
        given += ["--runner=DirectRunner"]
    if "--runner=DirectRunner" in given and not any(option.startswith("--direct_") for option in given):
        mode = "in_memory" if workers == 1 else "multi_processing"
        given += [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}"]
    try:
        parsed = PipelineOptions(given)
        pipeline = beam.Pipeline(options=parsed)
    except (SystemExit, ValueError) as error:
        raise WrongCall(f"Beam does not take these options: {' '.join(given)} ({error})") from None
    run = RunFolder(folder)
    _build(pipeline, run)
    try:
        with children_import_alike(), quiet_workers("apache_beam"):
            pipeline.run().wait_until_finish()
    except CurateError:
        raise
    except Exception as error:
        raise CurateError(f"Beam: {_cause(error)}") from error
    _check(run)


def _cause(error: Exception) -> str:
    """What went wrong in a worker: Beam's errors hold its whole traceback, of which the last line of all tells it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if NAMED_ERROR.match(line)]
    told = (named or lines or [type(error).__name__])[-1]
    return ENDING.sub("", told)


def _build(pipeline: Any, run: RunFolder) -> None:
    """The graph of what is left: every wave of tasks a Map, or a grouping, that waits for the wave before it."""
    import apache_beam as beam

    folder = str(run.path)
    waiting = pipeline | "start" >> beam.Create([0])
    for number, (stage, tasks) in enumerate(waves_left(run)):
        if stage.grouping is not None:
            waiting = _grouped(pipeline, stage, run, folder, waiting)
        else:
            waiting = _mapped(pipeline, f"{number} {stage.name}", stage, tasks, folder, waiting)


def _mapped(pipeline: Any, label: str, stage: Stage, tasks: list[str], folder: str, before: Any) -> Any:
    import apache_beam as beam

    done = (
        pipeline
        | f"{label}: tasks" >> beam.Create(tasks, reshuffle=True)
        | f"{label}: perform" >> beam.Map(perform_after, folder, stage.name, beam.pvalue.AsSingleton(before))
    )
    return done | f"{label}: all done" >> beam.CombineGlobally(beam.combiners.CountCombineFn())


def _grouped(pipeline: Any, stage: Stage, run: RunFolder, folder: str, before: Any) -> Any:
    import apache_beam as beam

    name = stage.name
    pairs = (
        pipeline
        | f"{name}: parts" >> beam.Create(list(range(_grouping(name).parts(run))), reshuffle=True)
        | f"{name}: rows" >> beam.FlatMap(grouped_pairs, folder, name, beam.pvalue.AsSingleton(before))
    )
    edges = pairs | f"{name}: by value" >> beam.GroupByKey() | f"{name}: edges" >> beam.FlatMap(star)
    # A key without any equal pair still needs its (empty) file.
    named = (
        pipeline
        | f"{name}: keys" >> beam.Create(stage.tasks(run))
        | f"{name}: named" >> beam.Map(lambda key: (key, None))
    )
    written = (
        (edges, named)
        | f"{name}: with all keys" >> beam.Flatten()
        | f"{name}: by key" >> beam.GroupByKey()
        | f"{name}: drop names" >> beam.MapTuple(lambda key, found: (key, [one for one in found if one is not None]))
        | f"{name}: write" >> beam.Map(write_grouped, folder, name)
    )
    return written | f"{name}: all done" >> beam.CombineGlobally(beam.combiners.CountCombineFn())


def _check(run: RunFolder) -> None:
    for stage, tasks in waves_left(run):
        task = next(task for task in tasks if not is_done(run, stage.name, task))
        raise CurateError(f"Beam ended without performing {stage.name} {task}; run the same command again")
