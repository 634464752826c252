"""Checkpoints: every so many steps, at the end, and where a stop is asked for."""

from __future__ import annotations

from trainers.data.integrity import ShardCheck
from trainers.loop.checkpoint import Checkpoints
from trainers.loop.experiment import Experiment, Hook, Step


class Saving(Hook):
    """Saves beside training; no checkpoint is begun before all shards are known good."""

    def __init__(self, saves: Checkpoints, check: ShardCheck | None) -> None:
        self.saves, self.check = saves, check
        self.saved = -1

    def begin(self, run: Experiment) -> None:
        """What is there is saved."""
        self.saved = run.position.step

    def judge(self, run: Experiment, step: Step) -> None:
        """Tell what the last save held up."""
        if self.saves.blocked:
            step.values["save_blocked_seconds"] = self.saves.blocked
            self.saves.blocked = 0.0

    def after(self, run: Experiment, step: Step) -> None:
        """Finish the save under way where its writers are done; begin one where it is due."""
        self.saves.poll()
        if step.number % run.config.checkpoint.every == 0 or step.number == run.last or run.asked_to_stop:
            if self.check is not None:
                self.check.wait()
            self.saves.save(run.model, run.optimizer, run.position)
            self.saved = step.number

    def end(self, run: Experiment) -> None:
        """Wait for the last save."""
        self.saves.finish()
        assert self.saved == run.position.step

    def close(self, run: Experiment) -> None:
        """No writer goes on after its run."""
        self.saves.give_up()
