"""The engine to debug with: every task in this process, one after another, so that a breakpoint stops the run."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.engines.engine import engine
from pipelines.run_folder import RunFolder
from pipelines.tasks import perform, waves_left
from schemas.errors import WrongCall
from storage.places import Place


@engine("serial")
def run_serial(folder: Place, workers: int, options: Sequence[str]) -> None:
    """Run all stages in this process, whatever number of workers was asked for; finished tasks are skipped."""
    if options:
        raise WrongCall(f"engine serial takes no further options, got: {' '.join(options)}")
    for stage, tasks in waves_left(RunFolder(folder)):
        for task in tasks:
            perform(folder, stage.name, task)
