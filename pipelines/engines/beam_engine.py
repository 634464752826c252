"""Apache Beam: the whole graph as one pipeline of PTransforms, with a real GroupByKey for candidates.

Every task calls the same function as on the other engines. A stage waits for the one before it by
a side input. Fingerprints become (key, id) pairs that Beam groups; the edges of each column are
grouped again and written by the same writer. What follows `--` goes to Beam as it is, so the same
graph runs on Direct, Prism, Flink, Spark and Dataflow, given a run folder that all workers see.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dedup.clustering import EDGES
from pipelines.engines.engine import engine
from pipelines.graph import STAGES, Stage, is_done, marker, opened, perform
from pipelines.run_folder import RunFolder
from pipelines.stages import group
from schemas.errors import CurateError, WrongCall
from storage.json_files import write_json


def perform_after(task: str, folder: str, stage: str, before: Any) -> tuple[str, int]:
    """One task, as Beam calls it; `before` is the side input that makes it wait."""
    counts = perform(Path(folder), stage, task)
    return task, int(counts.get("documents", 0))


def fingerprint_pairs(number: int, folder: str, before: Any) -> Iterator[tuple[tuple[str, str], int]]:
    """((column, value), row) of every fingerprint of one file, for columns not yet grouped."""
    run = opened(Path(folder))
    left = [key for key in group.group_keys(run) if not is_done(run, group.STAGE, key)]
    first = group.row_offsets(run)[number]
    frame = pl.read_parquet(group.print_files(run)[number], columns=left) if left else pl.DataFrame()
    for key in left:
        for row, value in enumerate(frame[key].to_list(), first):
            if value is not None:
                yield (key, str(value)), row


def star(grouped: tuple[tuple[str, str], Iterable[int]]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Edges of one group to its smallest row, keyed by fingerprint column."""
    (key, _), members = grouped
    rows = sorted(set(members))
    for other in rows[1:]:
        yield key, (rows[0], other)


def write_grouped(grouped: tuple[str, Iterable[tuple[int, int]]], folder: str) -> str:
    """Write the edges of one column as the other engines do, and mark it done."""
    key, edges = grouped
    run = opened(Path(folder))
    frame = pl.DataFrame(sorted(set(edges)), schema=EDGES, orient="row")
    write_json(marker(run, group.STAGE, key), group.write_edges(run, key, frame), indent=None)
    return key


@engine("beam")
def run_beam(folder: Path, workers: int, options: Sequence[str]) -> None:
    """Run all stages as one Beam pipeline; `options` are Beam's pipeline options."""
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise WrongCall("engine beam needs Apache Beam: pip install 'curate-medical[beam]'") from None
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    given = list(options)
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
    _build(pipeline, RunFolder(folder))
    try:
        pipeline.run().wait_until_finish()
    except CurateError:
        raise
    except Exception as error:
        raise CurateError(f"Beam: {error}") from error
    _check(RunFolder(folder))


def _build(pipeline: Any, run: RunFolder) -> None:
    """The graph: every stage a Map over its tasks, waiting for the stages before it."""
    import apache_beam as beam

    folder = str(run.path)
    waiting = pipeline | "start" >> beam.Create([0])
    for stage in STAGES:
        if stage.name == group.STAGE:
            waiting = _grouping(pipeline, run, folder, waiting)
        elif stage.tasks(run):
            waiting = _tasks(pipeline, stage, run, folder, waiting)


def _print_numbers(run: RunFolder) -> list[int]:
    earlier = sum(len(other.plan.partitions) for other in run.against)
    return list(range(len(run.plan.partitions) + earlier))


def _tasks(pipeline: Any, stage: Stage, run: RunFolder, folder: str, before: Any) -> Any:
    import apache_beam as beam

    done = (
        pipeline
        | f"{stage.name}: tasks" >> beam.Create(stage.tasks(run), reshuffle=True)
        | f"{stage.name}: perform" >> beam.Map(perform_after, folder, stage.name, beam.pvalue.AsSingleton(before))
    )
    return done | f"{stage.name}: all done" >> beam.CombineGlobally(beam.combiners.CountCombineFn())


def _grouping(pipeline: Any, run: RunFolder, folder: str, before: Any) -> Any:
    import apache_beam as beam

    keys = group.group_keys(run)
    pairs = (
        pipeline
        | "group: partitions" >> beam.Create(_print_numbers(run), reshuffle=True)
        | "group: fingerprints" >> beam.FlatMap(fingerprint_pairs, folder, beam.pvalue.AsSingleton(before))
    )
    edges = pairs | "group: by fingerprint" >> beam.GroupByKey() | "group: edges" >> beam.FlatMap(star)
    # A column without any equal pair still needs its (empty) file.
    empty = pipeline | "group: columns" >> beam.Create([key for key in keys if not is_done(run, group.STAGE, key)])
    named = empty | "group: named" >> beam.Map(lambda key: (key, None))
    written = (
        (edges, named)
        | "group: with all columns" >> beam.Flatten()
        | "group: by column" >> beam.GroupByKey()
        | "group: drop names" >> beam.MapTuple(lambda key, found: (key, [one for one in found if one is not None]))
        | "group: write" >> beam.Map(write_grouped, folder)
    )
    return written | "group: all done" >> beam.CombineGlobally(beam.combiners.CountCombineFn())


def _check(run: RunFolder) -> None:
    for stage in STAGES:
        for task in stage.tasks(run):
            if not is_done(run, stage.name, task):
                raise CurateError(f"Beam ended without performing {stage.name} {task}; run the same command again")
