"""One task, performed once: its key, its marker, and what an earlier run has done of it already.

A task's key is the digest of what it depends on: the stage and its version, its settings, and the
digests of the outputs it reads. Its marker, written last, holds the key, the counts, and the size
and SHA-256 of each file it wrote. A task whose key another marker has, and whose files are what that
marker says, is taken over and not performed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from pipelines.run_folder import RunFolder
from pipelines.stage import EVERY, STAGES, Outputs, Stage, waves
from schemas.canonical import canonical_digest
from schemas.errors import CurateError
from storage.fingerprints import sha256_file
from storage.json_files import read_whole_json, write_json
from storage.lease import end_with_holder
from storage.memory import forget_peak, keep_freed_pages, peak_bytes, release_freed_pages
from storage.places import Place, is_local
from storage.publishing import link_or_copy

MARKER_VERSION: Final = 1
TAKEN_OVER_FIRST: Final = 1 << 30  # bytes that are hashed in a second, where workers take four to start


def marker(run: RunFolder, stage: str, task: str) -> Place:
    """The file that says a task is done, and holds its counts."""
    return run.stage_file(stage, f"{task.replace('/', '~')}.json")


def _told(run: RunFolder, stage: str, task: str) -> dict[str, Any] | None:
    told = read_whole_json(marker(run, stage, task))
    whole = isinstance(told, dict) and {"run", "key", "counts", "files"} <= set(told)
    return told if whole else None


_DONE: dict[tuple[str, str, str, str], dict[str, Any]] = {}


def done(run: RunFolder, stage: str, task: str) -> dict[str, Any] | None:
    """The marker of a task that this run has performed or taken over; None where it is still to do."""
    at = (str(run.path), run.identity, stage, task)
    if at not in _DONE:
        told = _told(run, stage, task)
        if told is None or told["run"] != run.identity or not _sizes_hold(run, told["files"]):
            return None
        _DONE[at] = told
    return _DONE[at]


def is_done(run: RunFolder, stage: str, task: str) -> bool:
    """Whether a task has been performed in this run."""
    return done(run, stage, task) is not None


def waves_left(run: RunFolder) -> list[tuple[Stage, list[str]]]:
    """The waves of tasks of which some are still to do, whole."""
    return [(stage, tasks) for stage, tasks in waves(run) if not all(is_done(run, stage.name, task) for task in tasks)]


def counts_of(run: RunFolder, stage: str) -> list[dict[str, Any]]:
    """Counts of every task of a finished stage, in the order of its tasks."""
    return [dict(_finished(run, stage, task)["counts"]) for task in STAGES.get(stage).tasks(run)]


def files_of(run: RunFolder, stage: str, ending: str = "") -> dict[str, tuple[int, str]]:
    """Bytes and SHA-256 of every output of a finished stage, by its path in the run's folder."""
    tasks = STAGES.get(stage).tasks(run)
    listed = (item for task in tasks for item in _finished(run, stage, task)["files"].items())
    return {path: (size, digest) for path, (size, digest) in listed if path.endswith(ending)}


def _finished(run: RunFolder, stage: str, task: str) -> dict[str, Any]:
    told = done(run, stage, task)
    if told is None:
        raise CurateError(f"{marker(run, stage, task)} is missing or damaged; run the same command again")
    return told


def perform(folder: Place, stage_name: str, task: str) -> dict[str, Any]:
    """Perform one task unless it is done; its marker is written last, so a killed task runs again."""
    run = opened(folder)
    if not take_over(run, stage_name, task):
        started = time.perf_counter()
        _between_stages(stage_name)
        forget_peak()
        finish_task(run, stage_name, task, STAGES.get(stage_name).work(run, task), started)
    return dict(_finished(run, stage_name, task)["counts"])


_LAST_STAGE: list[str] = []


def _between_stages(stage: str) -> None:
    """What this process kept of an earlier stage's memory is let go."""
    if _LAST_STAGE and _LAST_STAGE[-1] != stage:
        release_freed_pages()
    _LAST_STAGE[:] = [stage]


def take_over(run: RunFolder, stage_name: str, task: str) -> bool:
    """Whether a task needs no work: it is done, or an earlier run's outputs of the same key are taken over."""
    if is_done(run, stage_name, task):
        return True
    stage = STAGES.get(stage_name)
    key = key_of(run, stage, task)
    started = time.perf_counter()
    origin, told = _earlier_of(run, stage, task, key)
    if told is None:
        return False
    _mark(run, stage_name, task, {**told, "key": key}, started, origin)
    return True


