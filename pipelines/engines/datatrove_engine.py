"""The default engine: datatrove's LocalPipelineExecutor, each of our stages a PipelineStep.

One executor a stage; a task is a rank. What is done is told by our own markers, so that a run may
go on with another engine or worker count; datatrove's completion files live beside its logs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datatrove.executor.base as datatrove_base
import datatrove.utils.logging as datatrove_logging
import multiprocess
import psutil
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from pipelines.engines.engine import engine
from pipelines.graph import STAGES, Stage, is_done, perform
from pipelines.run_folder import RunFolder
from schemas.errors import CurateError, WrongCall

PRELOADED = ["pipelines.graph", "pipelines.readers.html", "pipelines.readers.pdf", "filters.language"]
WATCH_SECONDS = 0.5
GRACE_SECONDS = 5.0


class StageStep(PipelineStep):  # type: ignore[misc]
    """A stage of the graph as a datatrove pipeline step: rank k performs task k of what is left."""

    type = "curate"

    def __init__(self, folder: str, stage: str, tasks: list[str]) -> None:
        super().__init__()
        self.name = stage
        self.folder, self.stage, self.tasks = folder, stage, tasks

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Perform the tasks of this rank; documents do not flow between steps, files do."""
        for task in self.tasks[rank::world_size]:
            with self.track_time():
                counts = perform(Path(self.folder), self.stage, task)
            for name in ("documents", "tokens", "edges"):
                if name in counts:
                    self.stat_update(name, value=counts[name])
        yield from data or ()


@engine("datatrove")
def run_datatrove(folder: Path, workers: int, options: Sequence[str]) -> None:
    """Run all stages on this machine with `workers` processes; finished tasks are skipped."""
    if options:
        raise WrongCall(f"engine datatrove takes no further options, got: {' '.join(options)}")
    run = RunFolder(folder)
    logger.remove()
    for stage in STAGES:
        left = [task for task in stage.tasks(run) if not is_done(run, stage.name, task)]
        if left:
            _execute(folder, stage, left, min(workers, len(left)))


def _log_to_file(logging_dir: Any, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
    """In place of datatrove's task logger, which also writes to the user's terminal."""
    logger.remove()
    logfile = logging_dir.open(f"logs/task_{rank:05d}.log", "w")
    logger.add(logfile, level="DEBUG")
    return logfile


datatrove_base.add_task_logger = _log_to_file
datatrove_logging.setup_default_logger = logger.remove


def _execute(folder: Path, stage: Stage, tasks: list[str], workers: int) -> None:
    multiprocess.get_context("forkserver").set_forkserver_preload(PRELOADED)
    executor = LocalPipelineExecutor(
        pipeline=[StageStep(str(folder), stage.name, tasks)],
        tasks=len(tasks),
        workers=workers,
        logging_dir=str(folder / "stages" / stage.name / "datatrove"),
        skip_completed=False,
    )
    with _watched_workers(workers):
        executor.run()


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
            if "forkserver" in " ".join(child.cmdline()):
                found.extend(child.children())
        except psutil.Error:
            continue
    return found
