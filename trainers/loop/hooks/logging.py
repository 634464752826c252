"""A record a step, and what the blend of the data is."""

from __future__ import annotations

import torch

from trainers.data.datasets import Blended
from trainers.loop.experiment import Experiment, Hook, Step
from trainers.loop.training_log import TrainingLog

SAID_EVERY = 10  # steps between two lines on the terminal


class Logging(Hook):
    """Writes what the hooks before it made of a step."""

    def __init__(self, log: TrainingLog) -> None:
        self.log = log

    def after(self, run: Experiment, step: Step) -> None:
        """Write the record; say it where it is due."""
        say = step.number == 1 or step.number % SAID_EVERY == 0 or step.number == run.last
        self.log.write(step.number, step.values, say=say)

    def went_back(self, run: Experiment) -> None:
        """Records of steps taken back are cut off, before any rank reads them again."""
        self.log.rewind(run.position.step)
        torch.distributed.barrier()

    def close(self, run: Experiment) -> None:
        """Flush and close."""
        self.log.close()


class SaidBlend(Hook):
    """Tells at the start how often each document comes, and what runs out."""

    def __init__(self, log: TrainingLog, data: Blended) -> None:
        self.log, self.data = log, data

    def begin(self, run: Experiment) -> None:
        """Once, before the first step of all."""
        if run.position.step:
            return
        epochs = self.data.blend.epochs({name: one.per_epoch for name, one in self.data.components.items()})
        shown = ", ".join(f"{name} {times:.2f} times" for name, times in epochs.items())
        self.log.event(0, "blend", reason=f"over {run.total} steps each document comes: {shown}", epochs=epochs)
        for name, at in self.data.blend.ran_out.items():
            self.log.event(0, "cap", reason=f"{name} reaches data.max_epochs at sample {at}; others take its share")