def take_over_first(run: RunFolder) -> None:
    """Take over what comes before the first task that needs work, so that no worker is started for it.

    Up to `TAKEN_OVER_FIRST` bytes of outputs, whose checksums are taken here; more is left to the workers, as is all
    that lies in a store and would be fetched for it.
    """
    if not is_local(run.path):
        return
    size = 0
    for stage, tasks in waves(run):
        for task in tasks:
            if size > TAKEN_OVER_FIRST or not take_over(run, stage.name, task):
                return
            size += sum(size for size, _ in _finished(run, stage.name, task)["files"].values())


def finish_task(
    run: RunFolder, stage_name: str, task: str, counts: dict[str, Any], started: float | None = None
) -> None:
    """Mark a task as done whose files are written."""
    stage = STAGES.get(stage_name)
    told = {"counts": counts, "files": _written(run, stage.writes(run, task)), "key": key_of(run, stage, task)}
    _mark(run, stage_name, task, told, time.perf_counter() if started is None else started)


def _mark(run: RunFolder, stage: str, task: str, told: dict[str, Any], started: float, origin: str = "") -> None:
    write_json(marker(run, stage, task), {**told, "run": run.identity, "taken_from": origin}, indent=None)
    seconds = round(time.perf_counter() - started, 3)
    more = {"taken_from": origin} if origin else {}
    run.log("task", stage=stage, task=task, seconds=seconds, pid=os.getpid(), peak_bytes=peak_bytes(), **more)


def key_of(run: RunFolder, stage: Stage, task: str) -> str:
    """Digest of all that a task's outputs depend on; the tasks it reads from must be done."""
    return canonical_digest(
        {
            "stage": stage.name,
            "version": [MARKER_VERSION, stage.version],
            "task": task,
            "settings": stage.settings(run, task),
            "reads": [_read_digest(run, one) for one in stage.reads(run, task)],
        }
    )


def _read_digest(run: RunFolder, outputs: Outputs) -> Any:
    if outputs.task == EVERY:
        return _stage_digest(run, run.identity, outputs)
    return _task_content(run, outputs, outputs.task)


@lru_cache(maxsize=256)
def _stage_digest(run: RunFolder, identity: str, outputs: Outputs) -> str:
    """One digest of what is read of every task of a stage, made once a process."""
    return canonical_digest([_task_content(run, outputs, task) for task in STAGES.get(outputs.stage).tasks(run)])


def _task_content(run: RunFolder, outputs: Outputs, task: str) -> list[Any]:
    told = _finished(run, outputs.stage, task)
    files = [[path, digest] for path, (_, digest) in sorted(told["files"].items()) if path.endswith(outputs.ending)]
    if outputs.counts:
        return [files if outputs.ending else [], {name: told["counts"][name] for name in outputs.counts}]
    return files if outputs.ending else [files, told["counts"]]


def _earlier_of(run: RunFolder, stage: Stage, task: str, key: str) -> tuple[str, dict[str, Any] | None]:
    """A finished task of the same key in this folder or an earlier run's, its files brought here; and whose."""
    for other in (run, *run.reused):
        told = _told(other, stage.name, task)
        if told is None or told["key"] != key or not stage.still(told["counts"]):
            continue
        if not _content_holds(other, told["files"]):
            continue
        if other is not run:
            for path in told["files"]:
                link_or_copy(other.path / path, run.path / path)
        return str(other.path), {"counts": told["counts"], "files": told["files"]}
    return "", None


def _written(run: RunFolder, paths: Iterable[Place]) -> dict[str, list[Any]]:
    return {
        path.relative_to(run.path).as_posix(): [path.stat().st_size, sha256_file(path)]
        for path in paths
        if path.exists()
    }


def _sizes_hold(run: RunFolder, files: dict[str, list[Any]]) -> bool:
    try:
        return all((run.path / path).stat().st_size == size for path, (size, _) in files.items())
    except OSError:
        return False


def _content_holds(run: RunFolder, files: dict[str, list[Any]]) -> bool:
    """Whether the files are there and are byte for byte what their marker says."""
    return _sizes_hold(run, files) and all(
        sha256_file(run.path / path) == digest for path, (_, digest) in files.items()
    )


_RUNS: dict[tuple[str, int], RunFolder] = {}


def opened(folder: Place) -> RunFolder:
    """The run of this folder, opened once a process: recipe, plan and models are kept."""
    status = (folder / "plan.json").stat()
    key = (str(folder), int(getattr(status, "st_mtime_ns", 0)))
    if key not in _RUNS:
        keep_freed_pages()
        end_with_holder(folder)
        _RUNS[key] = RunFolder(folder)
    return _RUNS[key]
