"""A reward that is learned from rises while one that is only watched falls: the stage stops (Gao et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import numpy as np

from trainers.loop.experiment import Experiment, Hook, Step
from trainers.loop.records import newest_first
from trainers.loop.training_log import TrainingLog
from trainers.parallel.groups import is_first
from trainers.rl.source import RolloutSource

SURE: Final = 0.05  # chance, on one side, of a trend at least so strong where there is none


def drifts_apart(rewards: Sequence[float], gold: Sequence[float]) -> bool:
    """Whether over these batches the reward rises and the gold reward falls, both more than chance would have it."""
    return _trend(rewards) > 0 and _trend(gold) < 0


def _trend(values: Sequence[float]) -> float:
    """The slope of a line through the values where it is sure, else 0."""
    if len(values) < 3 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return 0.0
    from scipy.stats import linregress  # over a second to load, which every rank would wait for

    found = linregress(np.arange(len(values)), values)
    return float(found.slope) if found.pvalue / 2 < SURE else 0.0


class OverOptimised(Hook):
    """Watches both rewards over a window of batches, also those before a resume."""

    def __init__(self, log: TrainingLog, window: int) -> None:
        self.log, self.window = log, window
        self.seen: list[tuple[float, float]] = []

    def begin(self, run: Experiment) -> None:
        """What the log says of the last batches; the same on every rank."""
        records = (_both(record) for _, record in newest_first(run.out / "log.jsonl"))
        self.seen = list(islice((one for one in records if one is not None), self.window))[::-1]

    def judge(self, run: Experiment, step: Step) -> None:
        """Ask for a stop after this step, which is taken and saved."""
        assert isinstance(run.source, RolloutSource)
        both = _both(run.source.values)
        if both is None:
            return
        self.seen = [*self.seen, both][-self.window :]
        if len(self.seen) == self.window and drifts_apart(*zip(*self.seen, strict=True)):
            first, last = self.seen[0], self.seen[-1]
            why = (
                f"over {self.window} batches the reward rose from {first[0]:.3f} to {last[0]:.3f} while the gold "
                f"reward fell from {first[1]:.3f} to {last[1]:.3f}: the policy learns the reward model's errors"
            )
            run.asked_to_stop, run.stop_reason = True, why
            step.values["over_optimised"] = True
            if is_first():
                self.log.event(step.number, "over_optimised", reason=why)


def _both(values: dict[str, Any]) -> tuple[float, float] | None:
    reward, gold = values.get("reward"), values.get("gold_reward")
    return None if reward is None or gold is None else (reward, gold)
