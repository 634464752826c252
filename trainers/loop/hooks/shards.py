"""Shards are hashed beside training; one that was altered ends the run before anything is saved."""

from __future__ import annotations

from trainers.data.integrity import ShardCheck
from trainers.loop.experiment import Experiment, Hook, Step


class CheckedShards(Hook):
    """Asks for a stop as soon as this rank found an altered shard."""

    def __init__(self, check: ShardCheck) -> None:
        self.check = check

    def wants_stop(self, run: Experiment) -> bool:
        """So that all ranks learn of it in the same step."""
        return self.check.failed()

    def judge(self, run: Experiment, step: Step) -> None:
        """Raise what was found before its gradient is applied."""
        if step.told.stop_asked:
            self.check.raise_if_failed()

    def end(self, run: Experiment) -> None:
        """Nothing counts as trained before every shard is known good."""
        self.check.wait()
