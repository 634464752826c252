"""SIGTERM and Ctrl-C end a run between two steps, saved, with a note that it is to go on."""

from __future__ import annotations

import sys

from storage.json_files import write_json
from storage.places import remove
from trainers.loop.checkpoint import Checkpoints
from trainers.loop.experiment import Experiment, Hook, Step
from trainers.loop.position import STOPPED
from trainers.loop.stopping import StopSignals
from trainers.parallel.groups import is_first


class Stopping(Hook):
    """Passes on what the process was asked; the save is the hook's before this one."""

    def __init__(self, signals: StopSignals, saves: Checkpoints) -> None:
        self.signals, self.saves = signals, saves

    def begin(self, run: Experiment) -> None:
        """An earlier call's note no longer holds."""
        if is_first():
            remove(run.out / STOPPED)

    def wants_stop(self, run: Experiment) -> bool:
        """Whether this rank was asked."""
        return self.signals.asked

    def after(self, run: Experiment, step: Step) -> None:
        """Leave the note once the checkpoint is whole."""
        if not run.asked_to_stop or step.number >= run.last:
            return
        self.saves.finish()
        if is_first():
            write_json(run.out / STOPPED, {"step": step.number, "reason": run.stop_reason})
            print(f"step {step.number}  {run.stop_reason}: saved, call again to go on", file=sys.stderr, flush=True)
