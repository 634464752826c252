"""The default engine: one datatrove LocalPipelineExecutor, each of our stages a PipelineStep of it.

A rank is a worker that lives through all stages: processes start once a run. Within a stage the
workers take tasks one by one, each claimed by a file; a stage begins when every marker of the one
before it is there. What is done is told by our own markers, so that a run may go on with another
engine or worker count; datatrove's logs and statistics lie in `stages/datatrove/`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import datatrove.executor.base as datatrove_base
import datatrove.utils.logging as datatrove_logging
import multiprocess
import psutil
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from pipelines.engines.engine import engine
from pipelines.run_folder import RunFolder
from pipelines.tasks import is_done, marker, opened, perform, waves_left
from schemas.errors import CurateError, WrongCall
from storage.orphans import end_with, forks_end_with_this, own_process
from storage.places import Place, files_below, is_local, place, remove
from storage.publishing import claimed, write_text
from storage.same_imports import children_import_alike

PRELOADED = ["pipelines.preloaded"]
WATCH_SECONDS = 0.5
GRACE_SECONDS = 5.0
WAIT_SECONDS = 0.005
CLAIM = ".claim"


class StageStep(PipelineStep):  # type: ignore[misc]
    """A stage of the graph as a datatrove pipeline step, which all ranks perform together."""

    type = "curate"

    def __init__(self, folder: str, stage: str, tasks: list[str]) -> None:
        super().__init__()
        self.name = stage
        self.folder, self.stage, self.tasks = folder, stage, tasks
        self.started_by = own_process()

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Perform tasks until none is left, then wait for the other ranks; no document flows, files do."""
        yield from data or ()
        end_with(self.started_by)
        run = opened(place(self.folder))
        try:
            for task in tasks_left(run, self.stage, self.tasks):
                with self.track_time():
                    counts = perform(run.path, self.stage, task)
                remove(_claim(run, self.stage, task))
                for name in ("documents", "tokens", "edges"):
                    if name in counts:
                        self.stat_update(name, value=counts[name])
            _wait_for_all(run, self.stage, self.tasks)
        except StoppedByAnother:
            raise
        except BaseException as error:
            write_text(_failed(run), str(error))
            raise


def tasks_left(run: RunFolder, stage: str, tasks: Sequence[str]) -> Iterator[str]:
    """Tasks that are not done, each given to one process only."""
    for task in tasks:
        if is_done(run, stage, task):
            continue
        if claimed(_claim(run, stage, task)):
            yield task


def _claim(run: RunFolder, stage: str, task: str) -> Place:
    return marker(run, stage, task).with_suffix(CLAIM)


def _failed(run: RunFolder) -> Place:
    return run.path / "stages" / "failed"


class StoppedByAnother(CurateError):
    """Another worker failed; its error is the run's."""


def _wait_for_all(run: RunFolder, stage: str, tasks: Sequence[str]) -> None:
    for task in tasks:
        while not is_done(run, stage, task):
            if _failed(run).exists():
                time.sleep(WATCH_SECONDS)  # so that the pool hears the failing worker first
                raise StoppedByAnother(_failed(run).read_text())
            time.sleep(WAIT_SECONDS)


@engine("datatrove")
def run_datatrove(folder: Place, workers: int, options: Sequence[str]) -> None:
    """Run all stages on this machine with `workers` processes; finished tasks are skipped."""
    if options:
        raise WrongCall(f"engine datatrove takes no further options, got: {' '.join(options)}")
    if not is_local(folder):
        workers = 1  # what lies in this process's memory no other can see
    run = RunFolder(folder)
    logger.remove()
    remove(_failed(run))
    for stale in files_below(folder / "stages"):  # of a run that was killed
        if stale.name.endswith(CLAIM):
            remove(stale)
    left = [(stage.name, tasks) for stage, tasks in waves_left(run)]
    if left:
        execute(run, left, workers)


def _log_to_file(logging_dir: Any, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
    """In place of datatrove's task logger, which also writes to the user's terminal."""
    logger.remove()
    logfile = logging_dir.open(f"logs/task_{rank:05d}.log", "w")

    def write(message: str) -> None:
        with contextlib.suppress(OSError):  # a full disk is told by the task that needs it
            logfile.write(message)

    logger.add(write, level="DEBUG")
    return logfile


datatrove_base.add_task_logger = _log_to_file
datatrove_logging.setup_default_logger = logger.remove


def execute(run: RunFolder, left: Sequence[tuple[str, list[str]]], workers: int) -> None:
    """Perform the tasks of these stages, in their order, with at most `workers` processes."""
    forks_end_with_this()
    workers = max(1, min(workers, max(len(tasks) for _, tasks in left)))
    if workers > 1 and not _shares_memory():
        run.log("one process", reason="no semaphore can be made: /dev/shm is not writable")
        print("one process instead of several: /dev/shm is not writable", file=sys.stderr)
        workers = 1
    multiprocess.get_context("forkserver").set_forkserver_preload(PRELOADED)
    executor = LocalPipelineExecutor(
        pipeline=[StageStep(str(run.path), name, tasks) for name, tasks in left],
        tasks=workers,
        workers=workers,
        logging_dir=str(run.path / "stages" / "datatrove"),
        skip_completed=False,
    )
    try:
        with children_import_alike(), _watched_workers(workers):
            executor.run()
    finally:
        remove(_failed(run))


def _shares_memory() -> bool:
    """Whether a pool of processes can be made here: its semaphores lie in /dev/shm, which may be closed."""
    try:
        multiprocess.get_context("forkserver").Lock()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _watched_workers(workers: int) -> Iterator[None]:
    """A pool waits for ever for the task of a worker that was killed; watch, and end the run instead."""
    if workers == 1:
        yield
        return
    finished = threading.Event()
    lost: list[int] = []

    def watch() -> None:
        seen: dict[int, psutil.Process] = {}
        while not finished.wait(WATCH_SECONDS):
            for process in _workers():
                seen.setdefault(process.pid, process)
            for pid, process in list(seen.items()):
                if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                    # A pool that ends, or fails by an exception, lets its workers go as well.
                    if not finished.wait(GRACE_SECONDS):
                        lost.append(pid)
                        os.kill(os.getpid(), signal.SIGUSR1)
                    return

    def interrupt(number: int, frame: Any) -> None:
        raise CurateError(
            f"worker process {lost[-1]} was killed (out of memory?); run the same command again to go on from here"
        )

    in_main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGUSR1, interrupt) if in_main else None
    thread = threading.Thread(target=watch, daemon=True)
    if in_main:
        thread.start()
    try:
        yield
    finally:
        finished.set()
        if in_main:
            thread.join()
            signal.signal(signal.SIGUSR1, previous)


def _workers() -> list[psutil.Process]:
    """Processes that hang below our fork server: the pool's workers."""
    found = []
    for child in psutil.Process().children():
        try:
            if "multiprocess.forkserver" in " ".join(child.cmdline()):
                found.extend(child.children())
        except psutil.Error:
            continue
    return found
