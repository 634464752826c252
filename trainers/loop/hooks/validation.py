"""Losses over what was held out, every so many steps and at the end of the schedule."""

from __future__ import annotations

from trainers.data.datasets import Blended
from trainers.loop.experiment import Experiment, Hook, Step
from trainers.loop.validation import validate


class Validation(Hook):
    """Adds to a step's record what the held-out rows say."""

    def __init__(self, data: Blended | None) -> None:
        self.data = data

    def after(self, run: Experiment, step: Step) -> None:
        """Validate where it is due."""
        due = step.number % run.config.validation.every == 0 or step.number == run.total
        if due and self.data is not None:
            step.values |= validate(run.config, run.model, run.objective, self.data, run.vocabulary, run.frozen)
