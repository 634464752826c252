"""Steps out of the ordinary are recorded with their documents, and skipped, rolled back, or end the run."""

from __future__ import annotations

from dataclasses import replace

from schemas.errors import CurateError
from trainers.loop import checkpoint
from trainers.loop.checkpoint import Checkpoints
from trainers.loop.experiment import Experiment, Hook, Step
from trainers.loop.position import latest
from trainers.loop.records import newest_first, read_log
from trainers.loop.spikes import SpikeWatch
from trainers.loop.training_log import TrainingLog


class Spikes(Hook):
    """Judges each step by those before it; `trainers.loop.spikes` says what is out of the ordinary."""

    def __init__(self, log: TrainingLog, saves: Checkpoints, components: list[str]) -> None:
        self.log, self.saves, self.components = log, saves, components

    def begin(self, run: Experiment) -> None:
        """Remember what is ordinary by the steps so far, and how many were not; the same on every rank."""
        events = read_log(run.out / "events.jsonl")
        count = sum(1 for one in events if one["event"] == "spike")
        records = (record for _, record in newest_first(run.out / "log.jsonl"))
        self.watch = SpikeWatch(run.config.spikes, records, self.components, count)

    def went_back(self, run: Experiment) -> None:
        """What was taken back is no longer ordinary."""
        self.begin(run)

    def judge(self, run: Experiment, step: Step) -> None:
        """Refuse the gradient of a spike, or go back, as the recipe says."""
        if not step.told.weight:
            return
        reason = self.watch.reason(step.losses["component"], step.tokens, step.norm)
        if reason is None:
            return
        action = run.config.spikes.action
        step.values["spike"] = action
        step.refused = action != "record"
        self._record(run, step, reason)
        if action == "rollback":
            step.gone_back = self._roll_back(run, step.first + step.size)

    def _record(self, run: Experiment, step: Step, reason: str) -> None:
        documents = run.source.documents(step.first, step.size)
        spikes = run.config.spikes
        self.log.event(
            step.number,
            "spike",
            reason=reason,
            action=spikes.action,
            first_sample=step.first,
            batch=step.size,
            documents=documents,
        )
        if spikes.action == "stop" or self.watch.count > spikes.most:
            why = "" if spikes.action == "stop" else f" (more than spikes.most, {spikes.most})"
            raise CurateError(
                f"step {step.number}: {reason}{why}; its {len(documents)} documents are in "
                f"{run.out / 'events.jsonl'}, "
                f"see them with `curate trace --step {step.number} --checkpoint {run.out}`; "
                "lower the learning rate, or go on past them with spikes: {action: skip}"
            )

    def _roll_back(self, run: Experiment, samples: int) -> bool:
        """Back to the last checkpoint, and on with the data after the spike; False where there is none."""
        self.saves.finish()
        newest = latest(run.out)
        if newest is None:
            return False
        position = checkpoint.restore(newest, run.model, run.optimizer)
        run.position = replace(position, samples=samples)
        return True
